//! Arbitrary bytes as the header of a safetensors file.
//!
//! The tensors of an accepted header lie within the file. Each byte is in a tensor or in a gap, and
//! in one part of the plan.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zipnn::tensor::plan;
use zipnn::tensor::{Metadata, Oddity};

fuzz_target!(|header: &[u8]| {
    let file_len = 8 + header.len() as u64 + 1000;
    let file = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 1000]].concat();
    let _ = Metadata::parse(header, file_len);
    if let Ok(layout) = Metadata::parse_header(&file) {
        let _ = (layout.main_dtype(), layout.oddities().count());
        let _ = plan(&layout, 1 << 20).take(100).count();
    }
    let Ok(layout) = Metadata::parse(&file, file_len) else { return };
    let _ = layout.main_dtype();
    let is_shared = |oddity| matches!(oddity, Oddity::SharedBytes { .. });
    let mut covered: u64 = layout.gaps().map(|gap| gap.end - gap.start).sum();
    for tensor in layout.tensors() {
        let _ = (tensor.dtype(), tensor.element_bits());
        assert!(tensor.len() <= 1000, "{tensor:?}");
        assert!(layout.tensor(&tensor.name).is_some());
        let count = tensor.shape.first().copied().unwrap_or_default();
        if let Ok(rows) = tensor.rows(count / 2..count) {
            assert!(rows.start <= rows.end && rows.end <= tensor.range.end, "{tensor:?}");
        }
        covered = covered.saturating_add(tensor.len());
    }
    assert!(layout.oddities().any(is_shared) || covered == 1000);
    let mut at = 0;
    for part in plan(&layout, 100) {
        assert_eq!(part.range.start, at);
        at = part.range.end;
    }
    assert_eq!(at, file_len);
});
