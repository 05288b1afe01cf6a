//! Writes the sequences of a block (RFC 8878, section 3.1.1.3.2).
//!
//! A sequence consists of a number of literals, a number of repeated bytes, and the distance of the
//! repetition. Each of the three is encoded as an FSE code and extra bits.

use crate::bits::ForwardWriter;
use crate::chunk::zstd::fse::{self, Table};
use crate::chunk::zstd::runs::Sequence;

/// Base-2 logarithms of the sizes of the largest tables.
const LENGTH_TABLE_LOG: u32 = 9;
const OFFSET_TABLE_LOG: u32 = 8;

/// Shortest repetition that has a code.
pub(super) const SHORTEST_REPETITION: u32 = 3;

/// The values of a code: the smallest value, and the number of extra bits.
type Range = (u32, u32);

const LITERAL_CODES: [Range; 36] = codes::<36>(&[
    (16, 0),
    (4, 1),
    (2, 2),
    (2, 3),
    (1, 4),
    (0, 5),
    (1, 6),
    (1, 7),
    (1, 8),
    (1, 9),
    (1, 10),
    (1, 11),
    (1, 12),
    (1, 13),
    (1, 14),
    (1, 15),
    (1, 16),
]);
/// Codes of the lengths of repetitions, minus the shortest length.
const REPETITION_CODES: [Range; 53] = codes::<53>(&[
    (32, 0),
    (4, 1),
    (2, 2),
    (2, 3),
    (2, 4),
    (1, 5),
    (0, 6),
    (1, 7),
    (1, 8),
    (1, 9),
    (1, 10),
    (1, 11),
    (1, 12),
    (1, 13),
    (1, 14),
    (1, 15),
    (1, 16),
]);

/// Lengths below these limits are looked up in tables. The code of a longer length follows from its
/// base-2 logarithm.
const LITERALS_LOOKED_UP: usize = 64;
const REPETITIONS_LOOKED_UP: usize = 128;
const LITERAL_LOOK_UP: [u8; LITERALS_LOOKED_UP] = look_up(&LITERAL_CODES);
const REPETITION_LOOK_UP: [u8; REPETITIONS_LOOKED_UP] = look_up(&REPETITION_CODES);

/// Returns consecutive codes, given the number of codes for each number of extra bits.
const fn codes<const N: usize>(widths: &[(usize, u32)]) -> [Range; N] {
    let mut codes = [(0, 0); N];
    let (mut code, mut least, mut group) = (0, 0, 0);
    while group < widths.len() {
        let (count, bits) = widths[group];
        let mut index = 0;
        while index < count {
            codes[code] = (least, bits);
            least += 1 << bits;
            code += 1;
            index += 1;
        }
        group += 1;
    }
    assert!(code == N, "every code has a range");
    codes
}

/// Returns the code of each length below `N`.
const fn look_up<const N: usize>(codes: &[Range]) -> [u8; N] {
    let mut table = [0; N];
    let (mut value, mut code) = (0, 0);
    while value < N {
        while code + 1 < codes.len() && codes[code + 1].0 as usize <= value {
            code += 1;
        }
        table[value] = code as u8;
        value += 1;
    }
    table
}

fn literal_code(count: u32) -> u8 {
    match LITERAL_LOOK_UP.get(count as usize) {
        Some(&code) => code,
        None => (count.ilog2() - LITERALS_LOOKED_UP.ilog2()) as u8 + 25,
    }
}

fn repetition_code(count: u32) -> u8 {
    match REPETITION_LOOK_UP.get(count as usize) {
        Some(&code) => code,
        None => (count.ilog2() - REPETITIONS_LOOKED_UP.ilog2()) as u8 + 43,
    }
}

/// A number and its width in bits.
type Bits = (u32, u32);

/// Returns the code and the extra bits of the first repetition's offset.
///
/// The other repetitions refer to this offset. Every frame begins with 1, 4 and 8 as its recent
/// offsets, so these periods are encoded as references to them.
fn first_offset(period: usize) -> (u8, Bits) {
    let value = match period {
        1 => 1,
        4 => 2,
        8 => 3,
        other => other as u32 + 3,
    };
    let code = value.ilog2();
    (code as u8, (value - (1 << code), code))
}

/// Code for the offset of the previous repetition.
const SAME_OFFSET: u8 = 0;

