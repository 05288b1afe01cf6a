//! A frame in a file, of which only the index is in memory.

use core::ops::Range;
use std::io::{self, Read, Seek};
use std::vec::Vec;

use crate::base::Delta;
use crate::chunk::decode::{Chunk, DecodeScratch};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::seek::part::decode_chunk;
use crate::format::HEADER_LEN;
use crate::frame::annex::{Annex, PayloadCheck};
use crate::frame::header::Header;
use crate::frame::index::IndexBuf;
use crate::limits::Limits;
use crate::tensor::inside::ranges::{read_exact_at, read_in_parts};
use crate::tensor::inside::stored::StoredTensor;
use crate::try_alloc::at_least;

/// Number of bytes to decode or read at a time.
pub(crate) const PART_LEN: u64 = 4 << 20;

/// Reports why part of a frame could not be read, without the name of its tensor.
#[derive(Debug)]
pub(crate) enum FrameError {
    Io(io::Error),
    Decode(DecodeError),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<E: Into<DecodeError>> From<E> for FrameError {
    fn from(error: E) -> Self {
        Self::Decode(error.into())
    }
}

/// A frame with a checked index and annex.
#[derive(Debug)]
pub(crate) struct OpenFrame {
    /// Offset in the file.
    start: u64,
    index: IndexBuf,
    /// Checksums of the chunks; empty without any.
    checksums: Vec<u64>,
    payload_check: Option<PayloadCheck>,
}

/// Memory for decoding, kept from call to call.
#[derive(Debug, Default)]
pub(crate) struct DecodeBuffers {
    pub(crate) scratch: DecodeScratch,
    /// Stored bytes of consecutive chunks: one piece for each plane with its offset in the frame.
    pieces: Vec<(u64, Vec<u8>)>,
    /// Decoded chunk of which only a part is needed.
    chunk: Vec<u8>,
}

/// A chunk that is decoded whole, with its number and output.
pub(crate) type ChunkTask<'d> = (u64, Chunk, &'d mut [u8]);

