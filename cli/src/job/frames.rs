//! The frames of a compressed file: reads headers and indexes first, and payloads as needed.

use std::ops::Range;

use zipnn::delta::Delta;
use zipnn::file::{Directory, DirectoryEntry, FrameWalk};
use zipnn::frame::{FrameIndex, FrameOpener, HEADER_LEN, Header, Keep, OpenOptions, OpenedFrame};
use zipnn::{DecodeError, DecodeErrorKind, Limits, legacy};

use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::report::failure::Failure;

/// The frames of a file.
pub struct Frames {
    input: Input,
    walk: FrameWalk,
    /// Whether damage is ignored, and nothing is verified.
    is_salvaging: bool,
    /// The header of the first frame, which applies to the file.
    first: Header,
    /// The range of the open frame in the file.
    range: Range<u64>,
    /// The number of bytes after the only frame of a file.
    trailing_len: u64,
    /// The payload of the open frame, if the input cannot seek.
    payload: Option<Vec<u8>>,
    /// The positions of all frames, if they are known before the frames are read.
    directory: Option<Directory>,
    /// The header of a frame that is being opened.
    opening: Option<Header>,
}

/// The next part of a file during salvage.
pub enum Next {
    /// A frame of which at least some chunks may be readable.
    Frame(Box<OpenFrame>),
    /// An unreadable frame: its decoded length, and the reason.
    Lost(u64, DecodeError),
    /// The end of the file, or the reason why no further frame can be found.
    End(Option<DecodeError>),
}

/// A compressed file, by its layout.
pub enum Opened {
    /// A file of frames in the current layout.
    Frames(Box<Frames>),
    /// All bytes of a file in an old layout, which is decoded as a whole.
    Whole(Vec<u8>),
}

impl Opened {
    /// Reads the first header. `limits` without `verify` open a file for salvage.
    pub fn new(mut input: Input, limits: Limits) -> Result<Self, Failure> {
        let mut bytes = read(&mut input, HEADER_LEN as u64, Vec::new())?;
        let first = match Header::parse(&bytes) {
            Err(DecodeErrorKind::UnsupportedVersion(_)) => {
                return Ok(Self::Whole(read(&mut input, u64::MAX, bytes)?));
            }
            Err(kind) => {
                return Err(Failure::decoding(
                    input.endpoint(),
                    DecodeError::from(kind).in_frame(0),
                ));
            }
            Ok(first) => first,
        };
        if legacy::may_be_legacy(&first) {
            bytes = read(&mut input, u64::MAX, bytes)?;
            if legacy::is_legacy(&bytes) {
                return Ok(Self::Whole(bytes));
            }
        }
        input.rewind(bytes).map_err(|error| input.failure(error))?;
        Ok(Self::Frames(Box::new(Frames::new(input, first, limits))))
    }

    /// Returns whether the file holds a difference.
    pub fn is_delta(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.first.delta != Delta::None,
            Self::Whole(file) => legacy::is_delta(file),
        }
    }
}

/// Appends up to `len` bytes of the input to `bytes`.
fn read(input: &mut Input, len: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    input.read_up_to(len, &mut bytes).map_err(|error| input.failure(error))?;
    Ok(bytes)
}

/// A frame whose index and annex have been read.
pub struct OpenFrame {
    /// Its number in the file.
    pub number: u64,
    /// Everything but its payload.
    pub opened: OpenedFrame,
}

impl OpenFrame {
    /// Returns the index.
    pub fn index(&self) -> FrameIndex<'_> {
        self.opened.index()
    }
}

impl Frames {
    /// Returns the frames of a file whose first header has been read and put back.
    fn new(input: Input, first: Header, limits: Limits) -> Self {
        let keep = if input.is_seekable() { Keep::Index } else { Keep::Content };
        let options = OpenOptions::new(limits).keep(keep);
        Self {
            input,
            walk: FrameWalk::new(if limits.verify { options } else { options.salvage() }),
            is_salvaging: !limits.verify,
            first,
            range: 0..0,
            trailing_len: 0,
            payload: None,
            directory: None,
            opening: None,
        }
    }

    /// Returns the header of the first frame.
    pub fn first(&self) -> &Header {
        &self.first
    }

    /// Returns the name of the file.
    pub fn endpoint(&self) -> &Endpoint {
        self.input.endpoint()
    }

