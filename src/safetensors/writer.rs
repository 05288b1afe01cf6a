//! Writing files in which tensors are compressed.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::string::String;
use std::vec::Vec;

use super::error::TensorError;
use super::header::{self, ALIGNMENT, Entry};
use super::layout::{Layout, Tensor};
use super::list::{self, CHECKSUMS, Checksums, LIST, SOURCE_HEADER};
use crate::checksum::checksum;
use crate::chunk::encode::EncodeScratch;
use crate::dtype::DType;
use crate::error::EncodeError;
use crate::frame::Form;
use crate::frame::write::{Envelope, Geometry, compress_frame};
use crate::options::Options;

/// Writes a `.safetensors` file again with its tensors compressed, one after another.
///
/// Releases 0.5.1 to 0.5.4 of the original read the result tensor by tensor; where their patch of
/// `safetensors` is at work, so does whatever loads models. The header of the source is kept in the
/// metadata, so that [`TensorReader`](super::TensorReader) gives the same bytes back.
///
/// Memory is needed for one tensor and its compressed form. The result's header gives lengths that
/// are known only in the end: room is left for the longest that it can be, and what is not needed
/// stays blank. Every tensor keeps the alignment that it had: frames that would change it get some
/// bytes of slack. See [`TensorReader`](super::TensorReader) for an example.
#[derive(Debug)]
pub struct TensorWriter<W> {
    dst: W,
    /// Where in `dst` the file begins.
    start: u64,
    layout: Layout,
    metadata: BTreeMap<String, String>,
    /// Where in the file the data begins.
    data_start: u64,
    /// What has become of the tensors so far.
    written: Vec<Written>,
    has_checksums: bool,
    /// Space for a frame, and for making one.
    frame: Vec<u8>,
    scratch: EncodeScratch,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// The type of what is compressed, if it is.
    compressed: Option<DType>,
    /// The checksum of what is not.
    checksum: Option<u64>,
}

/// Tensors from here on are stored as they are: the original cannot keep the index of a longer one.
const MAX_COMPRESSED_LEN: u64 = 8 << 30;

impl<W: Write + Seek> TensorWriter<W> {
    /// Begins a file. `header` is the header of the source with its length before it: the file up to
    /// where the tensors' data begins, of which there are `data_len` bytes.
    ///
    /// A list of compressed tensors in the metadata that names no tensor which could be compressed
    /// belongs to another file, and is replaced.
    ///
    /// # Errors
    ///
    /// `Layout`, `AlreadyCompressed`, `HeaderTooLong`, `Io`.
    pub fn new(mut dst: W, header: &[u8], data_len: u64) -> Result<Self, TensorError> {
        let layout = Layout::parse(header, (header.len() as u64).saturating_add(data_len))?;
        if let Some(name) = list::first_frame(&layout) {
            return Err(TensorError::AlreadyCompressed { name });
        }
        let layout = layout.with_gaps()?;
        let mut metadata = layout.metadata().clone();
        // Readers of release 0.5.1 and 0.5.2 need metadata of some kind, and others this one.
        metadata.entry("format".into()).or_insert_with(|| "pt".into());
        metadata.insert(SOURCE_HEADER.into(), header::text(header));
        // Those of another file: they come back with the source's header.
        metadata.remove(CHECKSUMS);
        let start = dst.stream_position()?;
        let mut writer = Self {
            dst,
            start,
            layout,
            metadata,
            data_start: 0,
            written: Vec::new(),
            has_checksums: true,
            frame: Vec::new(),
            scratch: EncodeScratch::new(),
        };
        let phase = writer.layout.data_start() % ALIGNMENT;
        writer.data_start = header::data_start(writer.longest_header(data_len), phase)?;
        writer.dst.seek(SeekFrom::Start(start + writer.data_start))?;
        Ok(writer)
    }

    /// Whether everything gets checksums: frames, whatever their options say of that, the header of
    /// the source, and tensors that are stored as they are. It does unless told otherwise.
    #[must_use]
    pub fn checksums(mut self, wanted: bool) -> Self {
        self.has_checksums = wanted;
        self
    }

    /// The tensors that are to be written, in this order. Bytes that belong to no tensor are among
    /// them, as tensors of type `U8`.
    pub fn tensors(&self) -> &[Tensor] {
        self.layout.tensors()
    }

