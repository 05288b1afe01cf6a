//! A compressed file frame by frame: header and index first, payload as it is needed.

use std::ops::Range;

use zipnn::delta::{BaseId, Delta};
use zipnn::file::{Directory, DirectoryEntry, FileCheck};
use zipnn::frame::{Annex, Chunk, HEADER_LEN, Header, IndexBuf, PayloadCheck};
use zipnn::{DecodeError, DecodeErrorKind, Limits, legacy};

use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::report::failure::Failure;

/// The frames of a file.
pub struct Frames {
    input: Input,
    limits: Limits,
    /// The header of the first frame, which speaks for the file.
    first: Header,
    /// Bytes of a header that has been read and whose frame has not.
    header: Vec<u8>,
    /// How many frames have been opened.
    opened: u64,
    /// Where the open frame begins.
    start: u64,
    /// Where the open frame ends.
    end: u64,
    decoded_len: u64,
    /// What the frames so far say of the others.
    sequence: FileCheck,
    /// Bytes behind the last frame of a file that says it has only one.
    trailing_len: u64,
    /// Content of the open frame, where it cannot be read piece by piece.
    content: Option<Vec<u8>>,
    /// The places of all frames, if they are known before the frames are read.
    directory: Option<Directory>,
    /// The header of the frame that is being opened.
    opening: Option<Header>,
    /// Whether an index has to follow. Only tracked while salvaging.
    seal: Seal,
}

/// Whether the index has been read that a sealed file ends with.
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

/// The next part of a file that is salvaged.
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
    /// Today's layout.
    Frames(Box<Frames>),
    /// A layout of old, which is decoded as a whole; these are all its bytes.
    Whole(Vec<u8>),
}

impl Opened {
    /// Reads the first header.
    pub fn new(mut input: Input, limits: Limits) -> Result<Self, Failure> {
        let mut header = read_header(&mut input)?;
        let first = match Header::parse(&header) {
            Err(DecodeErrorKind::UnsupportedVersion(_)) => {
                return Ok(Self::Whole(read_rest(&mut input, header)?));
            }
            Err(kind) => {
                return Err(Failure::decoding(
                    input.endpoint(),
                    DecodeError::from(kind).in_frame(0),
                ));
            }
            Ok(first) => first,
        };
        if may_be_old_further_on(&first) {
            let bytes = read_rest(&mut input, header)?;
            if legacy::is_legacy(&bytes) {
                return Ok(Self::Whole(bytes));
            }
            input.hold(bytes);
            header = read_header(&mut input)?;
        }
        Ok(Self::Frames(Box::new(Frames {
            input,
            limits,
            first,
            header,
            opened: 0,
            start: 0,
            end: 0,
            decoded_len: 0,
            sequence: FileCheck::default(),
            trailing_len: 0,
            content: None,
            directory: None,
            opening: None,
            seal: Seal::None,
        })))
    }
}

impl Opened {
    /// Whether the file holds a difference.
    pub fn is_delta(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.first.delta != Delta::None,
            Self::Whole(file) => legacy::is_delta(file),
        }
    }
}

/// Bytes behind the only frame of a file of an old layout. Before release 0.3.0 files do not tell
/// where their frames end, or have any number of them.
pub fn old_trailing_len(file: &[u8]) -> u64 {
    const STREAMING_AT: usize = 13;
    const STREAMING: u8 = 128;
    const FRAME_LEN_AT: usize = 24;
    let frame_len = match file {
        [_, _, 0, 3, ..] if file.get(STREAMING_AT).is_some_and(|&byte| byte < STREAMING) => {
            file.get(FRAME_LEN_AT..).and_then(<[u8]>::first_chunk).copied().map(u64::from_le_bytes)
        }
        _ => None,
    };
    let file_len = file.len() as u64;
    file_len.saturating_sub(frame_len.unwrap_or(file_len))
}

fn read_header(input: &mut Input) -> Result<Vec<u8>, Failure> {
    let mut header = Vec::new();
    input.read_up_to(HEADER_LEN as u64, &mut header).map_err(|error| input.failure(error))?;
    Ok(header)
}

