//! Arbitrary bytes behind the content of a frame, and changes anywhere in a file with checksums and
//! an index. Checksums are ignored, so that changes reach the decoder.
#![no_main]

use std::io::Write;
use std::num::NonZero;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::frame::{Annex, Footer};
use zipnn::io::EncoderBuilder;
use zipnn_fuzz::{AnyOptions, Data};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    slack: &'a [u8],
    options: AnyOptions,
    frame_len: NonZero<u16>,
    data: Data,
    changes: Vec<(u16, u8)>,
    /// Bytes that are cut from the end.
    cut: u8,
    lengths: Vec<u8>,
}

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |input: Input<'_>| {
    if let Ok(annex) = Annex::parse(input.slack) {
        assert_eq!(annex.checksums().count(), annex.checksums().len());
        let _: Option<Footer> = annex.footer();
    }
    let data = &input.data.0[..input.data.0.len().min(4000)];
    let options = input.options.0.checksums(true);
    let builder = EncoderBuilder::new(options).frame_len(input.frame_len.get().into());
    let mut encoder = builder.build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    let mut file = encoder.finish().unwrap();
    zipnn_fuzz::change(&mut file, &input.changes);
    file.truncate(file.len() - usize::from(input.cut) % file.len());
    let _ = zipnn_fuzz::decode(&file, &input.lengths);
});
