//! Damaged files return an error with its location, or other data of the length in the header.
//!
//! They never cause a panic, never use more memory than the limits grant for their length, and
//! never return wrong data if they have checksums.
//!
//! A million damaged files, in less than a minute:
//!
//! ```sh
//! cargo test --release --all-features --test lib corruption:: -- --ignored --nocapture
//! ```

use std::io::{Read, Write};

use allocation_counter::measure;
use zipnn::file::Frames;
use zipnn::frame::{DecodeScratch, Form, FramePosition, Scratch, SmallTable};
use zipnn::io::EncoderBuilder;
use zipnn::{DType, DecodeError, DecodeErrorKind, Decoder, Encoder, Limits, Options, delta};

use crate::common::data;

/// Limits that keep this test fast whatever a damaged file claims.
const LIMITS: Limits = Limits::new().decoded_bytes(1 << 20).expansion(1 << 14).frame_bytes(1 << 20);

/// Most bytes that a decoder allocates for tables and the first block of a reader.
///
/// Input, output and planes come on top.
const BASE: u64 = 256 << 10;

/// A small file, its data, and the ends of its frames.
struct Sample {
    name: String,
    file: Vec<u8>,
    frame_ends: Vec<usize>,
    decoded: Vec<u8>,
    /// Whether checksums cover all data.
    is_verified: bool,
}

impl Sample {
    fn file(name: impl Into<String>, file: Vec<u8>) -> Self {
        let decoded = zipnn::decompress(&file, &LIMITS).unwrap();
        let frames: Vec<_> = Frames::new(&file).map(Result::unwrap).collect();
        let is_verified = frames.iter().all(|f| f.annex().has_checksums() || f.decoded_len() == 0);
        let ends = frames.iter().scan(0, |end, frame| {
            *end += frame.bytes().len();
            Some(*end)
        });
        let frame_ends = ends.collect();
        Self { name: name.into(), frame_ends, file, decoded, is_verified }
    }

    /// Creates a sample whose frames hold these data.
    fn frames(name: String, dtype: DType, frames: &[Vec<u8>]) -> Self {
        let mut file = Vec::new();
        for data in frames {
            let options = Options::new(dtype).plain().chunk_log2(7);
            let mut encoder = Encoder::new(&mut file, options).unwrap();
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap();
        }
        Self::file(name, file)
    }
}

/// Returns files of every type with every method.
fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for dtype in DType::ALL {
        let name = dtype.name();
        let options = Options::new(dtype).plain().chunk_log2(9);
        let mut data = data::weights(dtype, 1100, 1);
        data[512..700].fill(0x3c);
        let file = zipnn::compress(&data, &options).unwrap();
        samples.push(Sample::file(format!("{name}, bytes"), file));

        // Few symbols: a plain description of the code.
        let counts = [300, 90, 30, 12, 5, 2, 1];
        let file = zipnn::compress(&data::with_counts(&counts, 2), &options).unwrap();
        samples.push(Sample::file(format!("{name}, few symbols"), file));

        let shape = [3, 40 / dtype.size() as u64];
        let file = zipnn::compress_tensor(&data[..120], Form::Torch, &shape, &options).unwrap();
        samples.push(Sample::file(format!("{name}, tensor"), file));

        let parts = [data[..200].to_vec(), Vec::new(), data[600..800].to_vec()];
        samples.push(Sample::frames(format!("{name}, frames"), dtype, &parts));

        let checked = EncoderBuilder::new(options.checksums(true)).frame_len(600);
        let mut encoder = checked.build(Vec::new()).unwrap();
        encoder.write_all(&data).unwrap();
        let file = encoder.finish().unwrap();
        samples.push(Sample::file(format!("{name}, checksums"), file));

        #[cfg(feature = "extended")]
        {
            let options = options.profile(zipnn::Profile::Extended);
            let file = zipnn::compress(&data, &options).unwrap();
            samples.push(Sample::file(format!("{name}, pivot"), file));
        }

        #[cfg(feature = "zstd")]
        samples.push(Sample::file(
            format!("{name}, extended"),
            zipnn::compress(&with_runs(1500), &options.profile(zipnn::Profile::Extended)).unwrap(),
        ));

        samples.push(Sample::file(
            format!("{name}, repeats"),
            zipnn::compress(&[0; 1500], &options).unwrap(),
        ));
    }
    samples
}

/// Returns zeros with a few other bytes, whose planes become Zstandard frames.
#[cfg(feature = "zstd")]
fn with_runs(len: usize) -> Vec<u8> {
    (0..len).map(|at| if at % 97 < 4 { (at * 7 % 251) as u8 } else { 0 }).collect()
}

fn decode_streaming(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    Decoder::new(file, LIMITS)
        .and_then(|mut decoder| decoder.read_to_end(&mut decoded))
        .map(|_| decoded)
        .map_err(|error| *error.get_ref().and_then(|error| error.downcast_ref()).expect("ours"))
}

