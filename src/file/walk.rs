//! Follows the frames of a file from front to back.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::check::FileCheck;
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::open::OpenOptions;
#[cfg(feature = "alloc")]
use crate::frame::open::{FrameOpener, OpenedFrame};

/// Follows the frames of a file from front to back, for readers that do their own input.
///
/// It returns the [`OpenOptions`] for each frame, and checks that the frames belong together: their
/// order, the total decoded length, and the index at the end of a sealed file. It performs no
/// input, and needs the same amount of memory for any number of frames.
///
/// ```
/// use std::io::{Read, Write};
/// use zipnn::file::FrameWalk;
/// use zipnn::frame::{FrameOpener, OpenOptions};
/// use zipnn::{DType, Encoder, Limits, Options};
///
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::BF16))?;
/// encoder.write_all(&[7; 1000])?;
/// let file = encoder.finish()?;
///
/// let mut rest = &file[..];
/// let mut walk = FrameWalk::new(OpenOptions::new(Limits::default()));
/// let mut decoded_len = 0;
/// while walk.continues() && !rest.is_empty() {
///     let mut opener = FrameOpener::new(walk.options());
///     while let Some(range) = opener.wanted() {
///         opener.feed(&rest[range.start as usize..range.end as usize])?;
///     }
///     let frame = walk.open(opener)?;
///     decoded_len += frame.header().decoded_len;
///     rest = &rest[frame.header().frame_len as usize..];
/// }
/// walk.end()?;
/// assert_eq!(decoded_len, 1000);
/// assert!(walk.is_sealed());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FrameWalk {
    /// The options for the first frame.
    options: OpenOptions,
    number: u64,
    decoded_len: u64,
    continues: bool,
    check: Check,
}

/// The checks across frames.
#[derive(Debug, Clone)]
enum Check {
    Nothing,
    File(FileCheck),
    Salvage(Seal),
}

/// Whether the index at the end of a sealed file has been read.
///
/// This is the only check across frames of a salvaged file, because frames may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seal {
    /// The file is not sealed.
    None,
    /// The file is sealed, and its index has not been read.
    Promised,
    /// The last frame contains the index.
    Kept,
}

impl Seal {
    /// Returns the state after a frame with this annex. A malformed annex counts as the index,
    /// because the data before it is complete.
    fn after(self, annex: Result<Annex<'_>, DecodeErrorKind>) -> Self {
        let is_end = annex.as_ref().map_or(true, |annex| annex.footer().is_some());
        let is_promised = annex.is_ok_and(|annex| annex.is_sealed()) || self != Self::None;
        match (is_promised, is_end) {
            (false, _) => Self::None,
            (true, false) => Self::Promised,
            (true, true) => Self::Kept,
        }
    }
}

impl FrameWalk {
    /// Creates a walk that begins with the first frame of a file, which `options` apply to.
    ///
    /// The walk checks that the frames belong together if [`Limits::verify`](crate::Limits) is set.
    /// With [`OpenOptions::salvage`], the file may be damaged: call [`Self::skip`] for frames that
    /// cannot be opened.
    pub fn new(options: OpenOptions) -> Self {
        let check = match options {
            _ if options.is_salvaging() => Check::Salvage(Seal::None),
            _ if options.verifies() => Check::File(FileCheck::default()),
            _ => Check::Nothing,
        };
        Self { check, ..Self::starting_at(0, options) }
    }

    /// Creates a walk that begins with frame `number` of a file.
    ///
    /// Each frame is verified separately. The caller ensures that they follow one another.
    pub fn starting_at(number: u64, options: OpenOptions) -> Self {
        Self { options, number, decoded_len: 0, continues: true, check: Check::Nothing }
    }

    /// Returns the options to open the next frame with.
    pub fn options(&self) -> OpenOptions {
        match self.number {
            0 => self.options,
            _ => self.options.following(self.decoded_len),
        }
    }

    /// Returns the number of the next frame, counted from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the decoded length of all frames so far, in bytes.
    pub fn decoded_len(&self) -> u64 {
        self.decoded_len
    }

    /// Returns whether another frame may follow; `false` after the only frame of a file.
    ///
    /// Bytes after that frame do not belong to the file.
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// Returns whether the file, according to the frames so far, must end with an index.
    ///
    /// Only in such a sealed file, [`Self::end`] detects that frames at the end are missing.
    pub fn is_sealed(&self) -> bool {
        match &self.check {
            Check::Nothing => false,
            Check::File(check) => check.is_sealed(),
            Check::Salvage(seal) => *seal != Seal::None,
        }
    }

    /// Opens the next frame from `opener`, and checks that it follows the frames before it.
    ///
    /// The caller has fed the bytes of the frame to `opener`.
    ///
    /// # Errors
    ///
    /// The errors of [`FrameOpener::finish`]; `FooterMissing`, `FrameOutOfPlace`,
    /// `ChecksumMissing`, `SealMissing`, `IndexMismatch`. All errors contain the number of the
    /// frame.
    #[cfg(feature = "alloc")]
    pub fn open(&mut self, opener: FrameOpener) -> Result<OpenedFrame, DecodeError> {
        let number = self.number;
        if let Check::Salvage(seal) = &mut self.check {
            *seal = seal.after(Annex::parse(opener.slack()));
        }
        opener
            .finish_with(|header, annex| self.push(header, annex))
            .map_err(|error| error.in_frame(number))
    }

