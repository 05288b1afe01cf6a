//! Arbitrary bytes as a safetensors file in which tensors may be compressed: its list, its frames,
//! and what the original may have done to it.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use zipnn::safetensors::{TensorReader, examine};
use zipnn_fuzz::LIMITS;

fuzz_target!(|file: &[u8]| {
    let Ok(mut reader) = TensorReader::open(Cursor::new(file), LIMITS) else { return };
    let mut decoded = Vec::new();
    for tensor in 0..reader.tensors().len() {
        let _ = reader.read(tensor, &mut decoded);
        let _ = reader.read_stored(tensor, &mut decoded);
    }
    let _ = reader.restored();
    let _ = examine(&mut reader);
});
