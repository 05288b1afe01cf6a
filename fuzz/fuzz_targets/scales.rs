//! Codes of scales round-trip, and changed or arbitrary codes do no harm.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::kernels;
use zipnn_fuzz::{Data, change};

#[derive(Debug, Arbitrary)]
struct Input {
    dtype: u8,
    data: Data,
    changes: Vec<(u16, u8)>,
    /// A code that no encoder has written, and the length of its data.
    code: Vec<u8>,
    len: u16,
}

/// Minimum length of chunks in bytes.
const SHORTEST: usize = 8 * 1024;

fuzz_target!(|input: Input| {
    // The library encodes only chunks that are worth tables of their own.
    let data = &input.data.0;
    if data.is_empty() {
        return;
    }
    let data = &data.repeat(SHORTEST.div_ceil(data.len()));
    let dtype = zipnn::DType::ALL[usize::from(input.dtype) % zipnn::DType::ALL.len()];
    let mut code = kernels::encode_scales(dtype, data);
    let mut decoded = vec![0; data.len()];
    assert!(kernels::decode_scales(&code, &mut decoded));
    assert!(decoded == *data);

    change(&mut code, &input.changes);
    kernels::decode_scales(&code, &mut decoded);
    kernels::decode_scales(&input.code, &mut vec![0; input.len.into()]);
});
