//! The frames of a file in memory, one after another.

use core::fmt;

use crate::error::DecodeError;
use crate::file::check::FileCheck;
use crate::frame::header::Header;
use crate::frame::whole::Frame;

/// The frames of a file in memory, in order.
///
/// A file whose first frame does not say that others follow ends with that frame, whatever comes
/// behind it. After an error there are no more frames.
#[derive(Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
    number: u64,
    /// What the frames so far say of the others, where that is verified.
    sequence: Option<FileCheck>,
    is_sealed: bool,
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("number", &self.number).finish_non_exhaustive()
    }
}

impl<'a> Frames<'a> {
    /// The frames of `file`, which is never without one.
    pub fn new(file: &'a [u8]) -> Self {
        Self { rest: file, number: 0, sequence: Some(FileCheck::default()), is_sealed: false }
    }

    /// The same without their annexes, as the original sees them: nothing is verified.
    pub fn without_annexes(file: &'a [u8]) -> Self {
        Self { sequence: None, ..Self::new(file) }
    }

    pub(crate) fn with_verification(file: &'a [u8], verify: bool) -> Self {
        if verify { Self::new(file) } else { Self::without_annexes(file) }
    }

    fn read(&mut self) -> Result<Frame<'a>, DecodeError> {
        let header = match self.number {
            0 => Header::parse(self.rest)?,
            _ => Header::parse_following(self.rest)?,
        };
        let frame = Frame::parse_behind(header, self.rest)?;
        let Some(sequence) = &mut self.sequence else { return Ok(frame) };
        let frame = frame.with_annex()?;
        sequence.push(header.frame_len, header.decoded_len, frame.annex())?;
        self.is_sealed = sequence.is_sealed();
        Ok(frame)
    }

    /// Returns whether the file is sealed, as far as its frames have been read: whether it promises
    /// to end with an index, so that frames missing at its end are reported. A file of a single
    /// frame need not be, as its header gives its length. Without annexes no file is.
    ///
    /// ```
    /// use std::io::Write;
    /// use zipnn::{DType, Encoder, Options};
    /// use zipnn::file::Frames;
    ///
    /// let options = Options::new(DType::BF16);
    /// for (options, expected) in [(options, true), (options.plain(), false)] {
    ///     let mut encoder = Encoder::new(Vec::new(), options)?;
    ///     encoder.write_all(&[0; 1000])?;
    ///     let file = encoder.finish()?;
    ///     let mut frames = Frames::new(&file);
    ///     assert!(frames.by_ref().all(|frame| frame.is_ok()));
    ///     assert_eq!(frames.is_sealed(), expected);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// The error that the file ends too early, once.
    fn end(&mut self) -> Option<DecodeError> {
        let kind = self.sequence.take()?.end().err()?;
        Some(DecodeError::from(kind).in_frame(self.number))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() && self.number > 0 {
            return self.end().map(Err);
        }
        let frame = self.read().map_err(|error| error.in_frame(self.number));
        if frame.is_err() {
            self.sequence = None;
        }
        self.rest = match &frame {
            Ok(frame) if self.number > 0 || frame.index().header().streaming => {
                &self.rest[frame.index().header().frame_len as usize..]
            }
            _ => &[],
        };
        self.number += 1;
        Some(frame)
    }
}
