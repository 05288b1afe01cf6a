//! Decodes frames, tensors and chunks.

use std::fmt;
use std::ops::Range;

use wgpu::{Buffer, BufferUsages, CommandEncoder, Device, ErrorFilter, Queue};
use zipnn::frame::{DecodeScratch, Frame};
use zipnn::gpu::{ChunkInput, Plan};
use zipnn::io::{ReadAt, StoredPart};
use zipnn::{Archive, DecodeErrorKind};

use crate::batch::{Buffers, Memory, Target, buffer};
use crate::error::GpuError;
use crate::pipelines::Pipelines;
use crate::staging::{self, Pipeline};
use crate::verification::{Report, Verification};

/// The default number of threads for each stream.
const LANES: u32 = 16;

/// Decodes on a GPU.
///
/// It keeps the compiled shaders, so create one for each device. It is cheap to share, and all methods
/// take `&self`.
pub struct GpuDecoder {
    device: Device,
    queue: Queue,
    pipelines: Pipelines,
}

impl fmt::Debug for GpuDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuDecoder").field("device", &self.device).finish_non_exhaustive()
    }
}

impl GpuDecoder {
    /// Creates a decoder, and compiles its shaders.
    pub fn new(device: &Device, queue: &Queue) -> Self {
        Self::with_lanes(device, queue, LANES)
    }

    /// Creates a decoder in which `lanes` threads share each of the four streams of a plane.
    ///
    /// `lanes` is rounded to a power of two from 1 to 16. The default is 16. Fewer only serve to compare.
    pub fn with_lanes(device: &Device, queue: &Queue, lanes: u32) -> Self {
        let lanes = lanes.clamp(1, LANES).next_power_of_two();
        let pipelines = Pipelines::new(device, lanes);
        Self { device: device.clone(), queue: queue.clone(), pipelines }
    }

