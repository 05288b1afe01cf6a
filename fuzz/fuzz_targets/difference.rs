//! Codes of differences round-trip, and changed or arbitrary codes do no harm.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::kernels;
use zipnn_fuzz::{Data, change};

#[derive(Debug, Arbitrary)]
struct Input {
    dtype: u8,
    data: Data,
    /// Amounts that are added to bytes of the data, over and over, to make the base.
    base: Vec<u8>,
    changes: Vec<(u16, u8)>,
    /// A code that no encoder has written.
    code: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let data = &input.data.0;
    let dtype = zipnn::DType::ALL[usize::from(input.dtype) % zipnn::DType::ALL.len()];
    let mut base = data.clone();
    if !input.base.is_empty() {
        for (byte, change) in base.iter_mut().zip(input.base.iter().cycle()) {
            *byte = byte.wrapping_add(*change);
        }
    }
    let mut code = kernels::encode_difference(dtype, &base, data);
    let mut decoded = vec![0; data.len()];
    assert!(kernels::decode_difference(&code, &base, &mut decoded));
    assert!(decoded == *data);

    change(&mut code, &input.changes);
    kernels::decode_difference(&code, &base, &mut decoded);
    kernels::decode_difference(&input.code, &base, &mut decoded);
});
