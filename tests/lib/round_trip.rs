//! Whatever goes in comes out again, by every way in and every way out.

use std::io::{Cursor, Read, Write};

use data::Random;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use zipnn::delta::DeltaDecoder;
use zipnn::frame::{DecodeScratch, EncodeScratch, Form, Frame};
use zipnn::io::EncoderBuilder;
use zipnn::{DType, Decoder, Limits, Options, delta};

use crate::common::data;

/// What is kept from call to call, so that every call meets what others have left behind.
#[derive(Default)]
struct Scratches {
    encode: EncodeScratch,
    decode: DecodeScratch,
}

/// Compresses in one call, by all functions that do it, and decompresses the result.
fn check_oneshot(data: &[u8], options: &Options, scratches: &mut Scratches) {
    let copy = data.to_vec();
    let file = zipnn::compress(data, options).unwrap();
    assert!(data == copy, "the input was modified");

    let bound = zipnn::compress_bound(data.len(), options);
    let mut dst = vec![0xa5; bound + 1];
    let len = zipnn::compress_into(data, &mut dst, options, &mut scratches.encode).unwrap();
    assert!(len <= bound && dst[..len] == file, "compress_into");
    assert_eq!(dst[bound], 0xa5, "compress_into wrote beyond the bound");
    check_exact_lengths(data, &file, options, &mut scratches.encode);
    check_decode(&file, data, &mut scratches.decode);
}

/// Compresses into outputs that have no more room than necessary, or that grow.
fn check_exact_lengths(data: &[u8], file: &[u8], options: &Options, scratch: &mut EncodeScratch) {
    let len = zipnn::compressed_len(data, options, scratch).unwrap();
    assert_eq!(len, file.len(), "compressed_len");
    let mut exact = vec![0xa5; len];
    assert_eq!(zipnn::compress_into(data, &mut exact, options, scratch), Ok(len));
    assert!(exact == file, "compress_into without room to spare");
    let mut appended = vec![0xa5; 7];
    assert_eq!(zipnn::compress_append(data, &mut appended, options, scratch), Ok(len));
    assert!(appended[..7] == [0xa5; 7] && appended[7..] == *file, "compress_append");
}

/// Many threads make the same file, and the same data of it.
fn check_parallel(data: &[u8], options: &Options) {
    #[cfg(feature = "rayon")]
    {
        let file = zipnn::compress(data, options).unwrap();
        assert!(zipnn::parallel::par_compress(data, options).unwrap() == file, "par_compress");
        let decoded = zipnn::parallel::par_decompress(&file, &Limits::default()).unwrap();
        assert!(decoded == data, "par_decompress");

        let pool = zipnn::parallel::ScratchPool::new();
        let bound = zipnn::compress_bound(data.len(), options);
        for room in [bound, file.len(), bound] {
            let mut dst = vec![0xa5; room];
            let len = zipnn::parallel::par_compress_into(data, &mut dst, options, &pool).unwrap();
            assert!(dst[..len] == file, "par_compress_into");
            let (mut dst, limits) = (vec![0xa5; data.len()], Limits::default());
            zipnn::parallel::par_decompress_into(&file, &mut dst, &limits, &pool).unwrap();
            assert!(dst == data, "par_decompress_into");
        }
    }
    #[cfg(not(feature = "rayon"))]
    let _ = (data, options);
}

/// Decompresses in one call, by all functions that do it.
fn check_decode(file: &[u8], data: &[u8], scratch: &mut DecodeScratch) {
    assert!(zipnn::decompress(file, &Limits::default()).unwrap() == data, "decompress");
    let mut dst = vec![0xa5; data.len() + 1];
    let len = zipnn::decompress_into(file, &mut dst, &Limits::default(), scratch).unwrap();
    assert!(dst[..len] == *data, "decompress_into");
    assert_eq!(dst[data.len()], 0xa5, "decompress_into wrote beyond the data");
}

/// Writes `data` in pieces of odd sizes up to `most`.
fn encode_in_pieces(data: &[u8], builder: EncoderBuilder, most: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut encoder = builder.build(Vec::new()).unwrap();
    let mut rest = data;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(1 + random.below(most)));
        encoder.write_all(piece).unwrap();
        rest = behind;
    }
    encoder.finish().unwrap()
}

/// Reads to the end in pieces of odd sizes up to `most`.
fn read_in_pieces(mut reader: impl Read, most: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut decoded = Vec::new();
    let mut piece = vec![0; most];
    loop {
        let wanted = 1 + random.below(most);
        match reader.read(&mut piece[..wanted]).unwrap() {
            0 => return decoded,
            len => decoded.extend_from_slice(&piece[..len]),
        }
    }
}

/// A reader that hands out a few bytes at a time.
struct Trickle<'a>(&'a [u8], Random);

