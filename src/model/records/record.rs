//! The known types of records, and splitting records into parts.

use crate::model::records::join::Join;

/// Maximum number of parts of a record.
pub(crate) const MAX_PARTS: usize = 8;

/// Type of the records that store a quantised tensor.
///
/// The types are named in GGUF files.
///
/// ```
/// use zipnn::frame::Record;
///
/// let record = Record::from_name("Q8_0").unwrap();
/// assert_eq!(record.len(), 34);
/// assert_eq!(Record::from_name("F32"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Number of the type in the format, which is also its number in GGUF files.
    pub(crate) code: u8,
    name: &'static str,
    elements: u64,
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

/// All known types, from `ggml_type` and the structs of ggml.
static RECORDS: [Record; 27] = [
    record(2, "Q4_0", 32, &[Half, Bytes(16)]),
    record(3, "Q4_1", 32, &[Half, Half, Bytes(16)]),
    record(6, "Q5_0", 32, &[Half, Weights(Join::Q5)]),
    record(7, "Q5_1", 32, &[Half, Half, Weights(Join::Q5)]),
    record(8, "Q8_0", 32, &[Half, Bytes(32)]),
    record(9, "Q8_1", 32, &[Half, Half, Bytes(32)]),
    record(10, "Q2_K", 256, &[Bytes(16), Bytes(64), Half, Half]),
    record(11, "Q3_K", 256, &[Bytes(32), Bytes(64), Bytes(12), Half]),
    record(12, "Q4_K", 256, &[Half, Half, Bytes(12), Bytes(128)]),
    record(13, "Q5_K", 256, &[Half, Half, Bytes(12), Weights(Join::Q5K)]),
    record(14, "Q6_K", 256, &[Weights(Join::Q6K), Bytes(16), Half]),
    record(15, "Q8_K", 256, &[Half, Half, Bytes(256), Bytes(32)]),
    record(16, "IQ2_XXS", 256, &[Half, Bytes(64)]),
    record(17, "IQ2_XS", 256, &[Half, Bytes(64), Bytes(8)]),
    record(18, "IQ3_XXS", 256, &[Half, Bytes(96)]),
    record(19, "IQ1_S", 256, &[Half, Bytes(32), Bytes(16)]),
    record(20, "IQ4_NL", 32, &[Half, Bytes(16)]),
    record(21, "IQ3_S", 256, &[Half, Bytes(64), Bytes(8), Bytes(32), Bytes(4)]),
    record(22, "IQ2_S", 256, &[Half, Bytes(64), Bytes(8), Bytes(8)]),
    record(23, "IQ4_XS", 256, &[Half, Half, Bytes(4), Bytes(128)]),
    record(29, "IQ1_M", 256, &[Bytes(32), Bytes(16), Bytes(8)]),
    record(34, "TQ1_0", 256, &[Bytes(48), Bytes(4), Half]),
    record(35, "TQ2_0", 256, &[Bytes(64), Half]),
    record(39, "MXFP4", 32, &[Bytes(1), Bytes(16)]),
    record(40, "NVFP4", 64, &[Bytes(4), Bytes(32)]),
    record(41, "Q1_0", 128, &[Half, Bytes(16)]),
    record(42, "Q2_0", 64, &[Half, Bytes(16)]),
];

const fn record(code: u8, name: &'static str, elements: u64, fields: &'static [Field]) -> Record {
    Record { code, name, elements, fields }
}

impl Record {
    /// Returns the type that GGUF files call `name`, or `None` if no type of records has the name.
    pub fn from_name(name: &str) -> Option<Self> {
        RECORDS.iter().find(|record| record.name == name).copied()
    }

    /// Returns the type with a number, or `None` if no type has the number.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        RECORDS.iter().find(|record| record.code == code).copied()
    }

    /// Returns the name of the type in GGUF files.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns the number of weights in a record.
    pub(crate) const fn elements(self) -> u64 {
        self.elements
    }

    /// Returns the length of a record in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a record is never empty")]
    pub fn len(self) -> usize {
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

    /// Sizes of the structs, from the assertions in `ggml-common.h`.
    const LENS: [(&str, usize); 27] = [
        ("Q4_0", 18),
        ("Q4_1", 20),
        ("Q5_0", 22),
        ("Q5_1", 24),
        ("Q8_0", 34),
        ("Q8_1", 36),
        ("Q2_K", 84),
        ("Q3_K", 110),
        ("Q4_K", 144),
        ("Q5_K", 176),
        ("Q6_K", 210),
        ("Q8_K", 292),
        ("IQ2_XXS", 66),
        ("IQ2_XS", 74),
        ("IQ3_XXS", 98),
        ("IQ1_S", 50),
        ("IQ4_NL", 18),
        ("IQ3_S", 110),
        ("IQ2_S", 82),
        ("IQ4_XS", 136),
        ("IQ1_M", 56),
        ("TQ1_0", 54),
        ("TQ2_0", 66),
        ("MXFP4", 17),
        ("NVFP4", 36),
        ("Q1_0", 18),
        ("Q2_0", 18),
    ];

    fn all() -> impl Iterator<Item = Record> {
        (0..=u8::MAX).filter_map(Record::from_code)
    }

    #[test]
    fn records_have_the_length_of_blocks() {
        for record in all() {
            let name = record.name();
            let (_, len) = LENS.into_iter().find(|(known, _)| *known == name).unwrap();
            assert_eq!(record.len(), len, "{name}");
            assert_eq!(Record::from_name(name), Some(record));
            assert!(record.part_lens().count() <= MAX_PARTS, "{name}");
            // A part of a chunk of 128 KiB must not be longer than a plane may be.
            assert!(record.part_lens().all(|len| len <= record.len()), "{name}");
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