/// Function that decodes chunks from the pieces of their frame.
pub(crate) type DecodeChunks =
    fn(&[(u64, Vec<u8>)], Vec<ChunkTask<'_>>, &mut DecodeScratch) -> Result<(), DecodeError>;

/// Decodes chunks on the calling thread.
pub(crate) fn decode_in_order(
    pieces: &[(u64, Vec<u8>)],
    tasks: Vec<ChunkTask<'_>>,
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    tasks.into_iter().try_for_each(|task| decode_task(pieces, task, scratch))
}

/// Decodes one chunk.
pub(crate) fn decode_task(
    pieces: &[(u64, Vec<u8>)],
    (number, chunk, dst): ChunkTask<'_>,
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    decode_chunk(&chunk, pieces, None, dst, scratch).map_err(|error| error.in_chunk(number))
}

impl OpenFrame {
    /// Reads the index of a tensor's frame and, if the limits require verification, its annex.
    ///
    /// With `has_checksums`, the file's writer stored checksums of everything. Slack that this
    /// writer did not write is then an error, so that damage cannot hide checksums.
    pub(crate) fn open(
        source: &mut (impl Read + Seek),
        tensor: &StoredTensor,
        limits: &Limits,
        has_checksums: bool,
    ) -> Result<Self, FrameError> {
        let (start, stored_len) = (tensor.stored.start, tensor.stored_len());
        let mut bytes = Vec::new();
        read_exact_at(source, start, stored_len.min(HEADER_LEN as u64), &mut bytes)?;
        let header = Header::parse(&bytes)?;
        if header.delta != Delta::None {
            return Err(DecodeErrorKind::BaseRequired.into());
        }
        // The file may have changed since it was opened.
        if (header.frame_len, header.decoded_len) != (stored_len, tensor.decoded_len) {
            return Err(DecodeErrorKind::InvalidLength.into());
        }
        let index = IndexBuf::read(header, bytes, |bytes, needed| {
            let have = bytes.len() as u64;
            Ok::<_, FrameError>(read_exact_at(source, start + have, needed - have, bytes)?)
        })?;
        let content_len = index.get().content_len();
        limits.check(header.decoded_len, content_len, 0)?;
        let slack = match limits.verify {
            true => read_annex(source, start + content_len..tensor.stored.end)?,
            false => Some(Vec::new()),
        };
        let annex = Annex::parse(slack.as_deref().unwrap_or_default())?;
        index.check_annex(&annex)?;
        let payload_check = annex.payload_check();
        let is_incomplete = annex.has_checksums() && payload_check.is_none();
        if has_checksums && (slack.is_none() || is_incomplete) {
            return Err(DecodeErrorKind::ChecksumMissing.into());
        }
        let checksums = annex.checksums().collect();
        Ok(Self { start, index, checksums, payload_check })
    }

    /// Fills `dst` with the bytes of the tensor from `offset` on.
    pub(crate) fn decode(
        &self,
        source: &mut (impl Read + Seek),
        offset: u64,
        dst: &mut [u8],
        buffers: &mut DecodeBuffers,
        decode: DecodeChunks,
    ) -> Result<(), FrameError> {
        let chunk_len = self.index.get().header().chunk_len();
        let run_len = (PART_LEN / chunk_len).max(1);
        let end = offset + dst.len() as u64;
        let mut rest = dst;
        let mut number = offset / chunk_len;
        while !rest.is_empty() {
            let numbers = number..end.div_ceil(chunk_len).min(number.saturating_add(run_len));
            self.read_planes(source, numbers.clone(), &mut buffers.pieces)?;
            let mut tasks = Vec::new();
            for number in numbers.clone() {
                let chunk = self.chunk(number)?;
                let start = number * chunk_len;
                let range = offset.saturating_sub(start)..chunk.len().min(end - start);
                let len = (range.end - range.start) as usize;
                let (part, behind) = core::mem::take(&mut rest).split_at_mut(len);
                rest = behind;
                match part.len() as u64 == chunk.len() {
                    true => tasks.push((number, chunk, part)),
                    false => decode_partly((number, chunk, part), range, buffers)?,
                }
            }
            decode(&buffers.pieces, tasks, &mut buffers.scratch)?;
            number = numbers.end;
        }
        Ok(())
    }

    /// Reads the stored bytes of consecutive chunks.
    fn read_planes(
        &self,
        source: &mut (impl Read + Seek),
        numbers: Range<u64>,
        pieces: &mut Vec<(u64, Vec<u8>)>,
    ) -> Result<(), FrameError> {
        let (first, last) = (self.chunk(numbers.start)?, self.chunk(numbers.end - 1)?);
        pieces.resize_with(first.plane_count(), Default::default);
        let ranges = first.plane_ranges().zip(last.plane_ranges());
        for ((at, bytes), (first, last)) in pieces.iter_mut().zip(ranges) {
            *at = first.start;
            bytes.clear();
            read_exact_at(source, self.start + first.start, last.end - first.start, bytes)?;
        }
        Ok(())
    }

    fn chunk(&self, number: u64) -> Result<Chunk, DecodeErrorKind> {
        let number = usize::try_from(number).map_err(|_| DecodeErrorKind::OutOfRange)?;
        let chunk = self.index.get().chunk(number).ok_or(DecodeErrorKind::OutOfRange)?;
        Ok(chunk.with_checksum(self.checksums.get(number).copied()))
    }

    /// Verifies the stored payload if the frame has a checksum of it.
    pub(crate) fn check_payload(&self, source: &mut (impl Read + Seek)) -> Result<(), FrameError> {
        let Some(mut check) = self.payload_check.clone() else { return Ok(()) };
        let range = self.index.prefix_len()..self.index.get().content_len();
        read_in_parts(source, self.start + range.start..self.start + range.end, |part| {
            check.update(part);
            Ok(())
        })?;
        Ok(check.finish()?)
    }
}

/// Decodes a chunk and copies a range of it to the output.
fn decode_partly(
    (number, chunk, dst): ChunkTask<'_>,
    range: Range<u64>,
    buffers: &mut DecodeBuffers,
) -> Result<(), FrameError> {
    let whole = at_least(&mut buffers.chunk, chunk.len())?;
    decode_task(&buffers.pieces, (number, chunk, &mut *whole), &mut buffers.scratch)?;
    dst.copy_from_slice(&whole[range.start as usize..range.end as usize]);
    Ok(())
}

/// Reads the annex of a frame from its slack. Returns `None` if the slack contains anything else.
fn read_annex(source: &mut (impl Read + Seek), slack: Range<u64>) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let len = slack.end - slack.start;
    let magic_len = len.min(Annex::MAGIC.len() as u64);
    read_exact_at(source, slack.start, magic_len, &mut bytes)?;
    if len > 0 && bytes != Annex::MAGIC {
        return Ok(None);
    }
    read_exact_at(source, slack.start + magic_len, len - magic_len, &mut bytes)?;
    Ok(Some(bytes))
}
