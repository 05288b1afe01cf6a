//! Compares kernels with a plain implementation that follows docs/FORMAT.md.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use zipnn::DType;
use zipnn::kernels;
use zipnn::kernels::Counts;
use zipnn_fuzz::Data;

#[derive(Debug)]
struct Input {
    dtype: DType,
    chunk: Vec<u8>,
    plane: Data,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let dtype = zipnn_fuzz::dtype(input)?;
        let mut chunk: Vec<u8> = input.arbitrary()?;
        // Rotation works on words of four bytes.
        chunk.truncate(chunk.len() / 4 * 4);
        Ok(Self { dtype, chunk, plane: input.arbitrary()? })
    }
}

/// Rotates an element: moves the sign below the exponent.
fn rotate(dtype: DType, element: &[u8]) -> Vec<u8> {
    match dtype {
        DType::F32 => {
            let bits = u32::from_le_bytes(element.try_into().unwrap());
            let (sign, exponent, rest) = (bits >> 31, bits >> 23 & 0xff, bits & 0x7f_ffff);
            (exponent << 24 | sign << 23 | rest).to_le_bytes().to_vec()
        }
        DType::BF16 => {
            let bits = u16::from_le_bytes(element.try_into().unwrap());
            let (sign, exponent, rest) = (bits >> 15, bits >> 7 & 0xff, bits & 0x7f);
            (exponent << 8 | sign << 7 | rest).to_le_bytes().to_vec()
        }
        _ => element.to_vec(),
    }
}

fn check_planes(dtype: DType, chunk: &[u8]) {
    let elements: Vec<_> =
        chunk.chunks(dtype.size()).map(|element| rotate(dtype, element)).collect();
    let expected: Vec<u8> = (0..dtype.size())
        .flat_map(|plane| elements.iter().map(move |element| element[plane]))
        .collect();
    let mut planes = vec![0x99; chunk.len()];
    kernels::split(dtype, chunk, &mut planes);
    assert!(planes == expected, "split");
    let mut merged = vec![0x66; chunk.len()];
    kernels::merge(dtype, &planes, &mut merged);
    assert!(merged == chunk, "merge");
}

/// Checks that encoding in pairs gives the same bytes, if the symbols span at most 64 values.
fn check_pairs(plane: &[u8]) {
    // Every stream must have whole pairs.
    let plane = &plane[..plane.len() / 8 * 8];
    if plane.is_empty() {
        return;
    }
    let (lowest, highest) = kernels::range(plane);
    assert_eq!(Some(&lowest), plane.iter().min());
    assert_eq!(Some(&highest), plane.iter().max());
    if highest - lowest >= 64 {
        return;
    }
    let mut singly = Counts::new();
    singly.count(plane);
    let Some(code) = singly.code(plane.len()) else { return };
    let mut packed = plane.to_vec();
    kernels::pack(&mut packed, lowest);
    let mut pairs = Counts::new();
    pairs.count_pairs(&packed, lowest);
    let mut pair_code = pairs.code(plane.len()).expect("the counts are the same");
    let expected = code.encode(plane);
    let mut coded = vec![0; expected.len()];
    pair_code.encode_pairs_into(&packed, lowest, &mut coded);
    assert!(coded == expected, "pairs");
}

fuzz_target!(|input: Input| {
    check_planes(input.dtype, &input.chunk);
    check_pairs(&input.plane.0);
    let folded: Vec<u8> = input.plane.0.iter().map(|byte| 60 + byte % 60).collect();
    check_pairs(&folded);
});
