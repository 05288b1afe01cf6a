//! Finds all damage in an archive.

use core::ops::Range;
use std::vec::Vec;

use crate::error::DecodeError;
use crate::file::seek::FramePart;
use crate::io::archive::Archive;
use crate::io::archive::error::ArchiveError;
use crate::io::archive::scratch::{Bytes, Scratch};
use crate::io::read_at::ReadAt;

/// A damaged chunk or frame of an [`Archive`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The error, with the frame and the chunk.
    pub error: DecodeError,
    /// The lost range of the decoded data: the range of the chunk, or of the whole frame.
    pub range: Range<u64>,
}

impl<S: ReadAt, B: ReadAt> Archive<S, B> {
    /// Decodes the whole file and returns all damage, or an empty list if there is none.
    ///
    /// Frames are found through the index, so damage to one frame does not hide damage to others.
    /// In an incomplete file, this decodes the available frames: [`Self::cut`] returns why the rest
    /// is missing.
    ///
    /// [`verify`](crate::verify) also detects changes to bits that no decoder uses, and takes less
    /// time, but it stops at the first error.
    ///
    /// # Errors
    ///
    /// Errors of the source and the base.
    pub fn damage(&self) -> Result<Vec<Damage>, ArchiveError> {
        self.pool.with(|scratch| {
            let mut damage = Vec::new();
            let mut at = 0;
            while at < self.available_len() {
                let parts = self.seeker.covering(at..self.available_len())?;
                let Some(part) = { parts }.next() else { break };
                at = self.check(part, scratch, &mut damage)?;
            }
            Ok(damage)
        })
    }

    /// Decodes a part. Returns the offset at which to continue: after the part, or after everything
    /// that is lost with it.
    fn check<'a>(
        &'a self,
        mut part: FramePart<Bytes<'a>>,
        scratch: &mut Scratch,
        damage: &mut Vec<Damage>,
    ) -> Result<u64, ArchiveError> {
        while let Some(wanted) = part.wanted() {
            if let Err(error) = part.feed(scratch.read(&self.source, wanted)?) {
                let range = part.frame_range();
                let end = range.end;
                damage.push(Damage { error, range });
                return Ok(end);
            }
        }
        let mut end = part.decoded_range().end;
        let (base, decode) = scratch.base(self.base.as_ref(), &part)?;
        for (error, range) in part.damage(base, decode)? {
            end = end.max(range.end);
            damage.push(Damage { error, range });
        }
        scratch.recycle(part.into_bytes());
        Ok(end)
    }
}
