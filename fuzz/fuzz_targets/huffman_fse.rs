//! Arbitrary bytes as weights in FSE, and weights of arbitrary codes that are written in FSE.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::kernels;
use zipnn::kernels::Counts;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    coded: &'a [u8],
    /// Count of each symbol, as a power of two.
    counts: Vec<u8>,
}

fuzz_target!(|input: Input<'_>| {
    let coded = &input.coded[..input.coded.len().min(127)];
    let description = [&[coded.len() as u8], coded].concat();
    if let Some((_, size)) = kernels::read_tree(&description) {
        assert_eq!(size, description.len());
    }

    let plane: Vec<u8> = (0_u8..=255)
        .zip(&input.counts)
        .flat_map(|(symbol, &log)| std::iter::repeat_n(symbol, (1 << (log % 12)) >> 1))
        .collect();
    let mut counts = Counts::new();
    counts.count(&plane);
    let Some(code) = counts.code(plane.len()) else { return };
    let coded = code.encode(&plane);
    let (lengths, size) = kernels::read_tree(&coded).expect("what is written can be read");
    let used = plane.iter().all(|&symbol| lengths[usize::from(symbol)] > 0);
    assert!(used && size < coded.len());
});
