//! A file makes a decoder allocate no more than its own bytes have earned, whatever it promises.

use std::io::Read;

use allocation_counter::measure;
use zipnn::frame::{DecodeScratch, Form, FramePosition, Header};
use zipnn::{DType, DecodeErrorKind, Decoder, Limits, Options};

use crate::common::data;
#[cfg(feature = "legacy")]
use crate::common::golden;

/// What every decoder takes whatever the input: tables, and the first block of a reader.
const BASE: u64 = 256 << 10;

/// Where in a header the lengths are.
const DECODED_LEN: usize = 16;
const FRAME_LEN: usize = 24;
const CHUNK_LOG2: usize = 14;

fn set(file: &mut [u8], at: usize, value: u64) {
    file[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Most bytes that were allocated at one time while `run` ran.
fn peak(run: impl FnOnce()) -> u64 {
    measure(run).bytes_max
}

fn read_all(file: impl Read, limits: Limits) -> std::io::Result<u64> {
    let mut decoder = Decoder::new(file, limits)?;
    std::io::copy(&mut decoder, &mut std::io::sink())
}

/// Decodes in all ways, and checks that none of them allocates more than `bound`.
fn check_peak(name: &str, file: &[u8], limits: &Limits, bound: u64) {
    let decompress = peak(|| drop(zipnn::decompress(file, limits)));
    assert!(decompress <= bound, "{name}: decompress took {decompress} bytes, not {bound}");
    let streaming = peak(|| drop(read_all(file, *limits)));
    assert!(streaming <= bound, "{name}: Decoder took {streaming} bytes, not {bound}");
    let numbers = peak(|| drop(zipnn::typed::decompress_slice::<f32>(file, limits)));
    assert!(numbers <= bound, "{name}: decompress_slice took {numbers} bytes, not {bound}");
}

#[test]
fn a_header_that_promises_the_world() {
    for dtype in DType::ALL {
        for promised in [1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, u64::MAX] {
            for frame_len in [0, 32, 1 << 20, 1 << 40, 1 << 62, u64::MAX] {
                for chunk_log2 in [2, 18, 30, 62, 63, 255] {
                    let mut file = zipnn::compress(
                        &data::weights(dtype, 500, 1),
                        &Options::new(dtype).plain(),
                    )
                    .unwrap();
                    set(&mut file, DECODED_LEN, promised);
                    set(&mut file, FRAME_LEN, frame_len);
                    file[CHUNK_LOG2] = chunk_log2;
                    check_peak(dtype.name(), &file, &Limits::default(), BASE);
                    assert!(zipnn::decompress(&file, &Limits::default()).is_err());
                    assert!(read_all(&file[..], Limits::default()).is_err());
                }
            }
        }
    }
}

/// Slack that is promised but is not there: a streaming decoder must not let it earn anything.
#[test]
fn promised_slack_earns_nothing() {
    for dtype in DType::ALL {
        let mut file =
            zipnn::compress(&[0; 1000], &Options::new(dtype).plain().chunk_log2(62)).unwrap();
        let kinds = [(1 << 30, 1 << 20), (1 << 40, 1 << 30), (1 << 62, 1 << 60)];
        for (promised, frame_len) in kinds {
            set(&mut file, DECODED_LEN, promised);
            set(&mut file, FRAME_LEN, frame_len);
            check_peak(dtype.name(), &file, &Limits::default(), BASE);
        }
    }
}

/// An index of more entries than the file has bytes is not allocated before it is there.
#[test]
fn a_reader_that_never_ends_is_stopped_by_the_limit() {
    let limits = Limits::default().frame_bytes(1 << 20);
    for dtype in DType::ALL {
        let mut file =
            zipnn::compress(&[0; 1000], &Options::new(dtype).plain().chunk_log2(4)).unwrap();
        set(&mut file, DECODED_LEN, 1 << 40);
        set(&mut file, FRAME_LEN, 1 << 62);
        let endless = (&file[..]).chain(std::io::repeat(0));
        let taken = peak(|| assert!(read_all(endless, limits).is_err()));
        assert!(taken <= 2 * limits.frame_bytes + BASE, "{dtype:?}: {taken} bytes");
    }
}

/// Output, and planes of a chunk that wait to be merged.
#[test]
fn memory_is_bounded_by_the_limit_on_decoded_bytes() {
    let limits = Limits::default().decoded_bytes(10_000);
    let mut random = data::Random(2);
    for dtype in DType::ALL {
        let data = data::weights(dtype, 9_000, 3);
        for chunk_log2 in [8, 18] {
            let options = Options::new(dtype).plain().chunk_log2(chunk_log2);
            let file = zipnn::compress(&data, &options).unwrap();
            let bound = 2 * limits.decoded_bytes + 2 * file.len() as u64 + BASE;
            check_peak(dtype.name(), &file, &limits, bound);
            for _ in 0..500 {
                let mut damaged = file.clone();
                let reach = if random.below(2) == 0 { 64 } else { file.len() };
                let at = random.below(reach);
                damaged[at] = random.next() as u8;
                check_peak(dtype.name(), &damaged, &limits, bound);
            }
        }
    }
}

#[test]
fn every_limit_is_kept() {
    let options = Options::new(DType::BF16).plain();
    let file = zipnn::compress(&[0; 1 << 20], &options).unwrap();
    let kind = |limits: Limits| {
        let error = zipnn::decompress(&file, &limits).unwrap_err();
        let streaming = read_all(&file[..], limits).unwrap_err();
        let streaming: &zipnn::DecodeError = streaming.get_ref().unwrap().downcast_ref().unwrap();
        assert_eq!(streaming.kind(), error.kind());
        assert_eq!((error.location().frame, streaming.location().frame), (Some(0), Some(0)));
        error.kind()
    };
    assert_eq!(
        kind(Limits::default().decoded_bytes((1 << 20) - 1)),
        DecodeErrorKind::LimitExceeded { requested: 1 << 20, limit: (1 << 20) - 1 }
    );
    let content = file.len() as u64;
    assert_eq!(
        kind(Limits::default().expansion(1000)),
        DecodeErrorKind::LimitExceeded { requested: 1 << 20, limit: content * 1000 }
    );
    let exact = Limits::default().decoded_bytes(1 << 20).frame_bytes(content);
    assert_eq!(zipnn::decompress(&file, &exact).unwrap().len(), 1 << 20);
    assert_eq!(read_all(&file[..], exact).unwrap(), 1 << 20);
    let short = Limits::default().frame_bytes(content - 1);
    let error = read_all(&file[..], short).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn the_limit_counts_over_all_frames() {
    let frame = zipnn::frame::compress_frame_into;
    let options = Options::new(DType::F32).plain();
    let mut file = Vec::new();
    for _ in 0..3 {
        let mut dst = vec![0; zipnn::compress_bound(1000, &options)];
        let len = frame(
            &[1; 1000],
            &mut dst,
            &options,
            FramePosition::FIRST,
            &mut zipnn::frame::EncodeScratch::new(),
        )
        .unwrap();
        file.extend_from_slice(&dst[..len]);
    }
    let limits = Limits::default().decoded_bytes(2500);
    let error = zipnn::decompress(&file, &limits).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { requested: 3000, limit: 2500 });
    assert_eq!(error.location().frame, Some(2));
    assert!(read_all(&file[..], limits).is_err());
}

#[test]
fn shapes_earn_no_memory() {
    let shape = [0, 1 << 40, 7];
    let options = Options::new(DType::F16).plain();
    let mut file = zipnn::compress_tensor(&[], Form::Numpy, &shape, &options).unwrap();
    check_peak("shape", &file, &Limits::default(), BASE);
    file.truncate(40);
    check_peak("cut shape", &file, &Limits::default(), BASE);
    assert!(Header::parse(&file).is_ok());
}

#[test]
fn too_small_an_output_is_an_error() {
    let file = zipnn::compress(&[5; 1000], &Options::new(DType::F16).plain()).unwrap();
    let error =
        zipnn::decompress_into(&file, &mut [0; 999], &Limits::default(), &mut DecodeScratch::new())
            .unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::OutputTooSmall { needed: 1000, have: 999 });
}

/// The old layouts hand parts of a file to other decoders, which have to be held back as well.
#[cfg(feature = "legacy")]
#[test]
fn memory_is_bounded_for_old_layouts() {
    let limits = Limits::default().decoded_bytes(1 << 16);
    let mut random = data::Random(4);
    let mut seen = 0;
    for case in golden::cases().iter().filter(|case| !case.is_current()) {
        let file = case.file();
        let bound = 2 * limits.decoded_bytes + 2 * file.len() as u64 + BASE;
        for _ in 0..100 {
            let mut damaged = file.clone();
            for _ in 0..1 + random.below(3) {
                let reach = if random.below(3) == 0 { file.len() } else { file.len().min(80) };
                let at = random.below(reach);
                // The version stays: other layouts have other tests.
                if at >= 5 {
                    damaged[at] = random.next() as u8;
                }
            }
            let taken = peak(|| drop(zipnn::decompress(&damaged, &limits)));
            assert!(taken <= bound, "{}: {taken} bytes, not {bound}", case.name());
        }
        seen += 1;
    }
    assert!(seen > 50, "only {seen} files");
}