/// Decodes with the small table.
fn decode_small(file: &[u8], len: usize, table: &mut SmallTable) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = vec![0xa5; len];
    let mut filled = 0;
    for frame in Frames::new(file) {
        let frame = frame?;
        let mut planes = vec![0x5a; frame.scratch_len() as usize];
        filled +=
            frame.decode_into(&mut decoded[filled..], &mut Scratch::new(table, &mut planes))?;
    }
    decoded.truncate(filled);
    Ok(decoded)
}

/// Runs a decoder and checks that it allocates no more than the file justifies.
fn within_bound<T>(name: &str, file: &[u8], run: impl FnOnce() -> T) -> T {
    let earned = (file.len() as u64 * u64::from(LIMITS.expansion)).min(LIMITS.decoded_bytes);
    let bound = BASE + 2 * earned + 2 * file.len() as u64;
    let mut result = None;
    let taken = measure(|| result = Some(run())).bytes_max;
    assert!(taken <= bound, "{name}: {taken} bytes for a file of {}", file.len());
    result.unwrap()
}

/// Decodes with every reader on one thread; all must agree on success and on the data.
fn decode(name: &str, file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let decoded = within_bound(name, file, || zipnn::decompress(file, &LIMITS));
    let streamed = within_bound(name, file, || decode_streaming(file));
    if let (Ok(decoded), Ok(_)) = (&decoded, &streamed) {
        let small = decode_small(file, decoded.len(), &mut SmallTable::new());
        assert!(small.as_ref() == Ok(decoded), "{name}: other data from the small table");
    }
    match (&decoded, &streamed) {
        (Ok(decoded), Ok(streamed)) => assert!(decoded == streamed, "{name}: other data"),
        (Err(_), Err(_)) => {}
        // A damaged version: only whole inputs are read in the old layouts.
        (_, Err(error)) if matches!(error.kind(), DecodeErrorKind::UnsupportedVersion(_)) => {}
        _ => panic!("{name}: {:?}, but streaming {:?}", decoded.err(), streamed.err()),
    }
    decoded
}

/// Checks that the parallel form agrees, for some files only, because waking threads is slow.
#[cfg(feature = "rayon")]
fn check_parallel(name: &str, file: &[u8]) {
    let decoded = zipnn::decompress(file, &LIMITS);
    let parallel = zipnn::parallel::par_decompress(file, &LIMITS);
    assert_eq!(parallel.is_ok(), decoded.is_ok(), "{name}: in parallel");
    if let (Ok(parallel), Ok(decoded)) = (&parallel, &decoded) {
        assert!(parallel == decoded, "{name}: other data in parallel");
    }
    check_parallel_into(name, file);
}

/// Checks that both forms that decode into the caller's memory agree, whatever its length.
#[cfg(feature = "rayon")]
fn check_parallel_into(name: &str, file: &[u8]) {
    for dst_len in [4096, 600] {
        let (mut decoded, mut parallel) = (vec![0; dst_len], vec![0; dst_len]);
        let (limits, pool) = (Limits::default(), zipnn::parallel::ScratchPool::new());
        let len = zipnn::decompress_into(file, &mut decoded, &limits, &mut DecodeScratch::new());
        let parallel_len =
            zipnn::parallel::par_decompress_into(file, &mut parallel, &limits, &pool);
        assert_eq!(parallel_len.ok(), len.ok(), "{name}: in parallel into {dst_len} bytes");
        if let Ok(len) = len {
            assert!(parallel[..len] == decoded[..len], "{name}: other data in parallel");
        }
    }
}

#[test]
fn truncations_are_errors_that_name_the_frame() {
    let mut cuts = 0;
    for Sample { name, file, frame_ends, decoded: whole, is_verified } in samples() {
        assert_eq!(decode(&name, &file).as_ref(), Ok(&whole), "{name}");
        cuts += file.len();
        for len in 0..file.len() {
            let cut = &file[..len];
            #[cfg(feature = "rayon")]
            if len % 16 == 3 {
                check_parallel(&name, cut);
            }
            let frame = frame_ends.iter().filter(|&&end| end <= len).count() as u64;
            match decode(&name, cut) {
                // A file does not contain its number of frames.
                Ok(decoded) => {
                    let is_an_end = !is_verified && frame_ends.contains(&len);
                    assert!(is_an_end, "{name}: cut at {len} goes unnoticed");
                    assert!(whole.starts_with(&decoded), "{name}: cut at {len}");
                }
                Err(error) => {
                    assert_eq!(
                        error.location().frame,
                        Some(frame),
                        "{name}: cut at {len}: {error}"
                    );
                    // A sealed file ends with its last frame.
                    let is_named = match error.kind() {
                        DecodeErrorKind::FooterMissing => frame_ends.contains(&len),
                        kind => matches!(kind, DecodeErrorKind::Truncated { .. }),
                    };
                    assert!(is_named, "{name}: cut at {len}: {error}");
                    let error = decode_streaming(cut).unwrap_err();
                    assert_eq!(
                        error.location().frame,
                        Some(frame),
                        "{name}: cut at {len}: {error}"
                    );
                }
            }
        }
    }
    println!("{cuts} cut files");
}

