//! A tensor's frame in a file, of which only the index is in memory.

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
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::ranges::{read_exact_at, read_in_parts};
use crate::try_alloc::at_least;

/// Bytes that are decoded or read at a time.
pub(crate) const PART_LEN: u64 = 4 << 20;

/// Why part of a frame is not available.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    Decode(DecodeError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<E: Into<DecodeError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Decode(error.into())
    }
}

/// A frame whose index and annex have been read and checked.
#[derive(Debug)]
pub(crate) struct OpenFrame {
    /// Where in the file it begins.
    start: u64,
    index: IndexBuf,
    /// The checksums of its chunks, if it has any.
    checksums: Vec<u64>,
    payload_check: Option<PayloadCheck>,
}

/// What decoding needs, kept from call to call.
#[derive(Debug, Default)]
pub(crate) struct Space {
    pub(crate) scratch: DecodeScratch,
    /// What is stored of some chunks, a piece for each plane, with its place in the frame.
    pieces: Vec<(u64, Vec<u8>)>,
    /// A chunk of which only a part is needed.
    chunk: Vec<u8>,
}

/// Chunks that are decoded whole, with their numbers and the memory for each.
pub(crate) type Task<'d> = (u64, Chunk, &'d mut [u8]);

/// Decodes chunks from the pieces of their frame.
pub(crate) type Decode =
    fn(&[(u64, Vec<u8>)], Vec<Task<'_>>, &mut DecodeScratch) -> Result<(), DecodeError>;

/// Decodes chunks on this thread.
pub(crate) fn decode_in_order(
    pieces: &[(u64, Vec<u8>)],
    tasks: Vec<Task<'_>>,
    scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    tasks.into_iter().try_for_each(|(number, chunk, dst)| {
        decode_chunk(&chunk, pieces, None, dst, scratch).map_err(|error| error.in_chunk(number))
    })
}

/// Decodes chunks on all threads of the pool.
#[cfg(feature = "rayon")]
pub(crate) fn decode_on_pool(
    pieces: &[(u64, Vec<u8>)],
    tasks: Vec<Task<'_>>,
    _scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    use rayon::prelude::*;
    let run_len = crate::parallel::run_len(tasks.len());
    tasks.into_par_iter().with_min_len(run_len).try_for_each_init(
        DecodeScratch::new,
        |scratch, (number, chunk, dst)| {
            decode_chunk(&chunk, pieces, None, dst, scratch).map_err(|error| error.in_chunk(number))
        },
    )
}

impl OpenFrame {
    /// Reads the index of a tensor's frame and, where that is to be verified, the annex. With
    /// `has_checksums`, in a file whose writer gives checksums to everything, slack that is not what
    /// the writer puts there is an error: damage must not make it look as if there were none.
    pub(crate) fn open(
        source: &mut (impl Read + Seek),
        tensor: &StoredTensor,
        limits: &Limits,
        has_checksums: bool,
    ) -> Result<Self, Fault> {
        let start = tensor.stored.start;
        let stored_len = tensor.stored.end - start;
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
            Ok::<_, Fault>(read_exact_at(source, start + have, needed - have, bytes)?)
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

    /// Decodes as many bytes of the tensor as `dst` holds, from `offset` on.
    pub(crate) fn decode(
        &self,
        source: &mut (impl Read + Seek),
        offset: u64,
        dst: &mut [u8],
        space: &mut Space,
        decode: Decode,
    ) -> Result<(), Fault> {
        let index = self.index.get();
        let chunk_len = index.header().chunk_len();
        let run_len = (PART_LEN / chunk_len).max(1);
        let end = offset + dst.len() as u64;
        let mut rest = dst;
        let mut number = offset / chunk_len;
        while !rest.is_empty() {
            let numbers = number..end.div_ceil(chunk_len).min(number.saturating_add(run_len));
            self.read_planes(source, numbers.clone(), &mut space.pieces)?;
            let mut tasks = Vec::new();
            for number in numbers.clone() {
                let chunk = self.chunk(number)?;
                let start = number * chunk_len;
                let from = offset.saturating_sub(start);
                let to = chunk.len().min(end - start);
                let (part, behind) = core::mem::take(&mut rest).split_at_mut((to - from) as usize);
                rest = behind;
                if part.len() as u64 == chunk.len() {
                    tasks.push((number, chunk, part));
                    continue;
                }
                let whole = at_least(&mut space.chunk, chunk.len())?;
                decode_chunk(&chunk, &space.pieces, None, whole, &mut space.scratch)
                    .map_err(|error| error.in_chunk(number))?;
                part.copy_from_slice(&whole[from as usize..to as usize]);
            }
            decode(&space.pieces, tasks, &mut space.scratch)?;
            number = numbers.end;
        }
        Ok(())
    }

    /// Reads what is stored of consecutive chunks.
    fn read_planes(
        &self,
        source: &mut (impl Read + Seek),
        numbers: Range<u64>,
        pieces: &mut Vec<(u64, Vec<u8>)>,
    ) -> Result<(), Fault> {
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

    /// Checks the payload as it is stored, where there is a checksum of that.
    pub(crate) fn check_payload(&self, source: &mut (impl Read + Seek)) -> Result<(), Fault> {
        let Some(mut check) = self.payload_check.clone() else { return Ok(()) };
        let range = self.index.prefix_len()..self.index.get().content_len();
        read_in_parts(source, self.start + range.start..self.start + range.end, |part| {
            check.update(part);
            Ok(())
        })?;
        Ok(check.finish()?)
    }
}

/// Reads the annex of a frame, whose slack is at this place. `None` if the slack holds anything
/// else.
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
