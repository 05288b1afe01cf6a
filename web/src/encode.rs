//! Compressing, frame by frame.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::{DType, DecodeErrorKind, Delta, Directory, EncodeScratch, FramePosition, Options};

use crate::failure::Failure;

/// Writes the frames of a file. What it has written stays in its memory until the next call.
#[wasm_bindgen]
pub struct Encoder {
    options: Options,
    scratch: EncodeScratch,
    position: FramePosition,
    directory: Directory,
    written: Vec<u8>,
}

#[wasm_bindgen]
impl Encoder {
    /// An encoder of elements of the type with this code.
    #[wasm_bindgen(constructor)]
    pub fn new(dtype: u8, checksums: bool, index: bool) -> Result<Self, Failure> {
        let dtype = DType::from_code(dtype).ok_or(DecodeErrorKind::UnsupportedDType(dtype))?;
        Ok(Self {
            options: Options::new(dtype).checksums(checksums).index(index),
            scratch: EncodeScratch::new(),
            position: FramePosition::FIRST,
            directory: Directory::new(),
            written: Vec::new(),
        })
    }

    /// Compresses the data of the next frame, and returns the frame's length.
    pub fn frame(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let bound = zipnn::compress_bound(data.len(), &self.options);
        if self.written.len() < bound {
            self.written.resize(bound, 0);
        }
        let (options, position) = (&self.options, self.position);
        let len = zipnn::compress_frame_into(
            data,
            &mut self.written,
            options,
            position,
            &mut self.scratch,
        )
        .map_err(Failure::new)?;
        self.position = position.after(data.len() as u64);
        // The lengths of data that was in memory cannot be too long for a file.
        let _ = self.directory.push(len as u64, data.len() as u64);
        Ok(len)
    }

    /// Writes what the file ends with, and returns its length; nothing if there is to be no index.
    pub fn finish(&mut self, index: bool) -> usize {
        self.written = if index { self.directory.to_frame(Delta::None) } else { Vec::new() };
        self.written.len()
    }

    /// Where in memory the written bytes are.
    #[wasm_bindgen(getter, js_name = writtenAt)]
    pub fn written_at(&self) -> usize {
        self.written.as_ptr() as usize
    }
}
