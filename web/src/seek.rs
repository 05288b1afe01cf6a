//! Finding parts of a file by reading little of it. What is wanted is read in JavaScript.

use core::ops::Range;

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::DecodeErrorKind;
use zipnn::file::{Directory, DirectoryEntry};
use zipnn::frame::DecodeScratch;
use zipnn::seek::FramePart;

use crate::failure::Failure;
use crate::limits;

/// A [`zipnn::seek::Seeker`].
#[wasm_bindgen]
pub struct Seeker(zipnn::seek::Seeker);

/// A range of bytes as JavaScript gets it: where it begins and ends.
fn range(range: Range<u64>) -> Box<[f64]> {
    Box::new([range.start as f64, range.end as f64])
}

#[wasm_bindgen]
impl Seeker {
    /// One of a file of so many bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(file_len: f64, decoded_bytes: f64, frame_bytes: f64, verify: bool) -> Self {
        Self(zipnn::seek::Seeker::new(file_len as u64, limits(decoded_bytes, frame_bytes, verify)))
    }

    /// Which bytes of the file it needs next; nothing when it knows all frames.
    pub fn wanted(&self) -> Option<Box<[f64]>> {
        self.0.wanted().map(range)
    }

    /// Takes those bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.0.feed(bytes)?)
    }

    /// Bytes that the file decodes to.
    #[wasm_bindgen(getter, js_name = decodedLength)]
    pub fn decoded_len(&self) -> f64 {
        self.0.directory().map_or(0.0, |directory| directory.decoded_len() as f64)
    }

    /// The parts of frames that hold a range of the data.
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

/// A [`FramePart`], and what it decodes to.
#[wasm_bindgen]
pub struct Part {
    part: FramePart,
    needs_whole_frame: bool,
    decoded: Vec<u8>,
}

#[wasm_bindgen]
impl Part {
    /// Which of the file's decoded bytes it is.
    #[wasm_bindgen(js_name = decodedRange)]
    pub fn decoded_range(&self) -> Box<[f64]> {
        range(self.part.decoded_range())
    }

    /// If it is fed all of its frame at once: the number of that, and which of the file's decoded
    /// bytes it holds.
    #[wasm_bindgen(js_name = wholeFrame)]
    pub fn whole_frame(&self) -> Option<Box<[f64]>> {
        let (number, Range { start, end }) = (self.part.frame(), self.part.frame_range());
        self.needs_whole_frame.then(|| Box::from([number as f64, start as f64, end as f64]))
    }

    /// Which bytes of the file it needs next; nothing when it can be decoded.
    pub fn wanted(&self) -> Option<Box<[f64]>> {
        self.part.wanted().map(range)
    }

    /// Takes those bytes.
    pub fn feed(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        Ok(self.part.feed(bytes)?)
    }

    /// Decodes it, and returns where in memory the result is, and how long.
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
