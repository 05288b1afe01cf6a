//! Reports about files whose encoder never finished, and files without a seal.

use std::io::Write;

use zipnn::io::EncoderBuilder;
use zipnn::{DType, Encoder, Options};

use crate::program::{Place, text};

/// Returns data that compresses moderately.
fn data(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 27) as u8).collect()
}

fn encoder(options: Options) -> Encoder<Vec<u8>> {
    let mut encoder = EncoderBuilder::new(options).frame_len(1000).build(Vec::new()).unwrap();
    encoder.write_all(&data(3500)).unwrap();
    encoder
}

#[test]
fn reports_unfinished_files_and_missing_seals() {
    let place = Place::new();
    let options = Options::new(DType::BF16);
    place.write("dropped.znn", encoder(options).get_ref());
    for arguments in [&["verify", "dropped.znn"][..], &["decompress", "dropped.znn"]] {
        let message = place.fails(1, arguments);
        assert!(message.contains("truncated"), "{arguments:?}: {message}");
    }
    assert_eq!(place.names(), ["dropped.znn"]);
    place.write("sealed.znn", &encoder(options).finish().unwrap());
    place.write("plain.znn", &encoder(options.plain()).finish().unwrap());
    place.write("single.znn", &zipnn::compress(&data(3500), &options).unwrap());
    for (name, expected) in
        [("sealed.znn", "; sealed"), ("plain.znn", "; not sealed: missing frames")]
    {
        let said = place.succeeds(&["verify", name]);
        assert!(said.contains(expected), "{said}");
        let piped = place.run_with_input(&["verify", "-"], &place.read(name));
        assert!(text(&piped.stdout).contains(expected), "{piped:?}");
    }
    assert!(!place.succeeds(&["verify", "single.znn"]).contains("sealed"));
}
