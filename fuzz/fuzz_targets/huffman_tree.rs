//! Arbitrary bytes as the description of a code.
//!
//! An accepted description gives a complete code, which can be described again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zipnn::kernels;

fuzz_target!(|description: &[u8]| {
    let Some((lengths, size)) = kernels::read_tree(description) else { return };
    assert!(size <= description.len());
    let cells: u32 = lengths.iter().filter(|&&len| len > 0).map(|&len| 1 << (12 - len)).sum();
    assert_eq!(cells, 1 << 12, "not a complete code");
    if let Some(again) = kernels::write_tree(lengths) {
        assert_eq!(kernels::read_tree(&again), Some((lengths, again.len())));
    }
});
