//! Differences round-trip, and readers agree on arbitrarily changed files.
#![no_main]

use std::io::{Cursor, Read};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::delta;
use zipnn::delta::DeltaDecoder;
use zipnn_fuzz::{AnyOptions, Data, LIMITS, Parts};

#[derive(Debug, Arbitrary)]
struct Input {
    options: AnyOptions,
    data: Data,
    /// Changes that make the base from the data.
    base: Vec<(u16, u8)>,
    changes: Vec<(u16, u8)>,
    lengths: Vec<u8>,
}

fn changed(bytes: &[u8], changes: &[(u16, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &(at, change) in changes {
        let at = usize::from(at) % bytes.len().max(1);
        bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change);
    }
    bytes
}

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |input: Input| {
    let data = &input.data.0;
    let base = changed(data, &input.base);
    let file = delta::compress(data, &base, &input.options.0).unwrap();
    assert!(delta::decompress(&file, &base, &LIMITS).as_ref() == Ok(data));

    let damaged = changed(&file, &input.changes);
    let whole = delta::decompress(&damaged, &base, &LIMITS);
    let mut streamed = Vec::new();
    let result =
        DeltaDecoder::new(Parts::new(&damaged, &input.lengths), Cursor::new(&base), LIMITS)
            .and_then(|mut decoder| decoder.read_to_end(&mut streamed));
    match (whole, result) {
        (Ok(whole), Ok(_)) => assert!(whole == streamed, "DeltaDecoder: other data"),
        (Err(_), Err(_)) => {}
        // Old layouts are only read from whole inputs.
        (Ok(_), Err(_)) if zipnn::legacy::is_legacy(&damaged) => {}
        (whole, result) => panic!("{:?}, but DeltaDecoder {:?}", whole.err(), result.err()),
    }
});
