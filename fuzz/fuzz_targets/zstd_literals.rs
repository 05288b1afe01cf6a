//! Coded planes are interchangeable with the planes of `ruzstd`.
//!
//! A coded plane has the format of Zstandard's compressed literals in four streams (RFC 8878,
//! section 3.1.1.3.1). Each coder decodes the planes of the other, and both agree on all that both
//! accept.
#![no_main]

#[path = "../../tests/common/zstd_literals.rs"]
mod zstd_literals;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::frame::DecodeTable;
use zipnn::kernels;
use zipnn::kernels::Counts;
use zipnn_fuzz::Data;

#[derive(Debug, Arbitrary)]
struct Input {
    plane: Data,
    changes: Vec<(u16, u8)>,
}

fn decode(coded: &[u8], plane_len: usize) -> Option<Vec<u8>> {
    let mut decoded = vec![0; plane_len];
    kernels::decode(coded, &mut decoded, &mut Box::new(DecodeTable::new())).then_some(decoded)
}

fn encode(plane: &[u8]) -> Option<Vec<u8>> {
    let mut counts = Counts::new();
    counts.count(plane);
    Some(counts.code(plane.len())?.encode(plane))
}

/// Decodes a coded plane with both, unchanged and changed.
fn check(mut coded: Vec<u8>, plane: &Vec<u8>, changes: &[(u16, u8)]) {
    let both =
        |coded: &[u8]| (decode(coded, plane.len()), zstd_literals::decode(coded, plane.len()));
    let (ours, theirs) = both(&coded);
    assert!(ours.as_ref() == Some(plane), "our decoder returns other bytes");
    assert!(theirs.as_ref() == Some(plane), "ruzstd returns other bytes");

    for &(at, change) in changes {
        let at = usize::from(at) % coded.len();
        coded[at] ^= change;
    }
    if let (Some(ours), Some(theirs)) = both(&coded) {
        assert!(ours == theirs, "ruzstd decodes other bytes");
    }
}

fuzz_target!(|input: Input| {
    let plane = &input.plane.0;
    for coded in [encode(plane), zstd_literals::encode(plane)].into_iter().flatten() {
        check(coded, plane, &input.changes);
    }
});
