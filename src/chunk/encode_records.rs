//! Encodes chunks of records.

use alloc::vec::Vec;

use crate::chunk::encode::{self, EncodeScratch};
use crate::chunk::plane_encoder::{PlaneEncoder, Stored};
use crate::chunk::records::{Division, PART_HEADER_LEN};
use crate::format::method;
use crate::model::records::{MAX_PARTS, Record};
use crate::profile::PlaneCoding;

/// Memory for encoding records.
#[derive(Default)]
pub(crate) struct RecordsMemory {
    encoders: [PlaneEncoder; MAX_PARTS],
    /// The parts of a chunk, one after another.
    parts: Vec<u8>,
    /// The stored form of a chunk.
    stored: Vec<u8>,
}

/// Encodes a chunk of records into `dst`, which is at least as long, or returns `None` if its parts
/// are hardly shorter together.
///
/// `offset` is the offset of the chunk in the records.
pub(crate) fn encode(
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
