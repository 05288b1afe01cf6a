//! With memory of the caller's that has been used before, neither direction allocates.

use allocation_counter::measure;
use zipnn::frame::{DecodeScratch, EncodeScratch, Frame};
use zipnn::{DType, Limits, Options, Profile};

use crate::common::data;

const LIMITS: Limits = Limits::new();

const LENGTHS: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

/// The second run of `run` allocates nothing.
fn check(what: &str, mut run: impl FnMut()) {
    run();
    let counted = measure(run);
    assert_eq!(counted.count_total, 0, "{what}: {counted:?}");
}

const PROFILES: &[Profile] = &[
    Profile::Original,
    #[cfg(feature = "extended")]
    Profile::Extended,
];

#[test]
fn compressing() {
    let mut scratch = EncodeScratch::new();
    for dtype in DType::ALL {
        for len in LENGTHS {
            let data = data::weights(dtype, len, 1);
            for &profile in PROFILES {
                let options = Options::new(dtype).plain().profile(profile);
                let mut dst = vec![0; zipnn::compress_bound(len, &options)];
                check(&format!("{dtype:?}, {len} bytes, {profile:?}"), || {
                    zipnn::compress_into(&data, &mut dst, &options, &mut scratch).unwrap();
                });
            }
        }
    }
}

#[test]
fn appending() {
    let mut scratch = EncodeScratch::new();
    let mut dst = Vec::new();
    for dtype in DType::ALL {
        for len in LENGTHS {
            let data = data::weights(dtype, len, 1);
            let options = Options::new(dtype);
            check(&format!("{dtype}, {len} bytes"), || {
                dst.clear();
                zipnn::compress_append(&data, &mut dst, &options, &mut scratch).unwrap();
            });
            let expected = zipnn::compress(&data, &options).unwrap();
            assert!(dst == expected);
            let mut exact = vec![0; dst.len()];
            check(&format!("{dtype}, {len} bytes, exact"), || {
                zipnn::compress_into(&data, &mut exact, &options, &mut scratch).unwrap();
            });
            assert!(exact == expected);
            check(&format!("{dtype}, {len} bytes, length only"), || {
                zipnn::compressed_len(&data, &options, &mut scratch).unwrap();
            });
        }
    }
}

/// Results own no more memory than they need.
#[test]
fn results_have_no_spare_capacity() {
    for dtype in DType::ALL {
        for len in LENGTHS {
            let data = data::weights(dtype, len, 1);
            let file = zipnn::compress(&data, &Options::new(dtype)).unwrap();
            assert_eq!(file.capacity(), file.len(), "{dtype}, {len} bytes");
            let peak = measure(|| drop(zipnn::compress(&data, &Options::new(dtype)))).bytes_max;
            let bound = zipnn::compress_bound(len, &Options::new(dtype)) as u64;
            assert!(peak <= bound + (1 << 20), "{dtype}, {len} bytes: {peak}");
        }
    }
}

#[test]
fn decompressing() {
    let mut scratch = DecodeScratch::new();
    for dtype in DType::ALL {
        for len in LENGTHS {
            let data = data::weights(dtype, len, 2);
            for &profile in PROFILES {
                let options = Options::new(dtype).plain().profile(profile);
                let file = zipnn::compress(&data, &options).unwrap();
                let mut dst = vec![0; len];
                check(&format!("{dtype:?}, {len} bytes, {profile:?}"), || {
                    zipnn::decompress_into(&file, &mut dst, &LIMITS, &mut scratch).unwrap();
                });
                assert!(dst == data);
            }
        }
    }
}

#[test]
fn decompressing_frames() {
    let mut scratch = DecodeScratch::new();
    for dtype in DType::ALL {
        for len in LENGTHS {
            let data = data::weights(dtype, len, 3);
            let file = zipnn::compress(&data, &Options::new(dtype).plain()).unwrap();
            let mut dst = vec![0; len];
            check(&format!("{dtype:?}, {len} bytes"), || {
                let frame = Frame::parse(&file).unwrap();
                let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
                frame.decode_into(&mut dst, &mut scratch).unwrap();
            });
            assert!(dst == data);
        }
    }
}

#[test]
fn decompressing_numbers() {
    let numbers: Vec<half::bf16> = data::weights(DType::BF16, 1 << 20, 4)
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| half::bf16::from_le_bytes(bytes))
        .collect();
    let file = zipnn::typed::compress_slice(&numbers, &Options::new(DType::BF16).plain()).unwrap();
    let mut dst = vec![half::bf16::ZERO; numbers.len()];
    let mut scratch = DecodeScratch::new();
    check("bf16", || {
        zipnn::typed::decompress_slice_into(&file, &mut dst, &LIMITS, &mut scratch).unwrap();
    });
    assert!(dst == numbers);
}