/// Reads on to the end.
fn read_rest(input: &mut Input, mut bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    input.read_up_to(u64::MAX, &mut bytes).map_err(|error| input.failure(error))?;
    Ok(bytes)
}

/// Whether only more than a header tells if a file is of an old layout: releases that could leave
/// out a byte.
fn may_be_old_further_on(header: &Header) -> bool {
    header.streaming && matches!(header.version, [0, 3, 0 | 1])
}

/// A frame whose index and annex have been read.
pub struct OpenFrame {
    /// Its number in the file.
    pub number: u64,
    /// Its index.
    pub index: IndexBuf,
    /// The checksums of its chunks, if it has any.
    pub checksums: Vec<u64>,
    /// Which base the file needs.
    pub base: Option<BaseId>,
    payload_check: Option<PayloadCheck>,
}

impl Frames {
    /// The header of the first frame.
    pub fn first(&self) -> &Header {
        &self.first
    }

    /// What the file is called.
    pub fn place(&self) -> &Endpoint {
        self.input.endpoint()
    }

    /// Length of the file, where that is known.
    pub fn file_len(&self) -> Option<u64> {
        self.input.len()
    }

    /// How far the file has been read.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// How many bytes follow the only frame of a file that says it has only one: known once
    /// [`next`](Self::next) has returned `None`. In other files every byte belongs to a frame.
    pub fn trailing_len(&self) -> u64 {
        self.trailing_len
    }

    /// Returns whether the file promises to end with an index, as far as it has been read; `None`
    /// for a single frame, whose header gives its length.
    pub fn is_sealed(&self) -> Option<bool> {
        let is_sealed = match self.is_salvaging() {
            true => self.seal != Seal::None,
            false => self.sequence.is_sealed(),
        };
        self.first.streaming.then_some(is_sealed)
    }

    /// What the whole file decodes to, where the first header tells.
    pub fn known_decoded_len(&self) -> Option<u64> {
        (!self.first.streaming).then_some(self.first.decoded_len)
    }

