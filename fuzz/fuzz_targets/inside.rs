//! Arbitrary bytes as a safetensors file in which tensors may be compressed: its list, its
//! frames, and a new header for it.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use zipnn::tensor::inside::TensorReader;
use zipnn_fuzz::LIMITS;

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |file: &[u8]| {
    let Ok(mut reader) = TensorReader::open(Cursor::new(file), LIMITS) else { return };
    let mut decoded = Vec::new();
    for tensor in 0..reader.tensors().len() {
        if reader.read(tensor, &mut decoded).is_ok() {
            let start = decoded.len() / 3;
            let mut part = vec![0; decoded.len() - start];
            reader.read_part(tensor, start as u64, &mut part).expect("the whole is right");
            assert_eq!(part, decoded[start..]);
        }
        let _ = reader.verify_stored(tensor);
        let _ = reader.read_stored(tensor, &mut decoded);
    }
    let _ = reader.restored_header();
    let _ = reader.repaired_header(true);
});
