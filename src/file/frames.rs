//! The frames of a file in memory.

use core::fmt;

use crate::error::DecodeError;
use crate::file::walk::FrameWalk;
use crate::frame::open::OpenOptions;
use crate::frame::whole::Frame;
use crate::limits::Limits;

/// Iterates over the frames of a file in memory, in order.
///
/// A file whose first frame does not announce others ends with that frame; bytes after it are
/// ignored. After an error there are no more frames.
#[derive(Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
    walk: FrameWalk,
    has_ended: bool,
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("number", &self.walk.number()).finish_non_exhaustive()
    }
}

impl<'a> Frames<'a> {
    /// Returns the frames of `file`. A file has at least one frame, so that an empty one is an
    /// error.
    pub fn new(file: &'a [u8]) -> Self {
        Self::with_limits(file, Limits::NONE)
    }

    /// Returns the frames of `file` as the original reads them: without their annexes, so that
    /// nothing is verified.
    pub fn without_annexes(file: &'a [u8]) -> Self {
        Self::with_verification(file, false)
    }

    /// Returns the frames of `file`, each of which must be within `limits`. They refuse the same
    /// files as a streaming decoder that keeps the content of a frame in memory.
    pub fn with_limits(file: &'a [u8], limits: Limits) -> Self {
        Self { rest: file, walk: FrameWalk::new(OpenOptions::new(limits)), has_ended: false }
    }

    pub(crate) fn with_verification(file: &'a [u8], verify: bool) -> Self {
        Self::with_limits(file, Limits { verify, ..Limits::NONE })
    }

    fn read(&mut self) -> Result<Frame<'a>, DecodeError> {
        let frame = Frame::open(self.rest, &self.walk.options())?;
        self.walk.push(frame.index().header(), frame.annex())?;
        Ok(frame)
    }

    /// Returns whether the file is sealed, as far as its frames have been read: whether it promises
    /// to end with an index, so that frames missing at its end are reported. A file of a single
    /// frame need not be sealed, because its header gives its length. Without annexes, no file is
    /// sealed.
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
        self.walk.is_sealed()
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let number = self.walk.number();
        if number > 0 && (self.rest.is_empty() || !self.walk.continues()) {
            self.has_ended = true;
            return self.walk.end().err().map(Err);
        }
        let frame = self.read().map_err(|error| error.in_frame(number));
        match &frame {
            Ok(frame) => self.rest = &self.rest[frame.bytes().len()..],
            Err(_) => self.has_ended = true,
        }
        Some(frame)
    }
}