    /// Opens the next frame; `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<OpenFrame>, Failure> {
        match self.try_next() {
            Ok(frame) => Ok(frame),
            Err(Fault::Decode(error)) => {
                Err(Failure::decoding(self.input.endpoint(), error.in_frame(self.opened)))
            }
            Err(Fault::Io(error)) => Err(self.input.failure(error)),
        }
    }

    /// Returns whether damage is passed over, and nothing is verified.
    fn is_salvaging(&self) -> bool {
        !self.limits.verify
    }

    /// Sets the places of all frames, which then count instead of the lengths in damaged headers.
    pub fn use_directory(&mut self, directory: Directory) {
        self.directory = Some(directory);
    }

    /// Opens the next frame of a file that is salvaged. Returns an error only if reading fails.
    pub fn next_salvaged(&mut self) -> Result<Next, Failure> {
        match self.try_next() {
            Ok(Some(frame)) => Ok(Next::Frame(Box::new(frame))),
            Ok(None) => {
                let is_missing = self.seal == Seal::Promised;
                let error = DecodeError::from(DecodeErrorKind::FooterMissing);
                Ok(Next::End(is_missing.then(|| error.in_frame(self.opened))))
            }
            Err(Fault::Io(error)) => Err(self.input.failure(error)),
            Err(Fault::Decode(error)) => {
                let error = error.in_frame(self.opened);
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
                self.end = entry.range().end;
                entry.decoded_len
            }
            None => header.filter(|_| self.first.streaming)?.decoded_len,
        };
        self.opened += 1;
        self.decoded_len = self.decoded_len.checked_add(decoded_len)?;
        Some(decoded_len)
    }

    /// Returns the entry of the next frame in the directory, if there is a directory.
    fn entry(&self) -> Option<DirectoryEntry> {
        let number = usize::try_from(self.opened).ok()?;
        self.directory.as_ref()?.entries().get(number).copied()
    }

    fn try_next(&mut self) -> Result<Option<OpenFrame>, Fault> {
        let Some(header) = self.next_header()? else { return Ok(None) };
        self.limits.check(header.decoded_len, header.frame_len, self.decoded_len)?;
        self.end =
            self.start.checked_add(header.frame_len).ok_or(DecodeErrorKind::InvalidLength)?;
        if let Some(entry) = self.entry()
            && (entry.len, entry.decoded_len) != (header.frame_len, header.decoded_len)
        {
            return Err(DecodeErrorKind::IndexMismatch.into());
        }
        if let Some(file_len) = self.input.len()
            && file_len < self.end
            && !self.is_salvaging()
        {
            return Err(truncated(header.frame_len, file_len - self.start));
        }
        self.opening = Some(header);
        let bytes = std::mem::take(&mut self.header);
        let input = &mut self.input;
        let index = IndexBuf::read(header, bytes, |bytes, needed| {
            input.read_up_to(needed - bytes.len() as u64, bytes).map(drop).map_err(Fault::Io)
        })?;
        // The length of the frame is only a promise. What earns output is content.
        let content_len = index.get().content_len();
        self.limits.check(header.decoded_len, content_len, self.decoded_len)?;
        self.content = None;
        let slack = self.read_annex(&index)?;
        let annex = match (Annex::parse(&slack), self.is_salvaging()) {
            (annex, true) => {
                self.seal = self.seal.after(annex);
                // A damaged annex says nothing about the chunks.
                let is_right = |annex: &Annex<'_>| index.check_annex(annex).is_ok();
                annex.ok().filter(is_right).unwrap_or_default()
            }
            (annex, false) => annex?,
        };
        if self.limits.verify {
            index.check_annex(&annex)?;
            self.sequence.push(header.frame_len, header.decoded_len, &annex)?;
        }
        self.opening = None;
        self.decoded_len += header.decoded_len;
        self.opened += 1;
        Ok(Some(OpenFrame {
            number: self.opened - 1,
            checksums: annex.checksums().collect(),
            base: annex.base().filter(|_| !self.is_salvaging()),
            payload_check: annex.payload_check(),
            index,
        }))
    }

    /// The annex of the frame that is being opened; nothing where its slack holds anything else.
    fn read_annex(&mut self, index: &IndexBuf) -> Result<Vec<u8>, Fault> {
        let content_len = index.get().content_len();
        let slack_len = index.get().header().frame_len - content_len;
        let mut annex = Vec::new();
        if slack_len == 0 {
            return Ok(annex);
        }
        self.hold_content(index)?;
        self.input.go_to(self.start + content_len)?;
        let magic_len = slack_len.min(Annex::MAGIC.len() as u64);
        let mut have = self.input.read_up_to(magic_len, &mut annex)?;
        if annex == Annex::MAGIC {
            have += self.input.read_up_to(slack_len - magic_len, &mut annex)?;
            if have < slack_len && !self.is_salvaging() {
                return Err(truncated(content_len + slack_len, content_len + have));
            }
        }
        Ok(annex)
    }

    /// The header of the next frame, which is kept as bytes, too.
    fn next_header(&mut self) -> Result<Option<Header>, Fault> {
        if self.opened == 0 {
            return Ok(Some(self.first));
        }
        let reached = self.input.go_to(self.end)?;
        if reached < self.end {
            // It is the frame before that is not all there.
            self.opened -= 1;
            return Err(truncated(self.end - self.start, reached - self.start));
        }
        if !self.first.streaming {
            self.trailing_len = self.input.count_rest()?;
            self.sequence.end()?;
            return Ok(None);
        }
        self.start = self.end;
        self.header.clear();
        if self.input.read_up_to(HEADER_LEN as u64, &mut self.header)? == 0 {
            self.sequence.end()?;
            return Ok(None);
        }
        Ok(Some(Header::parse_following(&self.header)?))
    }

    /// Makes ready for reading parts of the content in any order, if the file is not.
    pub fn keep_content(&mut self, frame: &OpenFrame) -> Result<(), Failure> {
        self.hold_content(&frame.index).map_err(|fault| self.failure(fault, frame))
    }

    fn hold_content(&mut self, index: &IndexBuf) -> Result<(), Fault> {
        if self.input.is_seekable() || self.content.is_some() {
            return Ok(());
        }
        let content_len = index.get().content_len();
        let needed = content_len - index.prefix_len();
        let mut content = Vec::new();
        let have = self.input.read_up_to(needed, &mut content)?;
        if have < needed && !self.is_salvaging() {
            return Err(truncated(content_len, index.prefix_len() + have));
        }
        self.content = Some(content);
        Ok(())
    }

    /// Reads the payload as it is stored, and checks it.
    pub fn check_payload(&mut self, frame: &OpenFrame) -> Result<(), Failure> {
        self.try_check_payload(frame).map_err(|fault| self.failure(fault, frame))
    }

    fn try_check_payload(&mut self, frame: &OpenFrame) -> Result<(), Fault> {
        /// Bytes that are read at a time.
        const PART: usize = 1 << 18;
        let Some(mut check) = frame.payload_check.clone() else { return Ok(()) };
        self.hold_content(&frame.index)?;
        let mut part = Vec::new();
        let mut at = frame.index.prefix_len();
        let end = frame.index.get().content_len();
        while at < end {
            let next = end.min(at + PART as u64);
            part.clear();
            self.read(frame, at..next, &mut part)?;
            check.update(&part);
            at = next;
        }
        Ok(check.finish()?)
    }

    fn failure(&self, fault: Fault, frame: &OpenFrame) -> Failure {
        match fault {
            Fault::Decode(error) => Failure::decoding(self.place(), error.in_frame(frame.number)),
            Fault::Io(error) => self.input.failure(error),
        }
    }

    /// Appends a part of the open frame to `bytes`.
    fn read(
        &mut self,
        frame: &OpenFrame,
        range: Range<u64>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let needed = range.end - range.start;
        let have = self.read_up_to(frame, range, bytes)?;
        if have < needed { Err(truncated(needed, have)) } else { Ok(()) }
    }

    /// Appends a part of the open frame to `bytes`, and returns its length: less than `range` has
    /// only at the end of the file.
    fn read_up_to(
        &mut self,
        frame: &OpenFrame,
        range: Range<u64>,
        bytes: &mut Vec<u8>,
    ) -> std::io::Result<u64> {
        if let Some(content) = &self.content {
            let in_content =
                |offset: u64| content.len().min((offset - frame.index.prefix_len()) as usize);
            let part = &content[in_content(range.start)..in_content(range.end)];
            bytes.extend_from_slice(part);
            return Ok(part.len() as u64);
        }
        self.input.go_to(self.start + range.start)?;
        self.input.read_up_to(range.end - range.start, bytes)
    }
}