    /// Returns the length of the file, if it is known.
    pub fn file_len(&self) -> Option<u64> {
        self.input.len()
    }

    /// Returns the offset up to which the file has been read.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Returns the number of bytes after the only frame of a file.
    ///
    /// It is known once [`next`](Self::next) has returned `None`. In other files, every byte
    /// belongs to a frame.
    pub fn trailing_len(&self) -> u64 {
        self.trailing_len
    }

    /// Returns whether the part of the file that has been read states that an index follows; `None`
    /// for a single frame, whose header states its length.
    pub fn is_sealed(&self) -> Option<bool> {
        self.first.streaming.then_some(self.walk.is_sealed())
    }

    /// Returns the decoded length of the file, if the first header states it.
    pub fn known_decoded_len(&self) -> Option<u64> {
        (!self.first.streaming).then_some(self.first.decoded_len)
    }

    /// Returns whether damage is ignored, and nothing is verified.
    pub fn is_salvaging(&self) -> bool {
        self.is_salvaging
    }

    /// Opens the next frame; `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<OpenFrame>, Failure> {
        let number = self.walk.number();
        self.try_next().map_err(|fault| self.failure(fault, number))
    }

    /// Sets the positions of all frames, which then replace the lengths in damaged headers.
    pub fn use_directory(&mut self, directory: Directory) {
        self.directory = Some(directory);
    }

    /// Opens the next frame during salvage. Returns an error only if reading fails.
    pub fn next_salvaged(&mut self) -> Result<Next, Failure> {
        let number = self.walk.number();
        match self.try_next() {
            Ok(Some(frame)) => Ok(Next::Frame(Box::new(frame))),
            Ok(None) => Ok(Next::End(None)),
            Err(Fault::Io(error)) => Err(self.input.failure(error)),
            Err(Fault::Decode(error)) => {
                let error = in_frame(error, number);
                Ok(self.skip_frame().map_or(Next::End(Some(error)), |len| Next::Lost(len, error)))
            }
        }
    }

    /// Skips a frame that cannot be opened, and returns its decoded length; `None` if its length is
    /// unknown.
    fn skip_frame(&mut self) -> Option<u64> {
        let header = self.opening.take();
        let decoded_len = match self.entry() {
            Some(entry) => {
                self.range = entry.range();
                entry.decoded_len
            }
            None => header.filter(|_| self.first.streaming)?.decoded_len,
        };
        self.walk.skip(decoded_len)?;
        Some(decoded_len)
    }

    /// Returns the entry of the next frame in the directory, if there is a directory.
    fn entry(&self) -> Option<DirectoryEntry> {
        let number = usize::try_from(self.walk.number()).ok()?;
        self.directory.as_ref()?.entries().get(number).copied()
    }

    fn try_next(&mut self) -> Result<Option<OpenFrame>, Fault> {
        self.payload = None;
        self.opening = None;
        let Some(header) = self.next_header()? else { return Ok(None) };
        let options = self.walk.options();
        let mut opener = FrameOpener::new(match self.entry() {
            Some(entry) => options.lengths(entry.len, entry.decoded_len),
            None => options,
        });
        opener.feed(&header)?;
        if let Some(header) = opener.header() {
            self.range = self.frame_range(header)?;
            self.opening = Some(*header);
        }
        while let Some(wanted) = opener.wanted() {
            if let Some(index) = opener.index() {
                self.hold_payload(&index)?;
            }
            self.input.go_to(self.range.start + wanted.start)?;
            let input = &mut self.input;
            opener.fill(|bytes, len| input.read_up_to(len, bytes).map(drop).map_err(Fault::Io))?;
        }
        let number = self.walk.number();
        let opened = self.walk.open(opener)?;
        self.opening = None;
        Ok(Some(OpenFrame { number, opened }))
    }

    /// Returns the range of the next frame in the file. Returns an error if the file ends before,
    /// except during salvage.
    fn frame_range(&self, header: &Header) -> Result<Range<u64>, Fault> {
        let start = self.range.start;
        let end = start.checked_add(header.frame_len).ok_or(DecodeErrorKind::InvalidLength)?;
        match self.input.len() {
            Some(file_len) if file_len < end && !self.is_salvaging => {
                Err(truncated(header.frame_len, file_len - start))
            }
            _ => Ok(start..end),
        }
    }

    /// Reads the header of the next frame; `None` at the end of the file.
    fn next_header(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let number = self.walk.number();
        let Range { start, end } = self.range;
        let reached = self.input.go_to(end)?;
        if reached < end {
            // The previous frame is incomplete, so the directory does not match the file.
            self.directory = None;
            let (needed, have) = (end - start, reached.saturating_sub(start));
            let error = DecodeError::from(DecodeErrorKind::Truncated { needed, have });
            return Err(error.in_frame(number - 1).into());
        }
        let mut header = Vec::new();
        if number > 0 && !self.first.streaming {
            self.trailing_len = self.input.count_rest()?;
        } else {
            self.range = end..end;
            self.input.read_up_to(HEADER_LEN as u64, &mut header)?;
        }
        if number > 0 && header.is_empty() {
            self.walk.end()?;
            return Ok(None);
        }
        Ok(Some(header))
    }

    /// Prepares for reading parts of the payload in any order, if the input cannot seek.
    pub fn keep_payload(&mut self, frame: &OpenFrame) -> Result<(), Failure> {
        self.hold_payload(&frame.index()).map_err(|fault| self.failure(fault, frame.number))
    }

    fn hold_payload(&mut self, index: &FrameIndex<'_>) -> Result<(), Fault> {
        if self.input.is_seekable() || self.payload.is_some() {
            return Ok(());
        }
        let (start, end) = (index.prefix_len(), index.content_len());
        let mut payload = Vec::new();
        let have = start + self.input.read_up_to(end - start, &mut payload)?;
        if have < end && !self.is_salvaging {
            return Err(truncated(end, have));
        }
        self.payload = Some(payload);
        Ok(())
    }

    /// Reads the stored payload and checks it.
    pub fn check_payload(&mut self, frame: &OpenFrame) -> Result<(), Failure> {
        self.try_check_payload(frame).map_err(|fault| self.failure(fault, frame.number))
    }

    fn try_check_payload(&mut self, frame: &OpenFrame) -> Result<(), Fault> {
        /// Number of bytes to read at a time.
        const PART: usize = 1 << 18;
        let Some(mut check) = frame.opened.payload_check() else { return Ok(()) };
        self.hold_payload(&frame.index())?;
        let mut part = Vec::new();
        let Range { start, end } = frame.opened.payload_range();
        for at in (start..end).step_by(PART) {
            let next = end.min(at + PART as u64);
            part.clear();
            let have = self.read_up_to(frame, at..next, &mut part)?;
            if have < next - at {
                return Err(truncated(next - at, have));
            }
            check.update(&part);
        }
        Ok(check.finish()?)
    }

    fn failure(&self, fault: Fault, number: u64) -> Failure {
        match fault {
            Fault::Decode(error) => Failure::decoding(self.endpoint(), in_frame(error, number)),
            Fault::Io(error) => self.input.failure(error),
        }
    }

    /// Appends a part of the open frame's payload to `bytes`, and returns its length. It is shorter
    /// than `range` only at the end of the file.
    pub fn read_up_to(
        &mut self,
        frame: &OpenFrame,
        range: Range<u64>,
        bytes: &mut Vec<u8>,
    ) -> std::io::Result<u64> {
        let Some(payload) = &self.payload else {
            self.input.go_to(self.range.start + range.start)?;
            return self.input.read_up_to(range.end - range.start, bytes);
        };
        let start = frame.opened.payload_range().start;
        let at = |offset: u64| payload.len().min((offset - start) as usize);
        let part = &payload[at(range.start)..at(range.end)];
        bytes.extend_from_slice(part);
        Ok(part.len() as u64)
    }

    /// Returns the failure for an error of reading the file.
    pub fn read_failure(&self, error: std::io::Error) -> Failure {
        self.input.failure(error)
    }
}

/// Why a part of a file is not available.
enum Fault {
    /// The file is damaged.
    Decode(DecodeError),
    /// The file cannot be read.
    Io(std::io::Error),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<DecodeErrorKind> for Fault {
    fn from(kind: DecodeErrorKind) -> Self {
        Self::Decode(kind.into())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn truncated(needed: u64, have: u64) -> Fault {
    DecodeErrorKind::Truncated { needed, have }.into()
}

/// Adds the number of the frame to an error without one.
fn in_frame(error: DecodeError, number: u64) -> DecodeError {
    match error.location().frame {
        Some(_) => error,
        None => error.in_frame(number),
    }
}
