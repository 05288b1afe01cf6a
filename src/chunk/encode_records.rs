//! Encodes chunks that may consist of records.

use crate::chunk::encode::{self, EncodeScratch, NextChunk, RecordsMemory};
use crate::chunk::encode_scales;
use crate::chunk::plane_encoder::Stored;
use crate::chunk::records::{Division, PART_HEADER_LEN};
use crate::format::{HAS_EXTENDED, method};
use crate::model::records::Record;
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::plane_layout::PlaneLayout;
use crate::profile::PlaneCoding;

/// Encodes the chunk at `offset` of a frame, as records if the options say that it consists of them.
/// Otherwise works like [`encode::encode`].
pub(crate) fn encode(
    offset: usize,
    layout: PlaneLayout,
    chunk: &[u8],
    options: &Options,
    dst: [&mut [u8]; MAX_PLANES],
    scratch: &mut EncodeScratch,
    next: NextChunk<'_>,
) -> [Stored; MAX_PLANES] {
    let coding = options.coding();
    if HAS_EXTENDED && options.uses_scales() {
        return encode_scales::encode(layout, chunk, options, dst, scratch);
    }
    let first = &mut *dst[0];
    let stored = options
        .records(layout)
        .and_then(|record| encode_records(record, offset, chunk, coding, first, scratch));
    match stored {
        Some(stored) => [stored, Stored::default(), Stored::default(), Stored::default()],
        None => encode::encode(layout, chunk, coding, dst, scratch, next),
    }
}

/// Returns the number of bytes in which [`encode`] would store a chunk.
///
/// `space` is at least as long as the chunk.
pub(crate) fn encoded_len(
    offset: usize,
    layout: PlaneLayout,
    chunk: &[u8],
    options: &Options,
    space: &mut [u8],
    scratch: &mut EncodeScratch,
) -> usize {
    let coding = options.coding();
    if HAS_EXTENDED && options.uses_scales() {
        return encode_scales::encoded_len(layout, chunk, options, space, scratch);
    }
    let stored = options
        .records(layout)
        .and_then(|record| encode_records(record, offset, chunk, coding, space, scratch));
    match stored {
        Some(stored) => stored.len,
        None => encode::encoded_len(layout, chunk, coding, space, scratch),
    }
}

/// Encodes a chunk of records into `dst`, which is at least as long, or returns `None` if its parts
/// are hardly shorter together.
///
/// `offset` is the offset of the chunk in the records.
fn encode_records(
    record: Record,
    offset: usize,
    chunk: &[u8],
    coding: PlaneCoding,
    dst: &mut [u8],
    scratch: &mut EncodeScratch,
) -> Option<Stored> {
    let lead = offset.next_multiple_of(record.len()) - offset;
    let division = Division::new(record, lead, chunk.len())?;
    let coding = coding.of_parts();
    let mut memory = core::mem::take(&mut scratch.records);
    store(division, chunk, coding, &mut memory, scratch);
    let len = memory.stored.len();
    let is_worth = (len as f64) < chunk.len() as f64 * f64::from(coding.threshold);
    if is_worth {
        dst[..len].copy_from_slice(&memory.stored);
    }
    scratch.records = memory;
    is_worth.then_some(Stored { method: method::RECORDS, len })
}

/// Writes the stored form of a chunk to the memory.
fn store(
    division: Division,
    chunk: &[u8],
    coding: PlaneCoding,
    memory: &mut RecordsMemory,
    scratch: &mut EncodeScratch,
) {
    let RecordsMemory { encoders, parts, stored } = memory;
    let range = division.range();
    parts.resize(division.parts_len(), 0);
    division.record.split(&chunk[range.clone()], parts);
    stored.clear();
    stored.extend_from_slice(&division.header());
    stored.extend_from_slice(&chunk[..range.start]);
    stored.extend_from_slice(&chunk[range.end..]);
    let mut rest = &parts[..];
    for (encoder, len) in encoders.iter_mut().zip(division.part_lens()) {
        let (part, behind) = rest.split_at(len);
        rest = behind;
        let at = stored.len();
        stored.resize(at + PART_HEADER_LEN + len, 0);
        let (header, dst) = stored[at..].split_at_mut(PART_HEADER_LEN);
        let part = encode::encode_part(encoder, part, dst, coding, scratch);
        header[0] = part.method;
        header[1..].copy_from_slice(&(part.len as u32).to_le_bytes());
        stored.truncate(at + PART_HEADER_LEN + part.len);
    }
}
