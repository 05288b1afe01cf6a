//! Every way of reading gives the right bytes for the golden files of today's layout.

#[path = "common/golden.rs"]
mod golden;

use std::io::Read;

use zipnn::delta::{self, DeltaDecoder};
use zipnn::{DecodeScratch, Decoder, Frame, Limits};

fn read_all(reader: impl Read) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut reader = reader;
    reader.read_to_end(&mut decoded).unwrap();
    decoded
}

#[test]
fn all_readers_agree() {
    let mut scratch = DecodeScratch::new();
    let mut seen = 0;
    for case in golden::cases().iter().filter(|case| case.is_current() && case.base().is_none()) {
        let (file, original) = (case.file(), case.original());
        let name = case.name();
        let mut dst = vec![0; original.len() + 1];
        let len = zipnn::decompress_into(&file, &mut dst, &mut scratch).unwrap();
        assert!(dst[..len] == original, "{name}: decompress_into");
        #[cfg(feature = "rayon")]
        {
            let decoded = zipnn::par_decompress(&file, &Limits::default()).unwrap();
            assert!(decoded == original, "{name}: par_decompress");
        }
        let decoder = Decoder::new(&file[..], Limits::default()).unwrap();
        assert!(read_all(decoder) == original, "{name}: Decoder");
        let by_chunks = decode_by_chunks(&file, &mut scratch);
        assert!(original.starts_with(&by_chunks), "{name}: chunks of the first frame");
        seen += 1;
    }
    assert!(seen > 200, "only {seen} files");
}

/// The first frame, chunk by chunk from the last to the first.
fn decode_by_chunks(file: &[u8], scratch: &mut DecodeScratch) -> Vec<u8> {
    let frame = Frame::parse(file).unwrap();
    let mut decoded = vec![0; frame.decoded_len() as usize];
    let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
    let chunk_len = usize::try_from(frame.index().header().chunk_len()).unwrap();
    for (number, part) in decoded.chunks_mut(chunk_len).enumerate().rev() {
        frame.decode_chunk(number, part, &mut scratch).unwrap();
    }
    decoded
}

#[test]
fn differences_decode() {
    let mut seen = 0;
    for case in golden::cases().iter().filter(|case| case.is_current()) {
        let Some(base) = case.base() else { continue };
        let (file, original) = (case.file(), case.original());
        let decoded = delta::decompress(&file, &base, &Limits::default()).unwrap();
        assert!(decoded == original, "{}: decompress", case.name());
        let decoder = DeltaDecoder::new(&file[..], &base[..], Limits::default()).unwrap();
        assert!(read_all(decoder) == original, "{}: DeltaDecoder", case.name());
        seen += 1;
    }
    assert!(seen > 0, "no differences");
}
