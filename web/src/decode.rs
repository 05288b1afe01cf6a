//! Decompressing what is pushed.
//!
//! JavaScript copies what it pushes to where it belongs, and results from where they are: it is told
//! where in the module's memory that is. Each is then copied once.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::push::PushDecoder;

use crate::failure::Failure;
use crate::limits;

/// A [`PushDecoder`].
#[wasm_bindgen]
pub struct Decoder {
    decoder: PushDecoder,
    space_at: usize,
    chunk_at: usize,
}

#[wasm_bindgen]
impl Decoder {
    /// A decoder of a file from its first frame on; with `apart`, of frames that others have put in
    /// sequence, from the one of this number on.
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

    /// Makes space for the next bytes of the file and returns how much, at most `length`: none while
    /// a frame waits, and none behind the only frame of a file.
    pub fn space(&mut self, length: usize) -> Result<usize, Failure> {
        let space = self.decoder.buffer(length)?;
        self.space_at = space.as_ptr() as usize;
        Ok(space.len())
    }

    /// Where in memory the space is.
    #[wasm_bindgen(getter, js_name = spaceAt)]
    pub fn space_at(&self) -> usize {
        self.space_at
    }

    /// Takes what has been written to the space: its first bytes.
    pub fn advance(&mut self, length: usize) -> Result<(), Failure> {
        Ok(self.decoder.advance(length)?)
    }

    /// Decodes the next chunk of the frame that waits. Its length, or 0 if there is none.
    #[wasm_bindgen(js_name = nextChunk)]
    pub fn next_chunk(&mut self) -> Result<usize, Failure> {
        let chunk = self.decoder.next_chunk()?.unwrap_or_default();
        self.chunk_at = chunk.as_ptr() as usize;
        Ok(chunk.len())
    }

    /// Where in memory the chunk is.
    #[wasm_bindgen(getter, js_name = chunkAt)]
    pub fn chunk_at(&self) -> usize {
        self.chunk_at
    }

    /// Of the frame that waits: its number, where in memory it is, its length, what it decodes to,
    /// and the code of its type. Nothing if none waits.
    pub fn frame(&self) -> Option<Box<[f64]>> {
        let frame = self.decoder.frame()?;
        let at = frame.bytes().as_ptr() as usize;
        let number = self.decoder.frame_number() as f64;
        let (len, decoded_len) = (frame.bytes().len() as f64, frame.decoded_len() as f64);
        Some(Box::new([number, at as f64, len, decoded_len, frame.dtype().code().into()]))
    }

    /// Of every chunk of the frame that waits: what it decodes to, and what is stored of it.
    #[wasm_bindgen(js_name = chunkLengths)]
    pub fn chunk_lengths(&self) -> Box<[f64]> {
        let Some(frame) = self.decoder.frame() else { return Box::default() };
        let lengths = frame.index().chunks().flat_map(|chunk| {
            let stored: u64 = chunk.plane_ranges().map(|range| range.end - range.start).sum();
            [chunk.len() as f64, stored as f64]
        });
        lengths.collect()
    }

    /// Lets go of the frame that waits.
    #[wasm_bindgen(js_name = nextFrame)]
    pub fn next_frame(&mut self) {
        self.decoder.skip_frame();
    }

    /// Whether the file may end here.
    pub fn end(&self) -> Result<(), Failure> {
        Ok(self.decoder.finish()?)
    }
}
