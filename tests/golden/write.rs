//! Compressing the golden data gives the same headers as the original, and never larger files.

use std::io::Write;

use golden::Case;
use zipnn::delta::Delta;
use zipnn::file::Frames;
use zipnn::frame::{Form, Frame, FrameIndex, HEADER_LEN, Header};
use zipnn::io::EncoderBuilder;
use zipnn::{Limits, Options, delta};

use crate::common::golden;

/// Ranges of a header that may differ from the original: release, method, frame length.
const FREE: [std::ops::Range<usize>; 3] = [2..5, 7..8, 24..32];
/// Offset of the logarithm of the streaming size in the header.
const STREAMING: usize = 13;

/// Returns the original's arguments, according to the header of its file.
fn options(case: &Case, header: &Header) -> Options {
    let options =
        Options::new(header.dtype).plain().chunk_log2(header.chunk_log2).delta(header.delta);
    match case.entry["params"]["compression_threshold"].as_f64() {
        // The original also takes numbers above 1, with which it stores planes that grew.
        Some(threshold) => options.threshold(threshold.min(1.0) as f32),
        None => options,
    }
}

fn compress(case: &Case, data: &[u8], theirs: &[u8], header: &Header) -> Vec<u8> {
    let options = options(case, header);
    match (header.form, header.streaming) {
        (Form::Bytes, false) => zipnn::compress(data, &options).unwrap(),
        (Form::Bytes, true) => {
            let frame_len = 1 << (theirs[STREAMING] - 128);
            let builder = EncoderBuilder::new(options).frame_len(frame_len);
            let mut encoder = builder.build(Vec::new()).unwrap();
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        }
        (form, _) => zipnn::compress_tensor(data, form, &case.shape().unwrap(), &options).unwrap(),
    }
}

/// Returns the header without the parts that may differ, and the shape.
fn envelope(frame: &Frame<'_>) -> (Vec<u8>, Option<Vec<u64>>) {
    let mut header = frame.bytes()[..HEADER_LEN].to_vec();
    for range in FREE {
        header[range].fill(0);
    }
    (header, frame.index().shape().map(|shape| shape.iter().collect()))
}

fn envelopes(file: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u64>>)> {
    Frames::new(file).map(|frame| envelope(&frame.unwrap())).collect()
}

#[test]
fn never_larger_than_the_original() {
    let cases = golden::cases();
    let written: Vec<&Case> =
        cases.iter().filter(|case| case.text("family") == Some("D")).collect();
    for case in &written {
        let theirs = case.file();
        let header = *FrameIndex::parse(&theirs).unwrap().header();
        let mut data = case.original();
        if let Some(base) = case.base() {
            delta::apply(&mut data, &base);
        }
        let ours = compress(case, &data, &theirs, &header);
        assert!(
            ours.len() <= theirs.len(),
            "{}: {} bytes, not {}",
            case.name(),
            ours.len(),
            theirs.len()
        );
        assert_eq!(envelopes(&ours), envelopes(&theirs), "{}", case.name());

        let decoded = match case.base() {
            Some(base) => delta::decompress(&ours, &base, &Limits::default()),
            None => zipnn::decompress(&ours, &Limits::default()),
        };
        assert!(decoded.unwrap() == case.original(), "{}: wrong bytes", case.name());
    }
    assert!(written.len() > 200, "only {} files", written.len());
}

#[test]
fn differences_have_the_headers_of_the_original() {
    let cases = golden::cases();
    let kinds: Vec<Delta> = cases
        .iter()
        .filter(|case| case.text("family") == Some("D") && case.base().is_some())
        .map(|case| Header::parse(&case.file()).unwrap().delta)
        .collect();
    assert!(kinds.contains(&Delta::Bytes) && kinds.contains(&Delta::File));
    assert!(!kinds.contains(&Delta::None));
}
