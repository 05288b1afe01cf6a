//! Decompresses bytes that JavaScript pushes.
//!
//! Input and output are each copied once: JavaScript accesses them in the module's memory, at
//! addresses that these functions return.

use wasm_bindgen::prelude::wasm_bindgen;
#[cfg(feature = "gpu")]
use zipnn::gpu::ChunkInput;
use zipnn::push::PushDecoder;

use crate::failure::Failure;
#[cfg(feature = "gpu")]
use crate::gpu::Batch;
use crate::limits;

/// Wraps a [`PushDecoder`].
#[wasm_bindgen]
pub struct Decoder {
    decoder: PushDecoder,
    space_at: usize,
    chunk_at: usize,
}

#[wasm_bindgen]
impl Decoder {
    /// Returns a decoder for a file. With `apart`, it decodes frames of a file from `frame_number`
    /// on, without checks across frames.
    #[wasm_bindgen(constructor)]
    pub fn new(
        decoded_bytes: f64,
        frame_bytes: f64,
        verify: bool,
        apart: bool,
        frame_number: f64,
    ) -> Self {
        let limits = limits(decoded_bytes, frame_bytes, verify);
        let decoder = match apart {
            false => PushDecoder::new(limits),
            true => PushDecoder::starting_at(frame_number as u64, limits),
        };
        Self { decoder, space_at: 0, chunk_at: 0 }
    }

    /// Allocates space for at most `length` further bytes of the file and returns its length: 0
    /// while a frame is pending, and after the only frame of a file.
    pub fn space(&mut self, length: usize) -> Result<usize, Failure> {
        let space = self.decoder.buffer(length)?;
        self.space_at = space.as_ptr() as usize;
        Ok(space.len())
    }

    /// Returns the address of the space.
    #[wasm_bindgen(getter, js_name = spaceAt)]
    pub fn space_at(&self) -> usize {
        self.space_at
    }

    /// Accepts the first `length` bytes of the space as input.
    pub fn advance(&mut self, length: usize) -> Result<(), Failure> {
        Ok(self.decoder.advance(length)?)
    }

    /// Decodes the next chunk of the pending frame and returns its length, or 0 if none is left.
    #[wasm_bindgen(js_name = nextChunk)]
    pub fn next_chunk(&mut self) -> Result<usize, Failure> {
        let chunk = self.decoder.next_chunk()?.unwrap_or_default();
        self.chunk_at = chunk.as_ptr() as usize;
        Ok(chunk.len())
    }

    /// Returns the address of the chunk.
    #[wasm_bindgen(getter, js_name = chunkAt)]
    pub fn chunk_at(&self) -> usize {
        self.chunk_at
    }

    /// Returns number, address, length, decoded length and type code of the pending frame, or
    /// `None` without one.
    pub fn frame(&self) -> Option<Box<[f64]>> {
        let frame = self.decoder.frame()?;
        let at = frame.bytes().as_ptr() as usize;
        let number = self.decoder.frame_number() as f64;
        let (len, decoded_len) = (frame.bytes().len() as f64, frame.decoded_len() as f64);
        Some(Box::new([number, at as f64, len, decoded_len, frame.dtype().code().into()]))
    }

    /// Returns the decoded and the stored length of each chunk of the pending frame.
    #[wasm_bindgen(js_name = chunkLengths)]
    pub fn chunk_lengths(&self) -> Box<[f64]> {
        let Some(frame) = self.decoder.frame() else { return Box::default() };
        let lengths = frame.index().chunks().flat_map(|chunk| {
            let stored: u64 = chunk.plane_ranges().map(|range| range.end - range.start).sum();
            [chunk.len() as f64, stored as f64]
        });
        lengths.collect()
    }

    /// Plans to decode a range of the pending frame's data on a GPU, to a buffer from `offset` on.
    #[cfg(feature = "gpu")]
    pub fn plan(&self, start: f64, end: f64, offset: f64) -> Result<Vec<Batch>, Failure> {
        let Some(frame) = self.decoder.frame() else { return Ok(Vec::new()) };
        let (wanted, mut at) = (start as u64..end as u64, 0);
        let chunks = ChunkInput::of_frame(&frame, self.decoder.frame_number());
        let chunks = chunks.map(|chunk| {
            let len = chunk.chunk_len();
            let part = wanted.start.clamp(at, at + len) - at..wanted.end.clamp(at, at + len) - at;
            at += len;
            Ok(chunk.in_delta(false).part(part))
        });
        Batch::plan(chunks, offset as u64)
    }

    /// Drops the pending frame.
    #[wasm_bindgen(js_name = nextFrame)]
    pub fn next_frame(&mut self) {
        self.decoder.skip_frame();
    }

    /// Returns an error if the file must not end here.
    pub fn end(&self) -> Result<(), Failure> {
        Ok(self.decoder.finish()?)
    }
}
