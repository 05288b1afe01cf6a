//! Decompressing what is pushed.
//!
//! Results stay in the module's memory: JavaScript is told where, and copies them to where they
//! belong. That spares a copy.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::Assembler;

use crate::failure::Failure;
use crate::limits;

/// An [`Assembler`].
#[wasm_bindgen]
pub struct Decoder {
    assembler: Assembler,
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
        let assembler = match apart {
            false => Assembler::new(limits),
            true => Assembler::starting_at(frame_number as u64, limits),
        };
        Self { assembler, chunk_at: 0 }
    }

    /// Takes the next bytes of the file and returns how many: none while a frame waits.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        Ok(self.assembler.push(bytes)?)
    }

    /// Decodes the next chunk of the frame that waits. Its length, or 0 if there is none.
    #[wasm_bindgen(js_name = nextChunk)]
    pub fn next_chunk(&mut self) -> Result<usize, Failure> {
        let chunk = self.assembler.next_chunk()?.unwrap_or_default();
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
        let frame = self.assembler.frame()?;
        let at = frame.bytes().as_ptr() as usize;
        let number = self.assembler.frame_number() as f64;
        let (len, decoded_len) = (frame.bytes().len() as f64, frame.decoded_len() as f64);
        Some(Box::new([number, at as f64, len, decoded_len, frame.dtype().code().into()]))
    }

    /// Of every chunk of the frame that waits: what it decodes to, and what is stored of it.
    #[wasm_bindgen(js_name = chunkLengths)]
    pub fn chunk_lengths(&self) -> Box<[f64]> {
        let Some(frame) = self.assembler.frame() else { return Box::default() };
        let lengths = frame.index().chunks().flat_map(|chunk| {
            let stored: u64 = chunk.plane_ranges().map(|range| range.end - range.start).sum();
            [chunk.len() as f64, stored as f64]
        });
        lengths.collect()
    }

    /// Lets go of the frame that waits.
    #[wasm_bindgen(js_name = nextFrame)]
    pub fn next_frame(&mut self) {
        self.assembler.next_frame();
    }

    /// Whether the file may end here.
    pub fn end(&self) -> Result<(), Failure> {
        Ok(self.assembler.end()?)
    }
}
