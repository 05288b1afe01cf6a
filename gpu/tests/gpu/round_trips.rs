//! Random data of all types and lengths comes back.

use zipnn::{DType, Options, Profile};

use crate::common::data::{Random, noise, weights};
use crate::device::gpu;

/// Compresses data, decodes it with both decoders, and compares.
fn check(data: &[u8], options: &Options) {
    let gpu = gpu();
    let file = zipnn::compress(data, options).unwrap();
    for decoder in &gpu.decoders {
        let decoded = gpu.decode(decoder, &file).unwrap();
        assert!(decoded == data, "{} bytes, {options:?}, {decoder:?}", data.len());
    }
}

/// Returns weights, some of which are replaced by noise or by a constant.
fn mixed(dtype: DType, len: usize, random: &mut Random) -> Vec<u8> {
    let mut data = weights(dtype, len, random.next());
    match random.below(4) {
        0 => data.truncate(len),
        1 => data.fill(random.next() as u8),
        2 => data = noise(len, random.next()),
        _ => data[..len / 2].fill(0x3f),
    }
    data
}

#[test]
fn short_data() {
    let mut random = Random(1);
    for len in 0..=300 {
        let dtype = DType::ALL[len % DType::ALL.len()];
        let options = Options::new(dtype).checksums(len % 3 > 0);
        check(&weights(dtype, len, random.next()), &options);
    }
}

#[test]
fn chunk_ends() {
    let mut random = Random(2);
    for dtype in DType::ALL {
        for chunk_log2 in [2, 5, 9, 12] {
            let chunk = 1 << chunk_log2;
            for len in [chunk - 1, chunk, chunk + 1, 3 * chunk - 2, 3 * chunk, 3 * chunk + 3] {
                for profile in [Profile::Original, Profile::Extended] {
                    let checksums = random.below(2) == 0;
                    let options = Options::new(dtype).chunk_log2(chunk_log2);
                    let options = options.profile(profile).checksums(checksums);
                    check(&mixed(dtype, len, &mut random), &options);
                }
            }
        }
    }
}

#[test]
fn random_data() {
    let mut random = Random(3);
    for _ in 0..60 {
        let dtype = DType::ALL[random.below(DType::ALL.len())];
        let len = random.below(200_000);
        let options = Options::new(dtype).chunk_log2(10 + random.below(9) as u8).checksums(true);
        check(&mixed(dtype, len, &mut random), &options);
    }
}

/// The processor decodes these chunks, and the GPU puts them together.
#[test]
fn chunks_with_codes_of_scales() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/max");
    let gpu = gpu();
    for name in ["bfloat16", "float32", "float8_e4m3fn", "references"] {
        let read = |kind: &str| std::fs::read(format!("{folder}/{name}.{kind}")).unwrap();
        for decoder in &gpu.decoders {
            let decoded = gpu.decode(decoder, &read("znn")).unwrap();
            assert!(decoded == read("data"), "{name}, {decoder:?}");
        }
    }
}

/// Codes of 12 bits, which this crate reads and does not write.
mod twelve_bits {
    use super::*;

    /// The lengths of the codes of symbols 0 to 12.
    const LENGTHS: [u32; 13] = [12, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];

    /// Returns a stream of codes: bits after an end mark, read from the highest.
    fn stream(symbols: &[u8]) -> Vec<u8> {
        let mut bits = vec![true];
        for &symbol in symbols {
            // The codes of shorter length have higher cells: all bits 0 up to a last 1.
            let length = LENGTHS[usize::from(symbol)];
            let code = u32::from(symbol > 0);
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        let mut padded = vec![false; bits.len().next_multiple_of(8) - bits.len()];
        padded.extend(bits);
        let bytes = padded
            .chunks(8)
            .map(|bits| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
        bytes.rev().collect()
    }

    /// Returns a coded plane.
    fn coded(plane: &[u8]) -> Vec<u8> {
        // Twelve weights of four bits; the last symbol's is implied.
        let weights: Vec<u8> = LENGTHS[..12].iter().map(|&length| 13 - length as u8).collect();
        let mut coded = vec![127 + 12];
        coded.extend(weights.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
        let streams: Vec<Vec<u8>> = plane.chunks(plane.len().div_ceil(4)).map(stream).collect();
        for stream in &streams[..3] {
            coded.extend((stream.len() as u16).to_le_bytes());
        }
        coded.extend(streams.concat());
        coded
    }

    /// Returns a frame of one chunk with these planes, the last of them coded.
    fn frame(dtype: u8, raw: &[u8], plane: &[u8]) -> Vec<u8> {
        let stored = coded(plane);
        let mut frame = b"ZN\0\x05\x04\x0a\x01\0\x01\0\0\0\0\0\x14".to_vec();
        frame.push(dtype);
        frame.extend(((raw.len() + plane.len()) as u64).to_le_bytes());
        frame.extend([0; 8]);
        let lens = [raw.len(), stored.len()];
        let planes = if raw.is_empty() { 1..2 } else { 0..2 };
        frame.extend(planes.clone().map(|plane| plane as u8));
        frame.extend(planes.flat_map(|plane| (lens[plane] as u64).to_le_bytes()));
        frame.extend([raw, &stored].concat());
        let len = frame.len() as u64;
        frame[24..32].copy_from_slice(&len.to_le_bytes());
        frame
    }

    #[test]
    fn decode() {
        let gpu = gpu();
        let mut random = Random(4);
        for len in [300, 303, 4096, 4100, 30_000] {
            // All codes occur.
            let mut plane: Vec<u8> = (0..len).map(|_| random.below(13) as u8).collect();
            for (at, symbol) in plane.iter_mut().enumerate().take(13) {
                *symbol = at as u8;
            }
            for (dtype, raw) in [(29, vec![]), (6, noise(len, 5)), (4, noise(len, 6))] {
                let file = frame(dtype, &raw, &plane);
                let expected = zipnn::decompress(&file, &zipnn::Limits::default()).unwrap();
                assert_eq!(expected.len(), raw.len() + len);
                for decoder in &gpu.decoders {
                    let decoded = gpu.decode(decoder, &file).unwrap();
                    assert!(decoded == expected, "{len} symbols, type {dtype}, {decoder:?}");
                }
            }
        }
    }
}