/// Why a part of a file could not be had.
pub enum Fault {
    /// What is there is wrong.
    Decode(DecodeError),
    /// It could not be read.
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

/// Consecutive chunks of a frame, with the bytes that they are decoded from.
#[derive(Default)]
pub struct Run {
    frame: u64,
    /// Number of the first chunk.
    first: u64,
    chunks: Vec<Chunk>,
    /// What the planes hold of these chunks, one plane after the other.
    stored: Vec<u8>,
    /// What to add to an offset in the frame to get to its place in `stored`, for each plane.
    shifts: Vec<u64>,
    /// The offset in the frame at which reading each plane has ended. Before the end of the plane
    /// only if a file is salvaged that was cut off.
    ends: Vec<u64>,
}

impl Run {
    /// Decoded length that a run is to have, in bytes. Only a single chunk may be longer.
    pub const TARGET_LEN: u64 = 4 << 20;

    /// How many chunks a run may have: of tiny ones, it is not the data that takes the memory.
    const MAX_CHUNKS: u64 = 1 << 12;

    /// How many chunks of this frame make a run.
    pub fn chunk_count(frame: &OpenFrame) -> usize {
        let index = frame.index.get();
        (Self::TARGET_LEN / index.header().chunk_len()).clamp(1, Self::MAX_CHUNKS) as usize
    }

