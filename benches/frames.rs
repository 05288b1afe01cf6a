//! Compresses and decompresses one frame of every type, reusing memory.
//!
//! Measures the 4 MiB of a file's frames, and tensors of 1 KiB to 64 MiB.
//!
//! ```sh
//! cargo bench --bench frames
//! ```
#![allow(missing_docs, reason = "a program")]

mod weights;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use weights::{name, weights_of};
use zipnn::frame::{DecodeScratch, EncodeScratch};
use zipnn::{DType, Limits, Options, compress_bound, compress_into, decompress_into};

const FRAME: usize = 4 << 20;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for dtype in DType::ALL {
        measure(&mut criterion, "frame", name(dtype), dtype, FRAME);
    }
    for dtype in DType::ALL {
        for exponent in (10..=26).step_by(2) {
            let case = format!("{}_{}KiB", name(dtype), (1 << exponent) >> 10);
            measure(&mut criterion, "tensor", &case, dtype, 1 << exponent);
        }
    }
    criterion.final_summary();
}

/// Measures both directions for `len` bytes.
fn measure(criterion: &mut Criterion, group: &str, case: &str, dtype: DType, len: usize) {
    let data = weights_of(dtype, len);
    // As the original writes frames: without checksums.
    let options = Options::new(dtype).plain();
    let mut scratch = EncodeScratch::new();
    let mut packed = vec![0; compress_bound(len, &options)];
    let mut packed_len = 0;
    criterion
        .benchmark_group(format!("{group}_compress"))
        .throughput(Throughput::Bytes(len as u64))
        .bench_function(case, |bencher| {
            bencher.iter(|| {
                packed_len =
                    compress_into(black_box(&data), &mut packed, &options, &mut scratch).unwrap();
            });
        });
    let file = zipnn::compress(&data, &options).unwrap();
    let mut scratch = DecodeScratch::new();
    let mut unpacked = vec![0; len];
    criterion
        .benchmark_group(format!("{group}_decompress"))
        .throughput(Throughput::Bytes(len as u64))
        .bench_function(case, |bencher| {
            bencher.iter(|| {
                decompress_into(black_box(&file), &mut unpacked, &Limits::default(), &mut scratch)
                    .unwrap();
            });
        });
    // A filter on the command line may exclude either.
    assert!(packed_len == 0 || packed[..packed_len] == file);
    assert!(unpacked == data || unpacked.iter().all(|&byte| byte == 0));
}
