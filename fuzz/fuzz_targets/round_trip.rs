//! Any data round-trips with any options, through every writer and reader, within the bound.
#![no_main]

use std::io::Write;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::frame::EncodeScratch;
use zipnn_fuzz::{AnyEncoder, AnyOptions, Data};

#[derive(Debug, Arbitrary)]
struct Input {
    options: AnyOptions,
    encoder: AnyEncoder,
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

    let mut encoder = input.encoder.0.build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    let file = encoder.finish().unwrap();
    assert!(zipnn_fuzz::decode(&file, &input.lengths).as_ref() == Ok(data));
});
