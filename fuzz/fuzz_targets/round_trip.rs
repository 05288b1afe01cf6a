//! Any data, any options: what comes back is what went in, in every way to write and to read it,
//! and no longer than was promised.
#![no_main]

use std::io::Write;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::{EncodeScratch, Encoder};
use zipnn_fuzz::{AnyOptions, Data};

#[derive(Debug, Arbitrary)]
struct Input {
    options: AnyOptions,
    data: Data,
    lengths: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let (options, data) = (input.options.0, &input.data.0);
    let file = zipnn::compress(data, &options).unwrap();
    assert!(zipnn_fuzz::decode(&file, &input.lengths).as_ref() == Ok(data));

    let bound = zipnn::compress_bound(data.len(), &options);
    let mut scratch = EncodeScratch::new();
    for stale in [0, 0xff] {
        let mut dst = vec![stale; bound];
        let len = zipnn::compress_into(data, &mut dst, &options, &mut scratch).unwrap();
        assert!(dst[..len] == file, "stale bytes are written");
    }

    let mut encoder = Encoder::new(Vec::new(), options).unwrap();
    encoder.write_all(data).unwrap();
    let file = encoder.finish().unwrap();
    assert!(zipnn_fuzz::decode(&file, &input.lengths).as_ref() == Ok(data));
});
