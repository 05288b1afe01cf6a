//! The steps of finding the frames of a file.

use alloc::vec::Vec;

use crate::base::Delta;
use crate::checksum;
use crate::chunk::decode::Chunk;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::index::{Directory, DirectoryEntry};
use crate::file::seek::{Partial, Seeker, Stage};
use crate::format::FOOTER_LEN;
use crate::frame::Frame;
use crate::frame::annex::{Annex, Footer};
use crate::frame::header::Header;
use crate::frame::index::FrameIndex;
use crate::frame::open::{Keep, OpenOptions, Prefix};

/// Number of bytes of a frame that are read first, enough for header and index of most frames.
const FIRST_READ: u64 = 1 << 10;

impl Seeker {
    /// Takes the wanted bytes, and moves to the next stage.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        match core::mem::replace(&mut self.stage, Stage::Walk) {
            Stage::Tail => self.read_tail(bytes),
            Stage::Index(footer) => self.read_index(bytes, footer),
            Stage::Walk => {
                let number = self.directory.entries().len() as u64;
                let in_frame = |kind| DecodeError::from(kind).in_frame(number);
                match self.read_header(bytes).map_err(in_frame) {
                    Err(error) if number > 0 && matches!(self.partial, Partial::Walked(_)) => {
                        self.cut_at(error, self.directory.decoded_len())
                    }
                    result => result,
                }
            }
            Stage::First { mut beginning, .. } => {
                beginning.extend_from_slice(bytes);
                self.read_beginning(beginning).map_err(|error| error.in_frame(0))
            }
            Stage::Slack(_) => self.read_slack(bytes),
            Stage::Cut { header, mut beginning, .. } => {
                beginning.extend_from_slice(bytes);
                self.read_cut(header, beginning)
            }
            Stage::Complete => Ok(()),
        }
    }

    fn read_tail(&mut self, tail: &[u8]) -> Result<(), DecodeError> {
        let Some(footer) = tail.last_chunk::<FOOTER_LEN>().and_then(Footer::parse) else {
            return Ok(());
        };
        if !self.limits.verify {
            return Ok(());
        }
        let frame_len = self.file_len.checked_sub(footer.last_frame);
        match frame_len.and_then(|len| usize::try_from(len).ok()) {
            Some(len) if len <= tail.len() => self.read_index(&tail[tail.len() - len..], footer),
            Some(len) => {
                self.limits.check_memory(len as u64)?;
                self.stage = Stage::Index(footer);
                Ok(())
            }
            None => {
                self.is_footer_wrong = true;
                Ok(())
            }
        }
    }

    /// Reads the last frame. If its index is wrong, the first frame shows whether one is required.
    fn read_index(&mut self, frame: &[u8], footer: Footer) -> Result<(), DecodeError> {
        let Some((directory, delta)) = index_of(frame, footer, self.file_len) else {
            self.is_footer_wrong = true;
            return Ok(());
        };
        self.directory = directory;
        self.check_delta(delta)?;
        self.complete()
    }

    fn read_header(&mut self, bytes: &[u8]) -> Result<(), DecodeErrorKind> {
        let start = self.directory.file_len();
        let is_first = self.directory.entries().is_empty();
        let header = if is_first { Header::parse(bytes)? } else { Header::parse_following(bytes)? };
        let have = self.file_len - start;
        let is_cut = header.frame_len > have;
        if is_cut && !matches!(self.partial, Partial::Walked(_)) {
            return Err(DecodeErrorKind::Truncated { needed: header.frame_len, have });
        }
        if is_first {
            self.check_delta(header.delta)?;
        }
        self.directory
            .push(header.frame_len, header.decoded_len)
            .ok_or(DecodeErrorKind::InvalidLength)?;
        if is_cut {
            self.stage = Stage::Cut { header, beginning: Vec::new(), needed: have.min(FIRST_READ) };
            return Ok(());
        }
        if is_first && header.streaming && self.limits.verify {
            let needed = header.frame_len.min(FIRST_READ);
            self.stage = Stage::First { beginning: Vec::new(), needed };
            return Ok(());
        }
        let is_last = self.directory.file_len() == self.file_len;
        if is_last || is_first && !header.streaming {
            return self.complete().map_err(|error| error.kind());
        }
        self.stage = Stage::Walk;
        Ok(())
    }

    /// Counts the available chunks of the last frame, whose end is missing.
    fn read_cut(&mut self, header: Header, beginning: Vec<u8>) -> Result<(), DecodeError> {
        let number = self.directory.entries().len() as u64 - 1;
        let before = self.directory.decoded_len() - header.decoded_len;
        let (needed, have) = (header.frame_len, self.file_len - self.last_offset());
        let error = DecodeError::from(DecodeErrorKind::Truncated { needed, have }).in_frame(number);
        let index = match FrameIndex::parse_behind(header, &beginning) {
            Ok(index) => index,
            Err(error) => match error.kind() {
                DecodeErrorKind::Truncated { needed, .. } if needed <= have => {
                    self.limits.check_memory(needed)?;
                    self.stage = Stage::Cut { header, beginning, needed };
                    return Ok(());
                }
                _ => return self.cut_at(error.in_frame(number), before),
            },
        };
        let has_checksums = self.directory.is_sealed() || index.content_len() < header.frame_len;
        if has_checksums && self.limits.verify {
            return self.cut_at(error, before);
        }
        let is_there = |chunk: &Chunk| chunk.plane_ranges().all(|range| range.end <= have);
        let whole: u64 = index.chunks().take_while(is_there).map(|chunk| chunk.len()).sum();
        self.cut_at(error, before + whole)
    }

    /// Ends the search, and stores the reason why no further frame can be found.
    fn cut_at(&mut self, error: DecodeError, available_len: u64) -> Result<(), DecodeError> {
        self.partial = Partial::Cut(error, available_len);
        self.complete()
    }

    /// Returns the offset of the last known frame in the file.
    pub(crate) fn last_offset(&self) -> u64 {
        self.directory.entries().last().map_or(0, |entry| entry.offset)
    }

    /// Reads the first frame up to its payload, to find its slack.
    fn read_beginning(&mut self, beginning: Vec<u8>) -> Result<(), DecodeError> {
        let options = OpenOptions::new(self.limits).keep(Keep::Index);
        let slack = match options.prefix(&beginning)? {
            Prefix::Needs(needed) => {
                self.stage = Stage::First { beginning, needed };
                return Ok(());
            }
            Prefix::Read(index) if options.reads_annex(&index) => index.checked().slack_range(),
            Prefix::Read(_) => return self.walk_on(),
        };
        self.limits.check_memory(slack.end - slack.start)?;
        self.stage = Stage::Slack(slack);
        Ok(())
    }

    fn read_slack(&mut self, slack: &[u8]) -> Result<(), DecodeError> {
        let annex = Annex::parse(slack).map_err(|kind| DecodeError::from(kind).in_frame(0))?;
        if let Partial::Walked(_) = self.partial {
            self.directory.set_sealed(annex.is_sealed());
            return self.walk_on();
        }
        match (annex.is_sealed(), self.is_footer_wrong) {
            (false, _) => self.walk_on(),
            (true, true) => Err(DecodeErrorKind::IndexMismatch.into()),
            (true, false) => Err(DecodeErrorKind::FooterMissing.into()),
        }
    }

    /// Continues the search after the first frame.
    fn walk_on(&mut self) -> Result<(), DecodeError> {
        if self.directory.file_len() == self.file_len {
            return self.complete();
        }
        self.stage = Stage::Walk;
        Ok(())
    }

    fn check_delta(&mut self, delta: Delta) -> Result<(), DecodeErrorKind> {
        self.is_delta_checked = true;
        match (delta != Delta::None, self.expects_delta) {
            (true, false) => Err(DecodeErrorKind::BaseRequired),
            (false, true) => Err(DecodeErrorKind::NotADelta),
            _ => Ok(()),
        }
    }

    /// Ends the search, and checks the frames against the limits.
    pub(crate) fn complete(&mut self) -> Result<(), DecodeError> {
        let readable_len = self.readable_len();
        for (number, entry) in (0..).zip(self.directory.entries()) {
            // Missing bytes of the file count neither as input nor as output.
            let decoded_len =
                entry.decoded_len.min(readable_len.saturating_sub(entry.decoded_offset));
            let len = entry.len.min(self.file_len - entry.offset);
            self.limits
                .check(decoded_len, len, entry.decoded_offset)
                .map_err(|kind| DecodeError::from(kind).in_frame(number))?;
        }
        self.stage = Stage::Complete;
        Ok(())
    }
}

/// Returns the directory in the last frame of a file, and the frame's kind of difference.
///
/// Returns `None` if the frame or its index is wrong.
fn index_of(bytes: &[u8], footer: Footer, file_len: u64) -> Option<(Directory, Delta)> {
    let frame = Frame::parse(bytes).ok().filter(|frame| frame.bytes().len() == bytes.len())?;
    let index = frame.annex().index()?;
    let index_at = file_len.checked_sub(index.from_end as u64)?;
    let directory = Directory::parse(index.body, file_len)?;
    let last = DirectoryEntry {
        offset: footer.last_frame,
        len: bytes.len() as u64,
        decoded_offset: frame.annex().frame_checksum()?.decoded_offset,
        decoded_len: frame.decoded_len(),
    };
    let is_right = frame.annex().footer() == Some(footer)
        && footer.index == index_at
        && checksum::matches(index.body, footer.index_checksum)
        && directory.entries().last() == Some(&last);
    is_right.then(|| (directory, frame.index().header().delta))
}
