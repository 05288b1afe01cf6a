//! Arbitrary streams behind a sound description.
//!
//! Both tables agree on errors and on data, whatever the memory contained before.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::frame::{DecodeTable, SmallTable};
use zipnn::kernels;
use zipnn::kernels::Counts;
use zipnn_fuzz::Data;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// Plane that the code is made for.
    plane: Data,
    /// Changes of the coded plane.
    changes: Vec<(u16, u8)>,
    /// Replacement of the streams, unless empty.
    streams: &'a [u8],
    plane_len: u16,
}

fuzz_target!(|input: Input<'_>| {
    let plane = &input.plane.0;
    let mut counts = Counts::new();
    counts.count(plane);
    let Some(code) = counts.code(plane.len()) else { return };
    let mut coded = code.encode(plane);
    check(&coded, plane.len(), Some(plane));
    if !input.streams.is_empty() {
        let (_, size) = kernels::read_tree(&coded).expect("what is written can be read");
        coded.truncate(size);
        coded.extend_from_slice(input.streams);
    }
    for &(at, change) in &input.changes {
        let at = usize::from(at) % coded.len();
        coded[at] ^= change;
    }
    check(&coded, plane.len(), None);
    check(&coded, input.plane_len.into(), None);
});

fn check(coded: &[u8], plane_len: usize, expected: Option<&[u8]>) {
    let [mut first, mut second, mut small] = [0, 0xff, 0x55].map(|stale| vec![stale; plane_len]);
    let mut table = Box::new(DecodeTable::new());
    let is_good = kernels::decode(coded, &mut first, &mut table);
    assert_eq!(kernels::decode(coded, &mut second, &mut table), is_good);
    let mut table = Box::new(SmallTable::new());
    assert_eq!(kernels::decode_small(coded, &mut small, &mut table), is_good, "the tables differ");
    if is_good {
        assert!(first == second, "stale bytes");
        assert!(first == small, "the tables differ");
    }
    if let Some(expected) = expected {
        assert!(is_good && first == expected, "other data");
    }
}