impl Read for Trickle<'_> {
    fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
        let most = 1 + self.1.below(1000);
        let len = output.len().min(most);
        self.0.read(&mut output[..len])
    }
}

fn check_streaming(data: &[u8], builder: EncoderBuilder, most: usize, scratches: &mut Scratches) {
    let file = encode_in_pieces(data, builder, most, 1);
    check_decode(&file, data, &mut scratches.decode);
    let decoder = Decoder::new(Trickle(&file, Random(2)), Limits::default()).unwrap();
    assert!(read_in_pieces(decoder, most, 3) == data, "Decoder");
    let whole = encode_in_pieces(data, builder, data.len().max(1), 1);
    assert!(file == whole, "how the input is cut changes the file");
}

fn check_delta(data: &[u8], base: &[u8], options: Options, frame_len: usize) {
    let file = delta::compress(data, base, &options).unwrap();
    assert!(delta::decompress(&file, base, &Limits::default()).unwrap() == data, "delta");
    let decoder = DeltaDecoder::new(&file[..], Cursor::new(base), Limits::default()).unwrap();
    assert!(read_in_pieces(decoder, 777, 4) == data, "DeltaDecoder");

    let builder = EncoderBuilder::new(options).frame_len(frame_len);
    let mut encoder = builder.build_delta(Vec::new(), Cursor::new(base)).unwrap();
    encoder.write_all(data).unwrap();
    let file = encoder.finish().unwrap();
    assert!(delta::decompress(&file, base, &Limits::default()).unwrap() == data, "streamed delta");
}

fn check_all(data: &[u8], options: Options, scratches: &mut Scratches) {
    check_oneshot(data, &options, scratches);
    let frame_len = data.len() / 3 + 1;
    let builder = EncoderBuilder::new(options).frame_len(frame_len);
    check_streaming(data, builder, 1 + data.len() / 5, scratches);
}

#[test]
fn every_short_length() {
    let mut scratches = Scratches::default();
    for dtype in DType::ALL {
        let data = data::weights(dtype, 300, 5);
        for len in 0..=data.len() {
            for chunk_log2 in [2, 4, 8, 18] {
                let options = Options::new(dtype).plain().chunk_log2(chunk_log2);
                check_all(&data[..len], options, &mut scratches);
            }
        }
    }
}

#[test]
fn around_the_ends_of_chunks() {
    let mut scratches = Scratches::default();
    for dtype in DType::ALL {
        for chunk_log2 in [4, 8, 12, 18] {
            let options = Options::new(dtype).plain().chunk_log2(chunk_log2);
            let chunk = 1_usize << chunk_log2;
            let data = data::weights(dtype, 2 * chunk + 5, 6);
            for end in [chunk, 2 * chunk] {
                for len in end - 5..=end + 5 {
                    check_oneshot(&data[..len], &options, &mut scratches);
                    check_parallel(&data[..len], &options);
                }
                let builder = EncoderBuilder::new(options).frame_len(end);
                check_streaming(&data[..end + 3], builder, chunk, &mut scratches);
            }
        }
    }
}

#[test]
fn alphabets_of_every_size() {
    let mut scratches = Scratches::default();
    for size in 1..=256 {
        for step in [1, 256 / size] {
            let mut random = Random(7);
            // Not uniform, so that there is something to code even with 256 symbols.
            let data: Vec<u8> = (0..2000)
                .map(|_| (random.below(size).min(random.below(size)) * step) as u8)
                .collect();
            for dtype in [DType::F8E4M3, DType::BF16] {
                check_oneshot(&data, &Options::new(dtype).plain(), &mut scratches);
            }
        }
    }
}

/// Counts whose ideal codes are longer than the 11 bits that may be written.
#[test]
fn skews_that_force_the_limit_on_code_lengths() {
    let mut scratches = Scratches::default();
    let skews = (12..=24)
        .map(data::fibonacci)
        .chain((2..=256).step_by(17).map(|symbols| data::geometric(symbols, 60_000, 0.5)))
        .chain([0.6, 0.8, 0.9].map(|ratio| data::geometric(256, 20_000, ratio)));
    for counts in skews {
        let data = data::with_counts(&counts, 8);
        for len in [data.len(), data.len().min(128 * 1024) - 1] {
            check_oneshot(&data[..len], &Options::new(DType::F8E5M2).plain(), &mut scratches);
        }
    }
}

#[test]
fn thresholds_from_never_to_always() {
    let mut scratches = Scratches::default();
    for dtype in DType::ALL {
        for data in [data::weights(dtype, 5000, 9), data::noise(5000, 9), vec![7; 5000]] {
            for threshold in [0.0, 0.5, 0.95, 1.0] {
                let options = Options::new(dtype).plain().chunk_log2(10).threshold(threshold);
                check_oneshot(&data, &options, &mut scratches);
            }
        }
    }
}

