//! Finding parts of a file without reading all of it. JavaScript reads the bytes that are wanted.

use core::ops::Range;

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::DecodeErrorKind;
use zipnn::file::{Directory, DirectoryEntry};
use zipnn::frame::DecodeScratch;
use zipnn::seek::FramePart;

use crate::failure::Failure;
#[cfg(feature = "gpu")]
use crate::gpu::Batch;
use crate::limits;

/// A [`zipnn::seek::Seeker`].
#[wasm_bindgen]
pub struct Seeker(zipnn::seek::Seeker);

/// Returns the start and the end of a range, as JavaScript numbers.
fn range(range: Range<u64>) -> Box<[f64]> {
    Box::new([range.start as f64, range.end as f64])
}

#[wasm_bindgen]
impl Seeker {
    /// Returns a seeker for a file of this length.
    #[wasm_bindgen(constructor)]
    pub fn new(file_len: f64, decoded_bytes: f64, frame_bytes: f64, verify: bool) -> Self {
        Self(zipnn::seek::Seeker::new(file_len as u64, limits(decoded_bytes, frame_bytes, verify)))
    }

    /// Returns the range of the file that it needs next; nothing when it knows all frames.
    pub fn wanted(&self) -> Option<Box<[f64]>> {
        self.0.wanted().map(range)
    }

    /// Takes the bytes of the wanted range.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.0.feed(bytes)?)
    }

    /// Returns the decoded length of the file in bytes.
    #[wasm_bindgen(getter, js_name = decodedLength)]
    pub fn decoded_len(&self) -> f64 {
        self.0.directory().map_or(0.0, |directory| directory.decoded_len() as f64)
    }

    /// Returns the parts of frames that hold a range of the data.
    pub fn covering(&self, start: f64, end: f64) -> Result<Vec<Part>, Failure> {
        let parts = self.0.covering(start as u64..end as u64)?;
        let entries = self.0.directory().map(Directory::entries).unwrap_or_default();
        let parts = parts.map(|part| {
            let entry = entries.get(part.frame() as usize);
            let needs_whole_frame = part.wanted() == entry.map(DirectoryEntry::range);
            Part { part, needs_whole_frame, decoded: Vec::new() }
        });
        Ok(parts.collect())
    }
}

/// A [`FramePart`] and its decoded bytes.
#[wasm_bindgen]
pub struct Part {
    part: FramePart,
    needs_whole_frame: bool,
    decoded: Vec<u8>,
}

#[wasm_bindgen]
impl Part {
    /// Returns the position of the part in the decoded data.
    #[wasm_bindgen(js_name = decodedRange)]
    pub fn decoded_range(&self) -> Box<[f64]> {
        range(self.part.decoded_range())
    }

    /// Returns the number of the frame and its position in the decoded data, if the part takes all
    /// of the frame at once.
    #[wasm_bindgen(js_name = wholeFrame)]
    pub fn whole_frame(&self) -> Option<Box<[f64]>> {
        let (number, Range { start, end }) = (self.part.frame(), self.part.frame_range());
        self.needs_whole_frame.then(|| Box::from([number as f64, start as f64, end as f64]))
    }

    /// Returns the range of the file that it needs next; nothing when it can be decoded.
    pub fn wanted(&self) -> Option<Box<[f64]>> {
        self.part.wanted().map(range)
    }

    /// Takes the bytes of the wanted range, and keeps them.
    pub fn feed(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        Ok(self.part.feed(bytes)?)
    }

    /// Plans to decode the part on a GPU, to a buffer from `offset` on.
    #[cfg(feature = "gpu")]
    pub fn plan(&self, offset: f64) -> Result<Vec<Batch>, Failure> {
        Batch::plan(self.part.chunk_inputs(None)?, offset as u64)
    }

    /// Decodes the part, and returns the address and the length of the result in memory.
    pub fn decode(&mut self) -> Result<Box<[f64]>, Failure> {
        let requested = self.part.decoded_len();
        let out_of_memory = DecodeErrorKind::OutOfMemory { requested };
        let len = usize::try_from(requested).map_err(|_| out_of_memory)?;
        self.decoded.try_reserve_exact(len).map_err(|_| out_of_memory)?;
        self.decoded.resize(len, 0);
        self.part.decode_into(&mut self.decoded, &mut DecodeScratch::new())?;
        Ok(Box::new([self.decoded.as_ptr() as usize as f64, len as f64]))
    }
}
