//! The frames of a file in memory.

use core::fmt;

use crate::error::DecodeError;
use crate::file::walk::FrameWalk;
use crate::frame::open::OpenOptions;
use crate::frame::whole::Frame;
use crate::limits::Limits;

/// Iterates over the frames of a file in memory, in order.
///
/// If the first frame does not announce others, it is the only one, and the bytes after it are
/// ignored. The iterator ends after the first error.
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
    /// Returns the frames of `file`.
    ///
    /// A file has at least one frame, so the first item for an empty file is an error.
    pub fn new(file: &'a [u8]) -> Self {
        Self::with_limits(file, Limits::NONE)
    }

    /// Returns the frames of `file` without their annexes, as the original reads them.
    ///
    /// Nothing is verified.
    pub fn without_annexes(file: &'a [u8]) -> Self {
        Self::with_verification(file, false)
    }

    /// Returns the frames of `file`, with an error for the first frame that exceeds `limits`.
    ///
    /// The iterator rejects the same files as a streaming decoder that keeps the content of a frame
    /// in memory.
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

    /// Returns whether the file, according to the frames so far, must end with an index.
    ///
    /// Only in such a sealed file is a missing frame at the end an error. A file of a single frame
    /// is not sealed, because its header contains its length. Without annexes, no file is sealed.
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