#[test]
fn differences() {
    for dtype in DType::ALL {
        for len in [0, 1, 5, 4096, 30_001] {
            let base = data::weights(dtype, len, 10);
            let mut data = base.clone();
            let mut random = Random(11);
            for _ in 0..len / 4 {
                data[random.below(len)] ^= 1 << random.below(8);
            }
            check_delta(&data, &base, Options::new(dtype).plain().chunk_log2(12), 5000);
        }
    }
}

#[test]
fn tensors_keep_their_shape() {
    let shapes: [&[u64]; 9] = [
        &[],
        &[0],
        &[1],
        &[255],
        &[256, 2],
        &[2, 3, 5, 7, 2],
        &[70_000],
        &[0, 1 << 32, 3],
        &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4],
    ];
    for dtype in DType::ALL {
        for shape in shapes {
            let elements: u64 = shape.iter().product();
            let data = data::weights(dtype, elements as usize * dtype.size(), 12);
            for form in [Form::Torch, Form::Numpy] {
                let file = zipnn::compress_tensor(&data, form, shape, &Options::new(dtype).plain())
                    .unwrap();
                let frame = Frame::parse(&file).unwrap();
                assert_eq!(frame.index().header().form, form);
                assert_eq!(frame.index().shape().unwrap().iter().collect::<Vec<_>>(), shape);
                assert!(zipnn::decompress(&file, &Limits::default()).unwrap() == data);
            }
        }
    }
}

#[test]
fn tensors_of_another_shape_are_refused() {
    let options = Options::new(DType::BF16).plain();
    for shape in [&[3_u64][..], &[], &[u64::MAX, u64::MAX], &[0, 5], &[1; 256]] {
        let result = zipnn::compress_tensor(&[0; 4], Form::Torch, shape, &options);
        assert_eq!(result, Err(zipnn::EncodeError::InvalidShape), "{shape:?}");
    }
}

/// A round trip with everything left to chance.
#[derive(Debug, Clone)]
struct Trip {
    dtype: DType,
    chunk_log2: u8,
    frame_len: usize,
    piece: usize,
    data: Vec<u8>,
}

impl Arbitrary for Trip {
    fn arbitrary(g: &mut Gen) -> Self {
        let seed = u64::arbitrary(g);
        let mut random = Random(seed);
        let dtype = DType::ALL[random.below(DType::ALL.len())];
        let len = random.below(20_000);
        let mut data = match random.below(4) {
            0 => data::noise(len, seed),
            1 => vec![seed as u8; len],
            2 => {
                let symbols = 1 + random.below(256);
                let ratio = 0.3 + random.below(70) as f64 / 100.0;
                data::with_counts(&data::geometric(symbols, len / 4 + 1, ratio), seed)
            }
            _ => data::weights(dtype, len, seed),
        };
        // Something else for part of it, so that chunks differ in how they are stored.
        if !data.is_empty() && random.below(2) == 0 {
            let start = random.below(data.len());
            let end = start + random.below(data.len() - start);
            data[start..end].fill(0);
        }
        Self {
            dtype,
            chunk_log2: 2 + random.below(17) as u8,
            frame_len: 1 + random.below(data.len() + 100),
            piece: 1 + random.below(5000),
            data,
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let trip = self.clone();
        let len = self.data.len();
        let parts = [0..len / 2, len / 2..len, 0..len.saturating_sub(1), len.min(1)..len];
        Box::new(
            parts
                .into_iter()
                .filter(move |part| part.len() < len)
                .map(move |part| Self { data: trip.data[part].to_vec(), ..trip.clone() }),
        )
    }
}

#[test]
fn anything() {
    fn property(trip: Trip) -> bool {
        let options = Options::new(trip.dtype).plain().chunk_log2(trip.chunk_log2);
        let builder = EncoderBuilder::new(options).frame_len(trip.frame_len);
        let mut scratches = Scratches::default();
        check_oneshot(&trip.data, &options, &mut scratches);
        check_parallel(&trip.data, &options);
        check_streaming(&trip.data, builder, trip.piece, &mut scratches);
        let mut base = trip.data.clone();
        base.rotate_left(trip.data.len().min(2));
        check_delta(&trip.data, &base, options, trip.frame_len);
        true
    }
    QuickCheck::new().tests(300).quickcheck(property as fn(Trip) -> bool);
}

#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_the_file() {
    let data = data::weights(DType::BF16, 3_000_001, 13);
    let options = Options::new(DType::BF16).plain().chunk_log2(15);
    let file = zipnn::compress(&data, &options).unwrap();
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            assert!(zipnn::parallel::par_compress(&data, &options).unwrap() == file);
            assert!(zipnn::parallel::par_decompress(&file, &Limits::default()).unwrap() == data);
        });
    }
}
