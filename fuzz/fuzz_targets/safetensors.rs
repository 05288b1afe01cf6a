//! Arbitrary bytes as the header of a safetensors file: what is accepted has tensors that lie within
//! the file, none over another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zipnn::safetensors::Layout;

fuzz_target!(|header: &[u8]| {
    let file_len = 8 + header.len() as u64 + 1000;
    let file = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 1000]].concat();
    let _ = Layout::parse(header, file_len);
    let Ok(layout) = Layout::parse(&file, file_len) else { return };
    let _ = layout.main_dtype();
    for tensor in layout.tensors() {
        let _ = (tensor.dtype(), tensor.element_bits());
        assert!(tensor.len() <= 1000, "{tensor:?}");
        assert!(layout.tensor(&tensor.name).is_some());
    }
});