    /// Creates a buffer for `len` decoded bytes, which shaders can use and which can be copied.
    ///
    /// Its size is rounded up to a multiple of 4, and not 0.
    ///
    /// # Errors
    ///
    /// `DeviceLimit`, `OutOfMemory`.
    pub async fn create_buffer(&self, len: u64) -> Result<Buffer, GpuError> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let scope = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let created = buffer(&self.device, len, usage);
        match scope.pop().await {
            Some(_) => Err(GpuError::OutOfMemory),
            None => created,
        }
    }

    /// Decodes a frame into a new buffer, and verifies it.
    ///
    /// # Errors
    ///
    /// The errors of [`Frame::parse`] and of the stored data; `BaseRequired` for the frame of a
    /// difference; errors of the device.
    pub async fn decode_frame(&self, bytes: &[u8]) -> Result<Buffer, GpuError> {
        let frame = Frame::parse(bytes)?;
        let output = self.create_buffer(frame.decoded_len()).await?;
        self.run(&frame, Target { buffer: &output, offset: 0 }, None).await?;
        Ok(output)
    }

    /// Decodes the frame of a difference into a new buffer, and verifies it.
    ///
    /// The bytes of `base` from `base_offset` on belong to the frame.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::decode_frame`]; `NotADelta`; `BaseRequired` for a chunk with
    /// [`requires_base`](zipnn::frame::Chunk::requires_base), which only the processor decodes: open an
    /// [`Archive`] with the base instead.
    pub async fn decode_delta_frame(
        &self,
        bytes: &[u8],
        base: &Buffer,
        base_offset: u64,
    ) -> Result<Buffer, GpuError> {
        let frame = Frame::parse(bytes)?;
        if frame.index().header().delta == zipnn::delta::Delta::None {
            return Err(DecodeErrorKind::NotADelta.into());
        }
        let output = self.create_buffer(frame.decoded_len()).await?;
        let base = Target { buffer: base, offset: base_offset };
        self.run(&frame, Target { buffer: &output, offset: 0 }, Some(base)).await?;
        Ok(output)
    }

    async fn run(
        &self,
        frame: &Frame<'_>,
        output: Target<'_>,
        base: Option<Target<'_>>,
    ) -> Result<(), GpuError> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let chunks = ChunkInput::of_frame(frame, 0);
        let verification = self.record(&mut encoder, chunks, output, base)?;
        self.queue.submit([encoder.finish()]);
        verification.finish().await
    }

    /// Records the decoding of chunks, one after another, into a buffer from `offset` on.
    ///
    /// Submit the encoder, and then await [`Verification::finish`] before anything uses the data. The
    /// buffer needs the usage `STORAGE` and, from `offset` on, the length of the data rounded up so that
    /// it ends with a word of 4 bytes. Other bytes are not changed. Offsets that are multiples of 4 are
    /// faster.
    ///
    /// All chunks are in memory at the same time, here and on the GPU.
    ///
    /// # Errors
    ///
    /// The errors of [`Plan::push`]; `BufferTooSmall`, `BufferUsage`, `DeviceLimit`. After an error, drop
    /// the encoder.
    pub fn decode_into<'a>(
        &self,
        encoder: &mut CommandEncoder,
        chunks: impl IntoIterator<Item = ChunkInput<'a>>,
        buffer: &Buffer,
        offset: u64,
    ) -> Result<Verification, GpuError> {
        self.record(encoder, chunks, Target { buffer, offset }, None)
    }

    /// Records the decoding of chunks of a difference.
    ///
    /// The bytes of `base` from `base_offset` on belong to the chunks. See [`Self::decode_into`].
    ///
    /// # Errors
    ///
    /// The errors of [`Self::decode_into`]; `SameBuffer`.
    pub fn decode_delta_into<'a>(
        &self,
        encoder: &mut CommandEncoder,
        chunks: impl IntoIterator<Item = ChunkInput<'a>>,
        (base, base_offset): (&Buffer, u64),
        (buffer, offset): (&Buffer, u64),
    ) -> Result<Verification, GpuError> {
        let base = Target { buffer: base, offset: base_offset };
        self.record(encoder, chunks, Target { buffer, offset }, Some(base))
    }

    fn record<'a>(
        &self,
        encoder: &mut CommandEncoder,
        chunks: impl IntoIterator<Item = ChunkInput<'a>>,
        output: Target<'_>,
        base: Option<Target<'_>>,
    ) -> Result<Verification, GpuError> {
        if base.is_some_and(|base| base.buffer == output.buffer) {
            return Err(GpuError::SameBuffer);
        }
        output.check(0)?;
        let scope = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let reports = self.record_batches(encoder, chunks, Batch::new(output, base));
        let error = Box::pin(scope.pop());
        Ok(Verification { device: self.device.clone(), reports: reports?, error })
    }

    fn record_batches<'a>(
        &self,
        encoder: &mut CommandEncoder,
        chunks: impl IntoIterator<Item = ChunkInput<'a>>,
        mut batch: Batch<'a, '_>,
    ) -> Result<Vec<Report>, GpuError> {
        let (mut reports, mut scratch) = (Vec::new(), DecodeScratch::new());
        for chunk in chunks {
            if let Some(full) = batch.push(chunk, &mut scratch)? {
                reports.push(self.record_batch(encoder, full)?);
            }
        }
        if !batch.plan.is_empty() {
            reports.push(self.record_batch(encoder, batch)?);
        }
        Ok(reports)
    }

    fn record_batch(
        &self,
        encoder: &mut CommandEncoder,
        batch: Batch<'_, '_>,
    ) -> Result<Report, GpuError> {
        let Batch { plan, output, base } = batch;
        output.check(plan.decoded_len())?;
        if let Some(base) = base {
            base.check(plan.decoded_len())?;
        }
        let upload = staging::upload(&self.device, encoder, &plan)?;
        let mut memory = Memory::default();
        memory.reserve(&self.device, &plan)?;
        let buffers = Buffers { upload: &upload, memory: &memory, output, base };
        buffers.record(&self.device, &self.pipelines, encoder, plan)
    }

    /// Loads a tensor of a file into a new buffer, and verifies it.
    ///
    /// It reads and uploads a batch while the GPU decodes the batch before.
    ///
    /// # Errors
    ///
    /// The errors of [`Archive::tensor`] and [`Self::load_into`]; `DeviceLimit`, `OutOfMemory`.
    pub async fn load_tensor<S: ReadAt, B: ReadAt>(
        &self,
        archive: &Archive<S, B>,
        name: &str,
    ) -> Result<Buffer, GpuError> {
        let range = archive.tensor(name)?.range.clone();
        // The length comes from the file: it is checked before memory is allocated for it.
        drop(archive.stored_parts(range.clone())?);
        let output = self.create_buffer(range.end - range.start).await?;
        self.load_into(archive, range, &output, 0).await?;
        Ok(output)
    }

    /// Loads a range of a file's data into a buffer from `offset` on, and verifies it.
    ///
    /// The base of a difference is the base of the archive. See [`Self::decode_into`] for the buffer.
    ///
    /// # Errors
    ///
    /// The errors of the archive and of the stored data; `BufferTooSmall`, `BufferUsage`. After an error,
    /// the contents of the range of the buffer are unspecified.
    pub async fn load_into<S: ReadAt, B: ReadAt>(
        &self,
        archive: &Archive<S, B>,
        range: Range<u64>,
        buffer: &Buffer,
        offset: u64,
    ) -> Result<(), GpuError> {
        let mut output = Target { buffer, offset };
        let mut parts = archive.stored_parts(range.clone())?;
        output.check(range.end - range.start)?;
        let mut pipeline = Pipeline::default();
        loop {
            let batch = read_batch(&mut parts)?;
            if batch.is_empty() {
                return pipeline.finish(&self.device).await;
            }
            let len = batch.iter().map(StoredPart::decoded_len).sum();
            self.load_batch(&mut pipeline, &batch, output).await?;
            output = output.after(len);
        }
    }

    async fn load_batch(
        &self,
        pipeline: &mut Pipeline,
        parts: &[StoredPart<'_>],
        output: Target<'_>,
    ) -> Result<(), GpuError> {
        let (device, queue) = (&self.device, &self.queue);
        let mut scratch = DecodeScratch::new();
        let mut batch = Batch::new(output, None);
        for part in parts {
            for chunk in part.chunk_inputs()? {
                if let Some(full) = batch.push(chunk?, &mut scratch)? {
                    pipeline.submit(device, queue, &self.pipelines, full.plan, full.output).await?;
                }
            }
        }
        if batch.plan.is_empty() {
            return Ok(());
        }
        pipeline.submit(device, queue, &self.pipelines, batch.plan, batch.output).await
    }
}

