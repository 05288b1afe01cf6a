//! What of an archive is damaged.

use core::ops::Range;
use std::io::{Read, Seek};
use std::vec::Vec;

use crate::error::DecodeError;
use crate::file::seek::FramePart;
use crate::io::archive::Archive;
use crate::io::archive::error::ArchiveError;
use crate::io::archive::source::{read_base_range, read_range};

/// Something that is wrong with an [`Archive`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What, and in which frame and chunk.
    pub error: DecodeError,
    /// Which bytes of the data cannot be had: those of the chunk, or of the frame where that is
    /// damaged as a whole.
    pub range: Range<u64>,
}

impl<S: Read + Seek, B: Read + Seek> Archive<S, B> {
    /// Decodes everything, and tells of all that is damaged; of nothing, if the data is sound. As
    /// the frames are found through the index, damage to one does not hide the others.
    ///
    /// For an incomplete file, it decodes the available frames: [`Self::cut`] returns why the rest
    /// is missing.
    ///
    /// [`verify`](crate::verify) finds more in less time: bits that no decoder looks at. But it
    /// stops at the first error.
    ///
    /// # Errors
    ///
    /// Those of the source.
    pub fn damage(&mut self) -> Result<Vec<Damage>, ArchiveError> {
        let mut damage = Vec::new();
        let mut at = 0;
        while at < self.available_len() {
            let Some(part) = self.seeker.covering(at..self.available_len())?.next() else { break };
            at = self.check(part, &mut damage)?;
        }
        Ok(damage)
    }

    /// Decodes a part, and returns where to go on: behind it, or behind what else is lost with it.
    fn check(
        &mut self,
        mut part: FramePart,
        damage: &mut Vec<Damage>,
    ) -> Result<u64, ArchiveError> {
        while let Some(wanted) = part.wanted() {
            read_range(&mut self.source, wanted.start, wanted.end - wanted.start, &mut self.bytes)?;
            if let Err(error) = part.feed(&self.bytes) {
                let range = part.frame_range();
                let end = range.end;
                damage.push(Damage { error, range });
                return Ok(end);
            }
        }
        let mut end = part.decoded_range().end;
        let base = read_base_range(self.base.as_mut(), &part, &mut self.base_part)?;
        for (error, range) in part.damage(base, &mut self.scratch)? {
            end = end.max(range.end);
            damage.push(Damage { error, range });
        }
        Ok(end)
    }
}
