//! Coded planes are interchangeable with the planes of another Huffman coder.
//!
//! The fuzz target of the same name tries more.

use zipnn::frame::{DecodeTable, Frame, HEADER_LEN, Method, Scratch, SmallTable};
use zipnn::{DType, Options};

use crate::common::data;
use crate::zstd_literal_coder as zstd_literals;

/// Returns planes with alphabets of every size and skew.
///
/// Their codes have plain descriptions, descriptions in FSE, and gaps.
fn planes() -> impl Iterator<Item = Vec<u8>> {
    let counts = [(40_000, 0.5), (20_000, 0.8), (3000, 0.97), (60, 0.97), (500, 1.0), (8, 1.0)];
    (2..=256).flat_map(move |symbols| {
        let step = [1, 3, 7, 29][symbols % 4];
        counts.map(|(first, ratio)| {
            let counts = data::geometric(symbols, first, ratio);
            let mut plane = data::with_counts(&counts, symbols as u64);
            plane.iter_mut().for_each(|symbol| *symbol = symbol.wrapping_mul(step));
            plane
        })
    })
}

/// Returns a file of one chunk of one plane, with this coded plane.
fn file_with(coded: &[u8], plane_len: usize) -> Vec<u8> {
    let mut file =
        zipnn::compress(&vec![0; plane_len], &Options::new(DType::F8E4M3).plain()).unwrap();
    file.truncate(HEADER_LEN);
    file.push(1);
    file.extend((coded.len() as u64).to_le_bytes());
    file.extend(coded);
    let len = file.len() as u64;
    file[24..32].copy_from_slice(&len.to_le_bytes());
    file
}

#[test]
fn planes_of_another_coder_decode() {
    let (mut table, mut small) = (Box::new(DecodeTable::new()), Box::new(SmallTable::new()));
    let mut read = 0;
    for plane in planes() {
        let Some(coded) = zstd_literals::encode(&plane) else { continue };
        let file = file_with(&coded, plane.len());
        let frame = Frame::parse(&file).unwrap();
        let mut decoded = vec![0x55; plane.len()];
        frame.decode_into(&mut decoded, &mut Scratch::new(&mut *table, &mut [])).unwrap();
        assert!(decoded == plane);
        decoded.fill(0xaa);
        frame.decode_into(&mut decoded, &mut Scratch::new(&mut *small, &mut [])).unwrap();
        assert!(decoded == plane);
        read += 1;
    }
    assert!(read > 900, "only {read} planes were coded");
}

#[test]
fn another_coder_decodes_our_planes() {
    let mut read = 0;
    for plane in planes() {
        let file = zipnn::compress(&plane, &Options::new(DType::F8E4M3).plain()).unwrap();
        let frame = Frame::parse(&file).unwrap();
        let chunk = frame.index().chunk(0).unwrap();
        if chunk.methods().next() != Some(Method::Huffman) {
            continue;
        }
        let range = chunk.plane_ranges().next().unwrap();
        let coded = &file[range.start as usize..range.end as usize];
        assert!(zstd_literals::decode(coded, plane.len()).as_ref() == Some(&plane));
        read += 1;
    }
    assert!(read > 900, "only {read} planes were coded");
}
