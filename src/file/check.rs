//! Checks that the frames of a file belong together.
//!
//! The checks cover the order of the frames, and the index that a sealed file must end with.

use crate::checksum;
use crate::error::DecodeErrorKind;
use crate::format::INDEX_ENTRY_LEN;
use crate::frame::annex::{self, Annex};

/// Checks the frames of a file as they are read from front to back.
///
/// It needs the same amount of memory for any number of frames.
///
/// Concatenated files are parts of one file, each with its own footer. Offsets in a part count from
/// the beginning of the part.
#[derive(Debug, Clone, Default)]
pub struct FileCheck {
    part: Part,
    /// Whether a frame has been pushed.
    has_begun: bool,
    /// Whether any part has not announced a footer.
    is_unsealed: bool,
}

/// The frames of a part so far.
#[derive(Debug, Clone, Default)]
struct Part {
    is_sealed: bool,
    /// Whether the footer of the part has been read.
    is_complete: bool,
    /// Whether the frames of the part have frame checksums. `None` before the first frame.
    frame_checksums: Option<bool>,
    /// Whether its frames with data have checksums of chunks. `None` before the first such frame.
    checksums: Option<bool>,
    frames: u64,
    stored_len: u64,
    decoded_len: u64,
    /// A checksum of the expected index.
    index: Chain,
}

/// A checksum of the entries of an index, updated one entry at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Chain(u64);

impl Chain {
    fn push(&mut self, entry: &[u8; INDEX_ENTRY_LEN]) {
        let mut link = [0; INDEX_ENTRY_LEN + size_of::<u64>()];
        link[..INDEX_ENTRY_LEN].copy_from_slice(entry);
        link[INDEX_ENTRY_LEN..].copy_from_slice(&self.0.to_le_bytes());
        self.0 = checksum::checksum(&link);
    }
}

/// Returns an entry of an index as bytes.
pub(crate) fn entry_bytes(numbers: [u64; 4]) -> [u8; INDEX_ENTRY_LEN] {
    let mut bytes = [0; INDEX_ENTRY_LEN];
    for (bytes, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
        *bytes = number.to_le_bytes();
    }
    bytes
}

impl FileCheck {
    /// Checks the next frame of the file.
    ///
    /// # Errors
    ///
    /// `FooterMissing` if the frame begins a new part before the last part is complete;
    /// `FrameOutOfPlace`; `ChecksumMissing`; `SealMissing`; `IndexMismatch` if the frame contains a
    /// footer, and an index is missing or does not match the frames.
    pub fn push(
        &mut self,
        frame_len: u64,
        decoded_len: u64,
        annex: &Annex<'_>,
    ) -> Result<(), DecodeErrorKind> {
        if !self.has_begun || annex.is_sealed() || self.part.is_complete {
            self.end()?;
            self.is_unsealed |= !annex.is_sealed();
            self.part = Part { is_sealed: annex.is_sealed(), ..Part::default() };
            self.has_begun = true;
        }
        self.part.push(frame_len, decoded_len, annex)
    }

    /// Returns whether every part so far has announced that it ends with an index.
    ///
    /// [`Self::end`] detects missing frames at the end only in such a sealed file.
    pub fn is_sealed(&self) -> bool {
        self.has_begun && !self.is_unsealed
    }

    /// Checks that the file may end here.
    ///
    /// # Errors
    ///
    /// `FooterMissing` if the last part has announced a footer and does not have one.
    pub fn end(&self) -> Result<(), DecodeErrorKind> {
        if self.part.is_sealed && !self.part.is_complete {
            return Err(DecodeErrorKind::FooterMissing);
        }
        Ok(())
    }
}

impl Part {
    fn push(
        &mut self,
        frame_len: u64,
        decoded_len: u64,
        annex: &Annex<'_>,
    ) -> Result<(), DecodeErrorKind> {
        self.check_kinds(decoded_len, annex)?;
        if let Some(checksum) = annex.frame_checksum()
            && checksum.decoded_offset != self.decoded_len
        {
            let (expected, found) = (self.decoded_len, checksum.decoded_offset);
            return Err(DecodeErrorKind::FrameOutOfPlace { expected, found });
        }
        let start = self.stored_len;
        self.index.push(&entry_bytes([start, frame_len, self.decoded_len, decoded_len]));
        self.frames += 1;
        self.stored_len = self.stored_len.saturating_add(frame_len);
        self.decoded_len = self.decoded_len.saturating_add(decoded_len);
        if let Some(footer) = annex.footer() {
            if !self.is_sealed {
                return Err(DecodeErrorKind::SealMissing);
            }
            let index = annex.index().ok_or(DecodeErrorKind::IndexMismatch)?;
            let index_at = self.stored_len - index.from_end as u64;
            let is_found = footer.last_frame == start && footer.index == index_at;
            if !is_found || !self.is_index(index.body, footer.index_checksum) {
                return Err(DecodeErrorKind::IndexMismatch);
            }
            self.is_complete = true;
        }
        Ok(())
    }

    /// Checks that all frames of a sealed part have the same kinds of checksums.
    ///
    /// A writer adds each kind to all frames or to none, so a difference means that a frame is
    /// damaged.
    fn check_kinds(&mut self, decoded_len: u64, annex: &Annex<'_>) -> Result<(), DecodeErrorKind> {
        if !self.is_sealed {
            return Ok(());
        }
        let (of_frame, of_chunks) = (annex.frame_checksum().is_some(), annex.has_checksums());
        let is_alike = *self.frame_checksums.get_or_insert(of_frame) == of_frame
            && (decoded_len == 0 || *self.checksums.get_or_insert(of_chunks) == of_chunks);
        if is_alike { Ok(()) } else { Err(DecodeErrorKind::ChecksumMissing) }
    }

    /// Returns whether an index lists exactly the frames so far and has the expected checksum.
    fn is_index(&self, body: &[u8], expected: u64) -> bool {
        let Some(entries) = annex::index_entries(body) else { return false };
        let mut chain = Chain::default();
        entries.iter().for_each(|entry| chain.push(entry));
        entries.len() as u64 == self.frames
            && chain == self.index
            && checksum::matches(body, expected)
    }
}