    /// Reads the chunks of these numbers, of which there is at least one.
    pub fn read(
        &mut self,
        frames: &mut Frames,
        frame: &OpenFrame,
        numbers: Range<usize>,
    ) -> Result<(), Failure> {
        let index = frame.index.get();
        self.frame = frame.number;
        self.first = numbers.start as u64;
        self.chunks.clear();
        self.chunks.extend(numbers.filter_map(|number| {
            let checksum = frame.checksums.get(number).copied();
            Some(index.chunk(number)?.with_checksum(checksum))
        }));
        self.stored.clear();
        self.shifts.clear();
        self.ends.clear();
        let Some(first) = self.chunks.first() else { return Ok(()) };
        for plane in 0..first.plane_count() {
            let ranges = || self.chunks.iter().filter_map(|chunk| chunk.plane_ranges().nth(plane));
            let range = Range {
                start: ranges().map(|range| range.start).next().unwrap_or_default(),
                end: ranges().next_back().map(|range| range.end).unwrap_or_default(),
            };
            self.shifts.push((self.stored.len() as u64).wrapping_sub(range.start));
            let read = frames.read_up_to(frame, range.clone(), &mut self.stored);
            let have = read.map_err(|error| frames.input.failure(error))?;
            let end = range.start + have;
            self.ends.push(end);
            if end < range.end && !frames.is_salvaging() {
                let needed = range.end - range.start;
                let whole = ranges().take_while(|range| range.end <= end).count() as u64;
                let error = DecodeError::from(DecodeErrorKind::Truncated { needed, have });
                let error = error.in_plane(plane).in_chunk(self.first + whole);
                return Err(Failure::decoding(frames.place(), error.in_frame(self.frame)));
            }
        }
        Ok(())
    }

    /// Length of the chunks, decoded.
    pub fn decoded_len(&self) -> u64 {
        self.chunks.iter().map(Chunk::len).sum()
    }

    /// How many of the chunks have checksums.
    pub fn checksum_count(&self) -> u64 {
        self.chunks.iter().filter_map(Chunk::checksum).count() as u64
    }

    /// Decodes the chunks into `decoded`, which has that length; onto a part of a base of the same
    /// length, if there is one. For each chunk that cannot be decoded, calls `fault` with its range
    /// in `decoded` and the error, and continues with the next chunk if that returns `Ok`. After a
    /// checksum mismatch, the range holds what the chunk decodes to.
    pub fn decode(
        &self,
        decoded: &mut [u8],
        base: Option<&[u8]>,
        scratch: &mut zipnn::frame::DecodeScratch,
        mut fault: impl FnMut(Range<usize>, DecodeError) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut stored = Vec::with_capacity(self.shifts.len());
        let mut start = 0;
        for (number, chunk) in (self.first..).zip(&self.chunks) {
            let range = start..start + chunk.len() as usize;
            start = range.end;
            let base = base.map(|base| &base[range.clone()]);
            stored.clear();
            let mut decode = |chunk: &Chunk, stored: &[&[u8]]| {
                let mut scratch = scratch.with_len(chunk.scratch_len())?;
                let part = &mut decoded[range.clone()];
                match base {
                    Some(base) => chunk.decode_delta(stored, base, part, &mut scratch),
                    None => chunk.decode(stored, part, &mut scratch),
                }
            };
            let result = self.stored(chunk, &mut stored).and_then(|()| decode(chunk, &stored));
            let Err(error) = result else { continue };
            fault(range.clone(), error.in_chunk(number).in_frame(self.frame))?;
            if error.kind() == DecodeErrorKind::ChecksumMismatch {
                decode(&chunk.clone().with_checksum(None), &stored)?;
            }
        }
        Ok(())
    }

    /// Appends the stored bytes of each plane of a chunk.
    fn stored<'r>(&'r self, chunk: &Chunk, stored: &mut Vec<&'r [u8]>) -> Result<(), DecodeError> {
        let planes = chunk.plane_ranges().zip(self.shifts.iter().zip(&self.ends));
        for (plane, (range, (&shift, &end))) in planes.enumerate() {
            let place = |offset: u64| offset.wrapping_add(shift) as usize;
            if range.end > end {
                let needed = range.end - range.start;
                let have = end.saturating_sub(range.start);
                let error = DecodeError::from(DecodeErrorKind::Truncated { needed, have });
                return Err(error.in_plane(plane));
            }
            stored.push(&self.stored[place(range.start)..place(range.end)]);
        }
        Ok(())
    }
}
