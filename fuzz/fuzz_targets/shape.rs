//! Arbitrary bytes as the shape of a tensor, and arbitrary shapes that round-trip.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::frame::{Form, Frame, FrameIndex};
use zipnn::{DType, Limits, Options};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    bytes: &'a [u8],
    shape: Vec<u64>,
    torch: bool,
}

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |input: Input<'_>| {
    let form = if input.torch { Form::Torch } else { Form::Numpy };
    let options = Options::new(DType::F8E4M3);
    let mut frame = zipnn::compress_tensor(&[1, 2, 3], form, &[3], &options).unwrap();
    frame.truncate(zipnn::frame::HEADER_LEN);
    frame.extend_from_slice(input.bytes);
    if let Ok(index) = FrameIndex::parse(&frame) {
        let shape = index.shape().expect("tensors have a shape");
        assert_eq!(shape.iter().count(), shape.len());
    }
    let _ = zipnn::decompress(&frame, &Limits::default());

    // Empty data has any shape with a dimension of zero.
    let shape = [&input.shape[..], &[0]].concat();
    match zipnn::compress_tensor(&[], form, &shape, &options) {
        Ok(file) => {
            let frame = Frame::parse(&file).unwrap();
            let read: Vec<u64> = frame.index().shape().unwrap().iter().collect();
            assert_eq!(read, shape);
        }
        Err(_) => assert!(shape.len() > 255, "refused {shape:?}"),
    }
});