/// Decodes a damaged file; with checksums, the data must be right.
fn decode_damaged(sample: &Sample, what: &str, damaged: &[u8]) -> bool {
    let decoded = decode(&format!("{}, {what}", sample.name), damaged);
    if let (Ok(decoded), true) = (&decoded, sample.is_verified) {
        assert!(*decoded == sample.decoded, "{}, {what}: wrong bytes", sample.name);
    }
    decoded.is_ok()
}

#[test]
fn changed_bits_and_bytes_cause_no_panic() {
    let (mut errors, mut unnoticed) = (0, 0);
    for sample in samples() {
        for at in 0..sample.file.len() {
            let byte = sample.file[at];
            let bits = (0..8).map(|bit| byte ^ 1 << bit);
            for changed in bits.chain([byte.wrapping_add(1), byte.wrapping_sub(1), 0, 0xff]) {
                let mut damaged = sample.file.clone();
                damaged[at] = changed;
                #[cfg(feature = "rayon")]
                if at % 16 == 9 {
                    check_parallel(&sample.name, &damaged);
                }
                match decode_damaged(&sample, &format!("byte {at} is {changed}"), &damaged) {
                    true => unnoticed += 1,
                    false => errors += 1,
                }
            }
        }
    }
    println!("{errors} errors, {unnoticed} unnoticed");
    // Without checksums a changed raw byte is other data. But most damage is detected.
    assert!(errors > unnoticed / 4, "{errors} errors, {unnoticed} unnoticed");
}

/// Changes 2 to 7 bytes of every sample, `times` times.
fn damage_in_many_places(times: usize, seed: u64) -> usize {
    let mut random = data::Random(seed);
    let samples = samples();
    for sample in &samples {
        for time in 0..times {
            let mut damaged = sample.file.clone();
            for _ in 0..2 + random.below(6) {
                let at = random.below(damaged.len());
                damaged[at] = random.next() as u8;
            }
            decode_damaged(sample, &format!("time {time}"), &damaged);
        }
    }
    times * samples.len()
}

#[test]
fn damage_in_many_places_causes_no_panic() {
    damage_in_many_places(500, 3);
}

#[test]
#[ignore = "takes long"]
fn a_million_damaged_files_cause_no_panic() {
    let files = damage_in_many_places(1_000_000_usize.div_ceil(samples().len()), 30);
    println!("{files} damaged files");
    assert!(files >= 1_000_000);
}

#[test]
fn noise_behind_a_header_causes_no_panic() {
    let mut random = data::Random(4);
    for Sample { name, file, .. } in samples() {
        for seed in 0..300 {
            let mut damaged = file.clone();
            let kept = 32 + random.below(20);
            let noise = data::noise(damaged.len() - kept, seed);
            damaged[kept..].copy_from_slice(&noise);
            let _ = decode(&name, &damaged);
            #[cfg(feature = "rayon")]
            if seed < 20 {
                check_parallel(&name, &damaged);
            }
        }
    }
}

#[test]
fn errors_in_coded_data_name_chunk_and_plane() {
    let data = data::weights(DType::BF16, 1 << 14, 5);
    let mut file =
        zipnn::compress(&data, &Options::new(DType::BF16).plain().chunk_log2(12)).unwrap();
    // The end mark of the very last stream, of the exponents of the fourth chunk.
    *file.last_mut().unwrap() = 0;
    let error = decode("end mark", &file).unwrap_err();
    let place = error.location();
    assert_eq!((place.frame, place.chunk, place.plane), (Some(0), Some(3), Some(1)));
    assert_eq!(error.to_string(), "frame 0, chunk 3, plane 1: corrupt data");
}

#[test]
fn unknown_methods_are_named() {
    let data = data::weights(DType::BF16, 1 << 14, 5);
    let file = zipnn::compress(&data, &Options::new(DType::BF16).plain().chunk_log2(12)).unwrap();
    // Of four chunks: the method of the third one's exponents.
    let method_at = zipnn::frame::HEADER_LEN + 4 + 2;
    for method in 2..=u8::MAX {
        let mut damaged = file.clone();
        damaged[method_at] = method;
        let error = decode("method", &damaged).unwrap_err();
        let place = error.location();
        assert_eq!((place.frame, place.chunk, place.plane), (Some(0), Some(2), Some(1)));
        let expected = match method {
            // A known method, but the plane is no Zstandard frame.
            2 if cfg!(feature = "zstd") => DecodeErrorKind::CorruptStream,
            // A known method with the same description, but other bits follow it.
            3 if cfg!(feature = "extended") => DecodeErrorKind::CorruptStream,
            // A known method, but the other plane has another one.
            6 if cfg!(feature = "extended") => DecodeErrorKind::InvalidIndex,
            _ => DecodeErrorKind::UnsupportedMethod(method),
        };
        assert_eq!(error.kind(), expected);
    }
}

