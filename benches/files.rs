//! Compresses and decompresses whole files, with `Encoder` and `Decoder`, and on all threads.
//!
//! ```sh
//! cargo bench --bench files
//! ```
#![allow(missing_docs, reason = "a program")]

mod weights;

use std::hint::black_box;
use std::io::{Read, Write};
use std::time::Duration;

use criterion::{Criterion, Throughput};
use weights::{name, weights};
use zipnn::parallel::{ScratchPool, par_compress_into, par_decompress_into};
use zipnn::{DType, Decoder, Encoder, Limits, Options, compress_bound};

/// Bytes that a caller writes or reads at a time.
const PART: usize = 64 << 10;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for dtype in DType::ALL {
        let data = weights(dtype);
        // As the original writes files: without checksums.
        let options = Options::new(dtype).plain();
        streams(&mut criterion, &data, &options);
        threads(&mut criterion, &data, &options);
    }
    criterion.final_summary();
}

/// Measures a function that processes `len` bytes.
fn case(criterion: &mut Criterion, group: &str, dtype: DType, len: usize, mut run: impl FnMut()) {
    criterion
        .benchmark_group(group)
        .throughput(Throughput::Bytes(len as u64))
        .bench_function(name(dtype), |bencher| bencher.iter(&mut run));
}

/// Measures frame by frame on this thread.
fn streams(criterion: &mut Criterion, data: &[u8], options: &Options) {
    let mut file = Vec::with_capacity(compress_bound(data.len(), options) + PART);
    let encode = |file: &mut Vec<u8>| {
        file.clear();
        let mut encoder = Encoder::new(file, *options).unwrap();
        black_box(data).chunks(PART).for_each(|part| encoder.write_all(part).unwrap());
        encoder.finish().unwrap();
    };
    encode(&mut file);
    let dtype = options.dtype().unwrap();
    case(criterion, "encoder", dtype, data.len(), || encode(&mut file));
    let mut part = vec![0; PART];
    case(criterion, "decoder", dtype, data.len(), || {
        let mut decoder = Decoder::new(black_box(&file[..]), Limits::default()).unwrap();
        let mut total = 0;
        loop {
            match decoder.read(&mut part).unwrap() {
                0 => break,
                read => total += read,
            }
        }
        assert_eq!(total, data.len());
    });
}

/// Measures a whole file on all threads.
fn threads(criterion: &mut Criterion, data: &[u8], options: &Options) {
    let (dtype, pool) = (options.dtype().unwrap(), ScratchPool::new());
    let mut packed = vec![0; compress_bound(data.len(), options)];
    let len = par_compress_into(data, &mut packed, options, &pool).unwrap();
    let file = packed[..len].to_vec();
    case(criterion, "par_compress", dtype, data.len(), || {
        par_compress_into(black_box(data), &mut packed, options, &pool).unwrap();
    });
    let mut unpacked = vec![0; data.len()];
    case(criterion, "par_decompress", dtype, data.len(), || {
        par_decompress_into(black_box(&file), &mut unpacked, &Limits::default(), &pool).unwrap();
    });
    assert!(unpacked == data || unpacked.iter().all(|&byte| byte == 0));
}