    /// Writes the next tensor: with options compressed, if that makes it smaller, without them as
    /// it is. The options' type should be the tensor's; tensors of types for which this crate has no
    /// layout are stored as they are.
    ///
    /// # Errors
    ///
    /// `WrongTensor` if the data has another length than the next tensor, or none is left; `Encode`;
    /// `Io`.
    pub fn write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, compress_frame)
    }

    /// [`Self::write`] on all threads of the pool.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    #[cfg(feature = "rayon")]
    pub fn par_write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, |data, frame, options, envelope, _| {
            crate::parallel::par_compress_frame(data, frame, options, envelope)
        })
    }

    fn write_with(
        &mut self,
        data: &[u8],
        options: Option<&Options>,
        compress: impl FnOnce(
            &[u8],
            &mut [u8],
            &Options,
            &Envelope<'_>,
            &mut EncodeScratch,
        ) -> Result<usize, EncodeError>,
    ) -> Result<(), TensorError> {
        let found = Some(data.len() as u64);
        let tensor = self.layout.tensors().get(self.written.len());
        let tensor = match tensor {
            Some(tensor) if Some(tensor.len()) == found => tensor,
            _ => {
                let expected = tensor.map(Tensor::len);
                return Err(TensorError::WrongTensor { expected, found });
            }
        };
        let dtype = tensor.dtype().filter(|_| is_candidate(tensor));
        let options = options.filter(|options| Some(options.dtype()) == dtype);
        let mut stored = data;
        if let Some(options) = options.map(|options| options.checksums(self.has_checksums)) {
            let options = &options;
            let envelope = Envelope {
                form: Form::Torch,
                shape: &tensor.shape,
                is_aligned: true,
                ..Envelope::BYTES
            };
            let bound = Geometry::new(data.len(), options, &envelope).bound();
            let frame = &mut self.frame;
            let len = reserve(frame, bound)
                .and_then(|()| compress(data, frame, options, &envelope, &mut self.scratch))
                .map_err(|error| TensorError::Encode { name: tensor.name.clone(), error })?;
            if len < data.len() {
                stored = &frame[..len];
            }
        }
        self.dst.write_all(stored)?;
        let compressed = dtype.filter(|_| stored.len() < data.len());
        let has_checksum = self.has_checksums && compressed.is_none();
        let checksum = has_checksum.then(|| checksum(data));
        self.written.push(Written { len: stored.len() as u64, compressed, checksum });
        Ok(())
    }

    /// Writes the header, and returns what was written to, at the end of the file.
    ///
    /// # Errors
    ///
    /// `WrongTensor` if tensors are missing; `Io`.
    pub fn finish(mut self) -> Result<W, TensorError> {
        if let Some(missing) = self.layout.tensors().get(self.written.len()) {
            return Err(TensorError::WrongTensor { expected: Some(missing.len()), found: None });
        }
        let header = header::bytes(&self.header(), self.data_start);
        self.dst.seek(SeekFrom::Start(self.start))?;
        self.dst.write_all(&header)?;
        self.dst.seek(SeekFrom::End(0))?;
        self.dst.flush()?;
        Ok(self.dst)
    }

    /// The header of what has been written.
    fn header(&self) -> String {
        let tensors = || self.layout.tensors().iter().zip(&self.written);
        let listed = tensors().filter_map(|(tensor, written)| {
            Some((&*tensor.name, written.compressed?, &*tensor.shape))
        });
        let checksums = tensors()
            .filter_map(|(tensor, written)| Some((tensor.name.clone(), written.checksum?)));
        let mut metadata = self.metadata.clone();
        metadata.insert(LIST.into(), list::render(listed));
        if self.has_checksums {
            let source_header = checksum(metadata[SOURCE_HEADER].as_bytes());
            let checksums = Checksums { source_header, tensors: checksums.collect() };
            metadata.insert(CHECKSUMS.into(), checksums.render());
        }
        let mut at = 0;
        let lens: Vec<[u64; 1]> = self.written.iter().map(|written| [written.len]).collect();
        let entries = tensors().zip(&lens).map(|((tensor, written), len)| {
            let start = at;
            at += written.len;
            let data_offsets = [start, at];
            match written.compressed {
                Some(_) => Entry { name: &tensor.name, dtype: "U8", shape: len, data_offsets },
                None => Entry {
                    name: &tensor.name,
                    dtype: &tensor.dtype,
                    shape: &tensor.shape,
                    data_offsets,
                },
            }
        });
        header::json(&metadata, entries)
    }

    /// Bytes that the header can take at most: every tensor listed that can be, and with a checksum
    /// nevertheless, in its longer form, and as far back in the file as it goes.
    fn longest_header(&self, data_len: u64) -> usize {
        let tensors = || self.layout.tensors().iter();
        let listed = tensors()
            .filter(|tensor| is_candidate(tensor))
            .filter_map(|tensor| Some((&*tensor.name, tensor.dtype()?, &*tensor.shape)));
        let mut metadata = self.metadata.clone();
        metadata.insert(LIST.into(), list::render(listed));
        let longest = |tensor: &Tensor| (tensor.name.clone(), u64::MAX);
        let checksums =
            Checksums { source_header: u64::MAX, tensors: tensors().map(longest).collect() };
        metadata.insert(CHECKSUMS.into(), checksums.render());
        let last = [data_len; 2];
        let lens: Vec<[u64; 1]> = tensors().map(|tensor| [tensor.len()]).collect();
        let json_len = |dtype: &str, shape: &[u64]| {
            header::entry_len(&Entry { name: "", dtype, shape, data_offsets: last })
        };
        let entries = tensors().zip(&lens).map(|(tensor, len)| {
            let plain = (&*tensor.dtype, &*tensor.shape);
            let frame = ("U8", &len[..]);
            let is_longer =
                is_candidate(tensor) && json_len(frame.0, frame.1) > json_len(plain.0, plain.1);
            let (dtype, shape) = if is_longer { frame } else { plain };
            Entry { name: &tensor.name, dtype, shape, data_offsets: last }
        });
        header::json(&metadata, entries).len()
    }
}

/// Makes `frame` at least `len` bytes long.
fn reserve(frame: &mut Vec<u8>, len: usize) -> Result<(), EncodeError> {
    let more = len.saturating_sub(frame.len());
    frame
        .try_reserve_exact(more)
        .map_err(|_| EncodeError::OutOfMemory { requested: len as u64 })?;
    frame.resize(len.max(frame.len()), 0);
    Ok(())
}

/// Whether a tensor may be compressed. The original reads dimensions of 2^32 and more from the wrong
/// place, and no more than 255 of any size fit into a frame.
fn is_candidate(tensor: &Tensor) -> bool {
    tensor.dtype().is_some()
        && tensor.len() > 0
        && tensor.len() <= MAX_COMPRESSED_LEN
        && tensor.shape.len() <= usize::from(u8::MAX)
        && tensor.shape.iter().all(|&dimension| u32::try_from(dimension).is_ok())
}
