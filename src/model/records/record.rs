//! The known types of records, and splitting records into parts.

use crate::model::records::join::Join;

/// Maximum number of parts of a record.
pub(crate) const MAX_PARTS: usize = 8;

/// Type of the records of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Number of the type in the format, which is also its number in GGUF files.
    pub(crate) code: u8,
    fields: &'static [Field],
}

/// A field of a record, in the order of its bytes.
#[derive(Debug, PartialEq, Eq)]
enum Field {
    /// Bytes that form one part.
    Bytes(usize),
    /// A little-endian 16-bit number, each byte of which forms a part.
    Half,
    /// Low and high bits of weights, which form two parts of one byte for each weight.
    Weights(Join),
}

impl Field {
    /// Returns the length of the field in a record, in bytes.
    const fn len(&self) -> usize {
        match self {
            Self::Bytes(len) => *len,
            Self::Half => 2,
            Self::Weights(join) => join.len(),
        }
    }

    /// Returns how many bytes of each part a record takes. A length of zero stands for no part.
    const fn part_lens(&self) -> [usize; 2] {
        match self {
            Self::Bytes(len) => [*len, 0],
            Self::Half => [1, 1],
            Self::Weights(join) => [join.weights(), join.weights()],
        }
    }
}

use Field::{Bytes, Half, Weights};

/// All known types by their number in GGUF files.
const RECORDS: [(u8, &[Field]); 27] = [
    // Q4_0, Q4_1
    (2, &[Half, Bytes(16)]),
    (3, &[Half, Half, Bytes(16)]),
    // Q5_0, Q5_1
    (6, &[Half, Weights(Join::Q5)]),
    (7, &[Half, Half, Weights(Join::Q5)]),
    // Q8_0, Q8_1
    (8, &[Half, Bytes(32)]),
    (9, &[Half, Half, Bytes(32)]),
    // Q2_K to Q8_K
    (10, &[Bytes(16), Bytes(64), Half, Half]),
    (11, &[Bytes(32), Bytes(64), Bytes(12), Half]),
    (12, &[Half, Half, Bytes(12), Bytes(128)]),
    (13, &[Half, Half, Bytes(12), Weights(Join::Q5K)]),
    (14, &[Weights(Join::Q6K), Bytes(16), Half]),
    (15, &[Half, Half, Bytes(256), Bytes(32)]),
    // IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ4_NL, IQ3_S, IQ2_S, IQ4_XS
    (16, &[Half, Bytes(64)]),
    (17, &[Half, Bytes(64), Bytes(8)]),
    (18, &[Half, Bytes(96)]),
    (19, &[Half, Bytes(32), Bytes(16)]),
    (20, &[Half, Bytes(16)]),
    (21, &[Half, Bytes(64), Bytes(8), Bytes(32), Bytes(4)]),
    (22, &[Half, Bytes(64), Bytes(8), Bytes(8)]),
    (23, &[Half, Half, Bytes(4), Bytes(128)]),
    // IQ1_M
    (29, &[Bytes(32), Bytes(16), Bytes(8)]),
    // TQ1_0, TQ2_0
    (34, &[Bytes(48), Bytes(4), Half]),
    (35, &[Bytes(64), Half]),
    // MXFP4, NVFP4
    (39, &[Bytes(1), Bytes(16)]),
    (40, &[Bytes(4), Bytes(32)]),
    // Q1_0, Q2_0
    (41, &[Half, Bytes(16)]),
    (42, &[Half, Bytes(16)]),
];

impl Record {
    /// Returns the type with a number, or `None` if the format does not define it.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        RECORDS.iter().find(|entry| entry.0 == code).map(|&(code, fields)| Self { code, fields })
    }

    /// Returns the length of a record in bytes.
    pub(crate) fn len(self) -> usize {
        self.fields.iter().map(Field::len).sum()
    }

    /// Returns how many bytes of each part a record takes.
    pub(crate) fn part_lens(self) -> impl Iterator<Item = usize> {
        self.fields.iter().flat_map(Field::part_lens).filter(|&len| len > 0)
    }

    /// Returns the length of all parts of `count` records, in bytes.
    pub(crate) fn parts_len(self, count: usize) -> usize {
        self.part_lens().sum::<usize>() * count
    }

    /// Splits whole records into parts, which follow each other in `parts`.
    ///
    /// `parts` has the length [`Self::parts_len`].
    pub(crate) fn split(self, records: &[u8], mut parts: &mut [u8]) {
        let count = records.len() / self.len();
        let mut at = 0;
        for field in self.fields {
            let [first_len, second_len] = field.part_lens();
            let (first, rest) = parts.split_at_mut(first_len * count);
            let (second, rest) = rest.split_at_mut(second_len * count);
            parts = rest;
            let bytes =
                records.chunks_exact(self.len()).map(|record| &record[at..at + field.len()]);
            match field {
                Bytes(len) => gather(bytes, *len, first),
                Half => split_halves(bytes, first, second),
                Weights(join) => join.split(bytes, first, second),
            }
            at += field.len();
        }
    }

    /// Merges parts into whole records. It reverses [`Self::split`].
    pub(crate) fn merge(self, mut parts: &[u8], records: &mut [u8]) {
        let count = records.len() / self.len();
        let mut at = 0;
        for field in self.fields {
            let [first_len, second_len] = field.part_lens();
            let (first, rest) = parts.split_at(first_len * count);
            let (second, rest) = rest.split_at(second_len * count);
            parts = rest;
            let bytes = records
                .chunks_exact_mut(self.len())
                .map(|record| &mut record[at..at + field.len()]);
            match field {
                Bytes(len) => scatter(bytes, *len, first),
                Half => merge_halves(bytes, first, second),
                Weights(join) => join.merge(bytes, first, second),
            }
            at += field.len();
        }
    }
}