/// Returns a streaming frame of bfloat16 in chunks of 2^62 bytes, whose planes repeat one byte.
fn frame_of_repeats(decoded_len: u64) -> Vec<u8> {
    let small = Options::new(DType::BF16).plain();
    let mut frame = vec![0; zipnn::compress_bound(2, &small)];
    let scratch = &mut zipnn::frame::EncodeScratch::new();
    zipnn::frame::compress_frame_into(&[0; 2], &mut frame, &small, FramePosition::FIRST, scratch)
        .unwrap();
    frame.truncate(zipnn::frame::HEADER_LEN);
    frame[14] = 62;
    let chunks = decoded_len.div_ceil(1 << 62);
    frame.extend((0..2 * chunks).map(|_| 1));
    for _plane in 0..2 {
        frame.extend((1..=chunks).flat_map(u64::to_le_bytes));
    }
    frame.extend((0..2 * chunks).map(|_| 0));
    frame[16..24].copy_from_slice(&decoded_len.to_le_bytes());
    let frame_len = frame.len() as u64;
    frame[24..32].copy_from_slice(&frame_len.to_le_bytes());
    frame
}

#[test]
fn lengths_beyond_64_bits_are_rejected() {
    let mut dst = [0; 1024];
    let (limits, mut scratch) = (Limits::default(), DecodeScratch::new());
    let decoded = zipnn::decompress_into(&frame_of_repeats(500), &mut dst, &limits, &mut scratch);
    assert_eq!(decoded, Ok(500));

    // Together they claim 2^64 + 498 bytes.
    let file = [i64::MAX as u64, i64::MAX as u64, 500].map(frame_of_repeats).concat();
    let error = zipnn::decompress_into(&file, &mut dst, &limits, &mut scratch).unwrap_err();
    assert!(matches!(error.kind(), DecodeErrorKind::LimitExceeded { .. }), "{error}");
    let limits = limits.expansion(u32::MAX);
    let error = zipnn::decompress_into(&file, &mut dst, &limits, &mut scratch).unwrap_err();
    let is_expected = matches!(error.kind(), DecodeErrorKind::OutputTooSmall { .. });
    assert!(is_expected, "{error}");
    #[cfg(feature = "rayon")]
    {
        let pool = zipnn::parallel::ScratchPool::new();
        let error =
            zipnn::parallel::par_decompress_into(&file, &mut dst, &limits, &pool).unwrap_err();
        let is_expected = matches!(error.kind(), DecodeErrorKind::OutputTooSmall { .. });
        assert!(is_expected, "in parallel: {error}");
    }
}

#[test]
fn a_decoder_stays_failed() {
    let data = data::weights(DType::F8E4M3, 1000, 6);
    let file = zipnn::compress(&data, &Options::new(DType::F8E4M3).plain().chunk_log2(8)).unwrap();
    let mut decoder = Decoder::new(&file[..file.len() - 1], Limits::default()).unwrap();
    let mut decoded = Vec::new();
    let first = decoder.read_to_end(&mut decoded).unwrap_err();
    assert_eq!(decoded, data[..768], "the chunks before the cut are good");
    let second = decoder.read_to_end(&mut decoded).unwrap_err();
    assert_eq!(first.kind(), second.kind());
    assert_eq!(decoded.len(), 768);
}

#[test]
fn differences_need_their_base() {
    let (data, base) = (data::weights(DType::F16, 999, 7), data::weights(DType::F16, 999, 8));
    let options = Options::new(DType::F16).plain();
    let file = delta::compress(&data, &base, &options).unwrap();
    let kind = |result: Result<Vec<u8>, DecodeError>| result.unwrap_err().kind();
    assert_eq!(kind(decode("delta", &file)), DecodeErrorKind::BaseRequired);
    assert_eq!(
        kind(delta::decompress(&file, &base[1..], &LIMITS)),
        DecodeErrorKind::BaseLength { expected: 999, found: 998 }
    );
    let plain = zipnn::compress(&data, &options).unwrap();
    assert_eq!(kind(delta::decompress(&plain, &base, &LIMITS)), DecodeErrorKind::NotADelta);
    for len in 0..file.len() {
        assert!(delta::decompress(&file[..len], &base, &LIMITS).is_err());
    }
}