/// Reads as many parts as fill a batch.
fn read_batch<'s, E>(
    parts: &mut impl Iterator<Item = Result<StoredPart<'s>, E>>,
) -> Result<Vec<StoredPart<'s>>, E> {
    let (mut batch, mut len) = (Vec::new(), 0);
    while len < Plan::BATCH_LEN
        && let Some(part) = parts.next()
    {
        let part = part?;
        len += part.decoded_len();
        batch.push(part);
    }
    Ok(batch)
}

/// A plan that is being filled, and what it decodes to.
struct Batch<'a, 'b> {
    plan: Plan<'a>,
    output: Target<'b>,
    base: Option<Target<'b>>,
}

impl<'a, 'b> Batch<'a, 'b> {
    fn new(output: Target<'b>, base: Option<Target<'b>>) -> Self {
        let plan = Plan::new(output.offset);
        let plan = match base {
            Some(base) => plan.with_base(base.offset),
            None => plan,
        };
        Self { plan, output, base }
    }

    /// Adds a chunk. If it does not fit, it begins a new batch, and the one before is returned.
    fn push(
        &mut self,
        chunk: ChunkInput<'a>,
        scratch: &mut DecodeScratch,
    ) -> Result<Option<Self>, GpuError> {
        let mut full = None;
        if !self.plan.has_room_for(&chunk) {
            let len = self.plan.decoded_len();
            let next = Self::new(self.output.after(len), self.base.map(|base| base.after(len)));
            full = Some(std::mem::replace(self, next));
        }
        self.plan.push(chunk, scratch)?;
        Ok(full)
    }
}
