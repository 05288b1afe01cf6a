//! Arbitrary bits behind a sound description of a pivot code.
//!
//! All levels agree with the reference on errors and on data, whatever the memory contained before.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::kernels;
use zipnn::kernels::Counts;
use zipnn::simd::Level;
use zipnn_fuzz::Data;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// Plane that the code is made for.
    plane: Data,
    /// Changes of the coded plane.
    changes: Vec<(u16, u8)>,
    /// Replacement of everything after the description, unless empty.
    bits: &'a [u8],
    plane_len: u16,
}

fuzz_target!(|input: Input<'_>| {
    let plane = &input.plane.0;
    let mut counts = Counts::new();
    counts.count(plane);
    let Some(mut coded) = counts.pivot_code(plane) else { return };
    check(&coded, plane.len(), Some(plane));
    if !input.bits.is_empty() {
        let (_, size) = kernels::read_tree(&coded).expect("what is written can be read");
        coded.truncate(size);
        coded.extend_from_slice(input.bits);
    }
    for &(at, change) in &input.changes {
        let at = usize::from(at) % coded.len();
        coded[at] ^= change;
    }
    check(&coded, plane.len(), None);
    check(&coded, input.plane_len.into(), None);
});

fn check(coded: &[u8], plane_len: usize, expected: Option<&[u8]>) {
    let mut reference = vec![0; plane_len];
    let is_good = kernels::decode_pivot(Level::Scalar, coded, &mut reference);
    for level in Level::ALL {
        let mut decoded = vec![0xff; plane_len];
        let Some(is_good_here) = kernels::decode_pivot(level, coded, &mut decoded) else {
            continue;
        };
        assert_eq!(Some(is_good_here), is_good, "{level}");
        assert!(!is_good_here || decoded == reference, "{level}: other data");
    }
    if let Some(expected) = expected {
        assert!(is_good == Some(true) && reference == expected, "other data");
    }
}