    /// Checks that the next frame follows the frames before it.
    pub(crate) fn push(
        &mut self,
        header: &Header,
        annex: &Annex<'_>,
    ) -> Result<(), DecodeErrorKind> {
        if let Check::File(check) = &mut self.check {
            check.push(header.frame_len, header.decoded_len, annex)?;
        }
        if self.number == 0 {
            self.continues = header.streaming;
        }
        self.number = self.number.saturating_add(1);
        self.decoded_len = self.decoded_len.saturating_add(header.decoded_len);
        Ok(())
    }

    /// Skips a frame that cannot be opened and that should decode to `decoded_len` bytes.
    ///
    /// Returns `None` if the total decoded length exceeds `u64::MAX`.
    pub fn skip(&mut self, decoded_len: u64) -> Option<()> {
        self.number = self.number.saturating_add(1);
        self.decoded_len = self.decoded_len.checked_add(decoded_len)?;
        Some(())
    }

    /// Checks that the file may end here.
    ///
    /// # Errors
    ///
    /// `FooterMissing`, with the number of the missing frame, if the file must end with an index
    /// that has not been read.
    pub fn end(&self) -> Result<(), DecodeError> {
        let result = match &self.check {
            Check::Nothing => Ok(()),
            Check::File(check) => check.end(),
            Check::Salvage(Seal::Promised) => Err(DecodeErrorKind::FooterMissing),
            Check::Salvage(_) => Ok(()),
        };
        result.map_err(|kind| DecodeError::from(kind).in_frame(self.number))
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::base::Delta;
    use crate::chunk::encode::EncodeScratch;
    use crate::dtype::DType;
    use crate::file::index::Directory;
    use crate::frame::write::body::append_frame;
    use crate::frame::write::envelope::{Envelope, FramePosition};
    use crate::limits::Limits;
    use crate::options::Options;

    /// Returns frames of 1000 bytes of data each, and a last frame with the index.
    fn frames(count: usize) -> Vec<Vec<u8>> {
        let options = Options::new(DType::BF16).checksums(true);
        let mut scratch = EncodeScratch::new();
        let mut position = FramePosition::FIRST;
        let mut directory = Directory::new();
        let mut frames = Vec::new();
        for number in 0..count {
            let data = [number as u8; 1000];
            let mut frame = Vec::new();
            let envelope = Envelope::streaming(position, None);
            append_frame(&data, &mut frame, &options, &envelope, &mut scratch).unwrap();
            directory.push(frame.len() as u64, data.len() as u64).unwrap();
            frames.push(frame);
            position = position.after(data.len() as u64);
        }
        frames.push(directory.to_frame(Delta::None));
        frames
    }

    fn open(walk: &mut FrameWalk, frame: &[u8]) -> Result<OpenedFrame, DecodeError> {
        let mut opener = FrameOpener::new(walk.options());
        while let Some(range) = opener.wanted() {
            let at = |offset: u64| frame.len().min(offset as usize);
            opener.feed(&frame[at(range.start)..at(range.end)])?;
        }
        walk.open(opener)
    }

    #[test]
    fn frames_are_counted_and_connected() {
        let frames = frames(2);
        let mut walk = FrameWalk::new(OpenOptions::new(Limits::default()));
        for (number, frame) in (0..).zip(&frames) {
            assert_eq!(walk.number(), number);
            assert!(walk.continues());
            open(&mut walk, frame).unwrap();
        }
        assert_eq!(walk.decoded_len(), 2000);
        assert!(walk.is_sealed());
        walk.end().unwrap();
    }

    #[test]
    fn a_missing_or_misplaced_frame_is_reported() {
        let frames = frames(3);
        let mut walk = FrameWalk::new(OpenOptions::new(Limits::default()));
        open(&mut walk, &frames[0]).unwrap();
        let missing = DecodeError::from(DecodeErrorKind::FooterMissing).in_frame(1);
        assert_eq!(walk.end().unwrap_err(), missing);
        let error = open(&mut walk, &frames[2]).unwrap_err();
        let kind = DecodeErrorKind::FrameOutOfPlace { expected: 1000, found: 2000 };
        assert_eq!(error, DecodeError::from(kind).in_frame(1));
        // A walk from the middle of a file does not check the frames before.
        let mut walk = FrameWalk::starting_at(2, OpenOptions::new(Limits::default()));
        open(&mut walk, &frames[2]).unwrap();
        walk.end().unwrap();
    }

    #[test]
    fn the_limit_on_decoded_data_counts_all_frames() {
        let frames = frames(2);
        let limits = Limits { decoded_bytes: 1999, ..Limits::default() };
        let mut walk = FrameWalk::new(OpenOptions::new(limits));
        open(&mut walk, &frames[0]).unwrap();
        let kind = DecodeErrorKind::LimitExceeded { requested: 2000, limit: 1999 };
        assert_eq!(open(&mut walk, &frames[1]).unwrap_err().kind(), kind);
    }

    #[test]
    fn lost_frames_of_a_salvaged_file_are_skipped() {
        let frames = frames(3);
        let mut walk = FrameWalk::new(OpenOptions::new(Limits::default()).salvage());
        open(&mut walk, &frames[0]).unwrap();
        walk.skip(1000).unwrap();
        assert!(walk.is_sealed());
        assert_eq!(walk.end().unwrap_err().kind(), DecodeErrorKind::FooterMissing);
        for frame in &frames[2..] {
            open(&mut walk, frame).unwrap();
        }
        assert_eq!(walk.decoded_len(), 3000);
        walk.end().unwrap();
        assert_eq!(walk.skip(u64::MAX), None);
    }
}