/// Copies fields to one part.
fn gather<'r>(fields: impl Iterator<Item = &'r [u8]>, len: usize, part: &mut [u8]) {
    match len {
        16 => gather_constant::<16>(fields, part),
        32 => gather_constant::<32>(fields, part),
        _ => {
            for (field, part) in fields.zip(part.chunks_exact_mut(len)) {
                part.copy_from_slice(field);
            }
        }
    }
}

/// Copies fields of a length that the compiler knows, so that a copy is one instruction or two.
fn gather_constant<'r, const LEN: usize>(fields: impl Iterator<Item = &'r [u8]>, part: &mut [u8]) {
    for (field, part) in fields.zip(part.as_chunks_mut().0) {
        *part = *field.first_chunk::<LEN>().unwrap_or(&[0; LEN]);
    }
}

/// Copies one part to fields.
fn scatter<'r>(fields: impl Iterator<Item = &'r mut [u8]>, len: usize, part: &[u8]) {
    match len {
        16 => scatter_constant::<16>(fields, part),
        32 => scatter_constant::<32>(fields, part),
        _ => {
            for (field, part) in fields.zip(part.chunks_exact(len)) {
                field.copy_from_slice(part);
            }
        }
    }
}

fn scatter_constant<'r, const LEN: usize>(fields: impl Iterator<Item = &'r mut [u8]>, part: &[u8]) {
    for (field, part) in fields.zip(part.as_chunks::<LEN>().0) {
        if let Some(field) = field.first_chunk_mut() {
            *field = *part;
        }
    }
}

fn split_halves<'r>(fields: impl Iterator<Item = &'r [u8]>, low: &mut [u8], high: &mut [u8]) {
    for ((field, low), high) in fields.zip(low).zip(high) {
        [*low, *high] = *field.first_chunk().unwrap_or(&[0; 2]);
    }
}

fn merge_halves<'r>(fields: impl Iterator<Item = &'r mut [u8]>, low: &[u8], high: &[u8]) {
    for ((field, &low), &high) in fields.zip(low).zip(high) {
        if let Some(field) = field.first_chunk_mut() {
            *field = [low, high];
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::tensor::gguf::TYPES;

    fn all() -> impl Iterator<Item = Record> {
        (0..=u8::MAX).filter_map(Record::from_code)
    }

    #[test]
    fn records_have_the_length_of_blocks() {
        for record in all() {
            let block = TYPES.iter().find(|block| block.code == u32::from(record.code)).unwrap();
            assert_eq!(record.len() as u64, block.len, "{}", block.name);
            assert!(record.part_lens().count() <= MAX_PARTS, "{}", block.name);
            // A part of a chunk of 128 KiB must not be longer than a plane may be.
            assert!(record.part_lens().all(|len| len <= record.len()), "{}", block.name);
        }
    }

    #[test]
    fn merging_reverses_splitting() {
        let mut state = 1_u32;
        for record in all() {
            for count in [0, 1, 2, 7, 100] {
                let records: Vec<u8> = (0..count * record.len())
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 24) as u8
                    })
                    .collect();
                let mut parts = vec![0xaa; record.parts_len(count)];
                record.split(&records, &mut parts);
                let mut merged = vec![0x55; records.len()];
                record.merge(&parts, &mut merged);
                assert_eq!(merged, records, "{record:?}");
            }
        }
    }

    #[test]
    fn each_part_holds_one_field() {
        let q8_0 = Record::from_code(8).unwrap();
        let records: Vec<u8> = (0..68).collect();
        let mut parts = [0; 68];
        q8_0.split(&records, &mut parts);
        assert_eq!(parts[..4], [0, 34, 1, 35]);
        assert!(parts[4..36].iter().copied().eq(2..34));
        assert!(parts[36..].iter().copied().eq(36..68));
    }
}
