//! Walking over the frames of a file from front to back.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::check::FileCheck;
use crate::frame::annex::Annex;
use crate::frame::header::Header;
#[cfg(feature = "alloc")]
use crate::frame::open::{FrameOpener, OpenedFrame};
use crate::frame::open::{Keep, OpenOptions};
use crate::limits::Limits;

/// Follows the frames of a file from front to back, for readers that do their own input.
///
/// It gives the [`OpenOptions`] of each frame, and checks what connects the frames: their order,
/// the length of all decoded data, and the index that a sealed file ends with. It reads nothing
/// itself, and needs the same memory for any number of frames.
///
/// ```
/// use std::io::{Read, Write};
/// use zipnn::file::FrameWalk;
/// use zipnn::frame::{FrameOpener, HEADER_LEN};
/// use zipnn::{DType, Encoder, Limits, Options};
///
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::BF16))?;
/// encoder.write_all(&[7; 1000])?;
/// let file = encoder.finish()?;
///
/// let mut rest = &file[..];
/// let mut walk = FrameWalk::new(Limits::default());
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
    /// For the first frame.
    options: OpenOptions,
    number: u64,
    decoded_len: u64,
    continues: bool,
    check: Check,
}

/// What is checked across frames.
#[derive(Debug, Clone)]
enum Check {
    Nothing,
    File(FileCheck),
    Salvage(Seal),
}

/// Whether the index has been read that a sealed file ends with. Counts for files that are
/// salvaged, whose frames may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seal {
    /// The file is not sealed.
    None,
    /// The file is sealed, and its index has not been read.
    Promised,
    /// The last frame holds the index.
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
    /// Returns a walk that begins with the first frame of a file. Nothing across frames is checked
    /// but the limits unless [`Limits::verify`] is set.
    pub fn new(limits: Limits) -> Self {
        let check = if limits.verify { Check::File(FileCheck::default()) } else { Check::Nothing };
        Self { check, ..Self::starting_at(0, limits) }
    }

    /// Returns a walk that begins with frame `number` of a file. Each frame is verified by itself:
    /// the caller makes sure that they follow one another.
    pub fn starting_at(number: u64, limits: Limits) -> Self {
        Self {
            options: OpenOptions::new(limits),
            number,
            decoded_len: 0,
            continues: true,
            check: Check::Nothing,
        }
    }

    /// Returns a walk over a file that may be damaged, in which [`Self::skip`] passes over frames
    /// that cannot be opened. A damaged annex is ignored, and so is [`Limits::verify`].
    pub fn salvaging(limits: Limits) -> Self {
        let walk = Self::starting_at(0, limits);
        Self { options: walk.options.salvage(), check: Check::Salvage(Seal::None), ..walk }
    }

    /// Sets how much of a frame is held in memory.
    #[must_use]
    pub fn keep(self, keep: Keep) -> Self {
        Self { options: self.options.keep(keep), ..self }
    }

    /// Sets whether the file must hold a difference, or must not.
    #[must_use]
    pub fn delta(self, expected: bool) -> Self {
        Self { options: self.options.delta(expected), ..self }
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

    /// Returns whether another frame may follow; `false` after the only frame of a file. Bytes
    /// behind that frame do not belong to the file.
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// Returns whether the file is sealed, as far as its frames have been opened: whether it
    /// promises to end with an index, so that [`Self::end`] reports frames missing at its end.
    pub fn is_sealed(&self) -> bool {
        match &self.check {
            Check::Nothing => false,
            Check::File(check) => check.is_sealed(),
            Check::Salvage(seal) => *seal != Seal::None,
        }
    }

    /// Opens the next frame, for which `opener` has been fed, and checks that it follows the frames
    /// before it.
    ///
    /// # Errors
    ///
    /// With the number of the frame: as [`FrameOpener::finish`], and `FooterMissing`,
    /// `FrameOutOfPlace`, `ChecksumMissing`, `SealMissing`, `IndexMismatch`.
    #[cfg(feature = "alloc")]
    pub fn open(&mut self, opener: FrameOpener) -> Result<OpenedFrame, DecodeError> {
        let number = self.number;
        self.try_open(opener).map_err(|error| error.in_frame(number))
    }

    #[cfg(feature = "alloc")]
    fn try_open(&mut self, opener: FrameOpener) -> Result<OpenedFrame, DecodeError> {
        let annex = opener.annex()?;
        if let Check::Salvage(seal) = &mut self.check {
            *seal = seal.after(Annex::parse(opener.slack()));
        }
        if let Some(header) = opener.header() {
            self.push(&header, &annex)?;
        }
        opener.finish()
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

    /// Passes over a frame that cannot be opened and should decode to `decoded_len` bytes. Returns
    /// `None` if no file is that long.
    pub fn skip(&mut self, decoded_len: u64) -> Option<()> {
        self.number = self.number.saturating_add(1);
        self.decoded_len = self.decoded_len.checked_add(decoded_len)?;
        Some(())
    }

    /// Checks that the file may end here.
    ///
    /// # Errors
    ///
    /// With the number of the missing frame: `FooterMissing` if the file has promised an index.
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
