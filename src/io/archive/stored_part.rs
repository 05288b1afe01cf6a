//! Parts of a file that are read and not decoded, for decoders on a GPU.

use core::ops::Range;

use crate::error::DecodeError;
use crate::file::seek::FramePart;
use crate::gpu::ChunkInput;
use crate::io::archive::Archive;
use crate::io::archive::error::ArchiveError;
use crate::io::archive::scratch::{Bytes, Scratch};
use crate::io::read_at::ReadAt;

/// A part of a frame whose stored bytes have been read, with its part of the base.
///
/// [`Archive::stored_parts`] returns it.
pub struct StoredPart<'s> {
    part: FramePart<Bytes<'s>>,
    base: Option<Bytes<'s>>,
}

impl core::fmt::Debug for StoredPart<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("StoredPart").field(&self.part).finish()
    }
}

impl StoredPart<'_> {
    /// Returns the decoded length in bytes.
    pub fn decoded_len(&self) -> u64 {
        self.part.decoded_len()
    }

    /// Returns the chunks that contain the part, for a [`Plan`](crate::gpu::Plan).
    ///
    /// # Errors
    ///
    /// The errors of the frame's index.
    pub fn chunk_inputs(
        &self,
    ) -> Result<impl Iterator<Item = Result<ChunkInput<'_>, DecodeError>>, DecodeError> {
        self.part.chunk_inputs(self.base.as_ref().map(AsRef::as_ref))
    }
}

impl<S: ReadAt, B: ReadAt> Archive<S, B> {
    /// Returns the parts of frames that contain a range of the data, with their stored bytes.
    ///
    /// The iterator reads each part when it is requested. It borrows the bytes of a source in memory.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the range exceeds the data. The iterator returns the errors of reading.
    pub fn stored_parts(
        &self,
        range: Range<u64>,
    ) -> Result<impl Iterator<Item = Result<StoredPart<'_>, ArchiveError>>, ArchiveError> {
        let mut scratch = Scratch::default();
        let parts = self.seeker.covering::<Bytes<'_>>(range)?;
        Ok(parts.map(move |mut part| {
            scratch.fill(&self.source, &mut part)?;
            let base = match (&self.base, part.base_range()) {
                (Some(base), Some(range)) => Some(scratch.read(base, range)?),
                _ => None,
            };
            Ok(StoredPart { part, base })
        }))
    }
}