/// Writes the sequences to the beginning of `dst` and returns the section's length in bytes.
///
/// `sequences` is not empty. Returns `None` if there is no room.
pub(super) fn write(sequences: &[Sequence], period: usize, dst: &mut [u8]) -> Option<usize> {
    let (first_code, first_bits) = first_offset(period);
    let literal = |sequence: &Sequence| literal_code(sequence.literals);
    let repetition = |sequence: &Sequence| repetition_code(sequence.repeated - SHORTEST_REPETITION);
    let mut counts = [[0_u32; 64]; 3];
    let [literal_counts, offset_counts, repetition_counts] = &mut counts;
    for sequence in sequences {
        literal_counts[usize::from(literal(sequence) % 64)] += 1;
        repetition_counts[usize::from(repetition(sequence) % 64)] += 1;
    }
    offset_counts[usize::from(SAME_OFFSET)] = sequences.len() as u32 - 1;
    offset_counts[usize::from(first_code)] += 1;

    let mut at = write_count(sequences.len(), dst)?;
    let modes_at = at;
    at += 1;
    let logs = [LENGTH_TABLE_LOG, OFFSET_TABLE_LOG, LENGTH_TABLE_LOG];
    let mut tables = [const { Table::EMPTY }; 3];
    let mut modes = 0;
    for ((table, counts), log) in tables.iter_mut().zip(&counts).zip(logs) {
        let (mode, len) = fse::fill(table, counts, log, dst.get_mut(at..)?)?;
        modes = modes << 2 | mode;
        at += len;
    }
    *dst.get_mut(modes_at)? = modes << 2;

    let [literals, offsets, repetitions] = &tables;
    let mut bits = ForwardWriter::new(dst.get_mut(at..)?);
    let (last, others) = sequences.split_last()?;
    let offset = |index| if index == 0 { (first_code, first_bits) } else { (SAME_OFFSET, (0, 0)) };
    let push_extra = |sequence: &Sequence, bits: &mut ForwardWriter, offset_bits: Bits| {
        let (least, width) = LITERAL_CODES[usize::from(literal(sequence))];
        bits.push(sequence.literals - least, width);
        let (least, width) = REPETITION_CODES[usize::from(repetition(sequence))];
        bits.push(sequence.repeated - SHORTEST_REPETITION - least, width);
        bits.push(offset_bits.0, offset_bits.1);
        bits.flush()
    };
    let (offset_code, offset_bits) = offset(others.len());
    let mut literal_state = literals.first_state(literal(last));
    let mut offset_state = offsets.first_state(offset_code);
    let mut repetition_state = repetitions.first_state(repetition(last));
    push_extra(last, &mut bits, offset_bits)?;
    for (index, sequence) in others.iter().enumerate().rev() {
        let (offset_code, offset_bits) = offset(index);
        offset_state = offsets.next_state(offset_state, offset_code, &mut bits);
        repetition_state =
            repetitions.next_state(repetition_state, repetition(sequence), &mut bits);
        literal_state = literals.next_state(literal_state, literal(sequence), &mut bits);
        bits.flush()?;
        push_extra(sequence, &mut bits, offset_bits)?;
    }
    repetitions.write_state(repetition_state, &mut bits);
    offsets.write_state(offset_state, &mut bits);
    literals.write_state(literal_state, &mut bits);
    bits.push(1, 1);
    bits.flush()?;
    Some(at + bits.finish()?)
}

/// Writes the number of sequences.
fn write_count(count: usize, dst: &mut [u8]) -> Option<usize> {
    /// Smallest numbers that take two and three bytes.
    const TWO_BYTES: usize = 128;
    const THREE_BYTES: usize = 0x7f00;
    let (bytes, len) = if count < TWO_BYTES {
        ([count as u8, 0, 0], 1)
    } else if count < THREE_BYTES {
        ([(count >> 8) as u8 + 128, count as u8, 0], 2)
    } else {
        let [low, high] = u16::try_from(count - THREE_BYTES).ok()?.to_le_bytes();
        ([255, low, high], 3)
    };
    dst.get_mut(..len)?.copy_from_slice(&bytes[..len]);
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_match_the_format() {
        assert_eq!(
            LITERAL_CODES[15..26],
            [
                (15, 0),
                (16, 1),
                (18, 1),
                (20, 1),
                (22, 1),
                (24, 2),
                (28, 2),
                (32, 3),
                (40, 3),
                (48, 4),
                (64, 6),
            ]
        );
        assert_eq!(LITERAL_CODES[35], (65_536, 16));
        let with_shortest =
            REPETITION_CODES.map(|(least, bits)| (least + SHORTEST_REPETITION, bits));
        assert_eq!(
            with_shortest[31..45],
            [
                (34, 0),
                (35, 1),
                (37, 1),
                (39, 1),
                (41, 1),
                (43, 2),
                (47, 2),
                (51, 3),
                (59, 3),
                (67, 4),
                (83, 4),
                (99, 5),
                (131, 7),
                (259, 8),
            ]
        );
        assert_eq!(with_shortest[52], (65_539, 16));
    }

    #[test]
    fn every_length_has_a_code() {
        for length in 0..=131_071 {
            for (code, codes) in [
                (literal_code(length), &LITERAL_CODES[..]),
                (repetition_code(length), &REPETITION_CODES[..]),
            ] {
                let (least, bits) = codes[usize::from(code)];
                assert!((least..least + (1 << bits)).contains(&length), "{length}");
            }
        }
    }
}
