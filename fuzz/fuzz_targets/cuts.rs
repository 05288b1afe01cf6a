//! However what is written or read is cut into parts, the same comes out; a file that is cut short
//! is an error, and what was read before it is right.
#![no_main]

use std::io::Write;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn_fuzz::{AnyEncoder, Data, push, stream};

#[derive(Debug, Arbitrary)]
struct Input {
    encoder: AnyEncoder,
    data: Data,
    written: Vec<u16>,
    read: Vec<u8>,
    asked: Vec<u8>,
    end: u16,
}

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |input: Input| {
    let data = &input.data.0[..input.data.0.len().min(8000)];
    let mut encoder = input.encoder.0.build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    let file = encoder.finish().unwrap();

    let mut encoder = input.encoder.0.build(Vec::new()).unwrap();
    let mut rest = data;
    for len in input.written.iter().map(|&len| usize::from(len)) {
        let (part, behind) = rest.split_at(len.min(rest.len()));
        encoder.write_all(part).unwrap();
        if len % 7 == 0 {
            encoder.flush().unwrap();
        }
        rest = behind;
    }
    encoder.write_all(rest).unwrap();
    assert!(encoder.finish().unwrap() == file, "the file depends on how it was written");

    assert!(stream(&file, &input.read, &input.asked).unwrap() == data);
    assert!(push(&file, &input.read).unwrap() == data);
    let end = usize::from(input.end) % file.len();
    if let Ok(decoded) = stream(&file[..end], &input.read, &input.asked) {
        assert!(data.starts_with(&decoded), "other data than was written");
    }
});
