//! Measures each step of compressing and decompressing a chunk.
//!
//! ```sh
//! cargo bench --features __internal-kernels --bench kernels
//! ```
//!
//! Each type has the first chunk of real weights. `split` and `merge` process all of it, other steps
//! one plane: the highest, which holds the exponents, or the lowest, which is noise.
#![allow(missing_docs, reason = "a program")]

mod weights;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use weights::{name, weights_of};
use zipnn::frame::{DecodeTable, Frame};
use zipnn::{DType, Options, kernels};

const DTYPES: [DType; 4] = [DType::BF16, DType::F32, DType::F16, DType::F8E4M3];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for dtype in DTYPES {
        let chunk = Chunk::new(dtype);
        split_and_merge(&mut criterion, &chunk);
        if dtype.size() > 1 {
            sample(&mut criterion, "noise", dtype, chunk.plane(0));
        }
        let exponents = chunk.plane(dtype.size() - 1);
        sample(&mut criterion, "exponents", dtype, exponents);
        analyse(&mut criterion, dtype, exponents);
        code_in_pairs(&mut criterion, dtype, exponents);
        code_one_by_one(&mut criterion, dtype, exponents);
        decode(&mut criterion, dtype, exponents);
    }
    copy(&mut criterion);
    criterion.final_summary();
}

/// A chunk and its planes.
struct Chunk {
    dtype: DType,
    bytes: Vec<u8>,
    planes: Vec<u8>,
}

impl Chunk {
    fn new(dtype: DType) -> Self {
        let bytes = weights_of(dtype, chunk_len(dtype));
        let mut planes = vec![0; bytes.len()];
        kernels::split(dtype, &bytes, &mut planes);
        Self { dtype, bytes, planes }
    }

    fn plane(&self, plane: usize) -> &[u8] {
        let len = self.bytes.len() / self.dtype.size();
        &self.planes[plane * len..][..len]
    }
}

/// Returns the length of a chunk, which is shorter for some types.
fn chunk_len(dtype: DType) -> usize {
    let file = zipnn::compress(&vec![0; 1 << 20], &Options::new(dtype).plain()).unwrap();
    Frame::parse(&file).unwrap().index().chunk(0).unwrap().len() as usize
}

/// Measures one step over `bytes` bytes.
fn step(criterion: &mut Criterion, step: &str, dtype: DType, bytes: usize, mut run: impl FnMut()) {
    criterion
        .benchmark_group(step)
        .throughput(Throughput::Bytes(bytes as u64))
        .bench_function(name(dtype), |bencher| bencher.iter(&mut run));
}

fn split_and_merge(criterion: &mut Criterion, chunk: &Chunk) {
    let (dtype, len) = (chunk.dtype, chunk.bytes.len());
    let mut planes = vec![0; len];
    step(criterion, "split", dtype, len, || {
        kernels::split(dtype, black_box(&chunk.bytes), black_box(&mut planes));
    });
    let mut bytes = vec![0; len];
    step(criterion, "merge", dtype, len, || {
        kernels::merge(dtype, black_box(&chunk.planes), black_box(&mut bytes));
    });
    assert!(bytes == chunk.bytes);
}

/// Measures the sample that detects noise.
fn sample(criterion: &mut Criterion, which: &str, dtype: DType, plane: &[u8]) {
    step(criterion, &format!("sample_{which}"), dtype, plane.len(), || {
        black_box(kernels::is_noise(black_box(plane)));
    });
}

/// Measures the steps from a plane to its code.
fn analyse(criterion: &mut Criterion, dtype: DType, plane: &[u8]) {
    let len = plane.len();
    step(criterion, "range", dtype, len, || {
        black_box(kernels::range(black_box(plane)));
    });
    let mut counts = kernels::Counts::new();
    step(criterion, "count", dtype, len, || counts.count(black_box(plane)));
    step(criterion, "plan", dtype, len, || {
        black_box(black_box(&counts).code(len));
    });
}

/// Measures encoding in pairs, if the plane is narrow enough.
fn code_in_pairs(criterion: &mut Criterion, dtype: DType, plane: &[u8]) {
    let len = plane.len();
    let (lowest, highest) = kernels::range(plane);
    if highest - lowest >= 64 {
        return;
    }
    let mut packed = plane.to_vec();
    kernels::pack(&mut packed, lowest);
    let mut space = plane.to_vec();
    // Packing a packed plane again takes the same time.
    step(criterion, "pack", dtype, len, || kernels::pack(black_box(&mut space), lowest));
    let mut counts = kernels::Counts::new();
    step(criterion, "count_pairs", dtype, len, || {
        counts.count_pairs(black_box(&packed), lowest);
    });
    let mut code = counts.code(len).expect("exponents can be coded");
    let mut coded = code.encode(plane);
    step(criterion, "encode_pairs", dtype, len, || {
        code.encode_pairs_into(black_box(&packed), lowest, black_box(&mut coded));
    });
}

/// Measures encoding symbol by symbol.
fn code_one_by_one(criterion: &mut Criterion, dtype: DType, plane: &[u8]) {
    let mut counts = kernels::Counts::new();
    counts.count(plane);
    let mut code = counts.code(plane.len()).expect("exponents can be coded");
    let mut coded = code.encode(plane);
    step(criterion, "encode", dtype, plane.len(), || {
        code.encode_into(black_box(plane), black_box(&mut coded));
    });
}

/// Measures building the table, and decoding including that.
fn decode(criterion: &mut Criterion, dtype: DType, plane: &[u8]) {
    let mut counts = kernels::Counts::new();
    counts.count(plane);
    let coded = counts.code(plane.len()).expect("exponents can be coded").encode(plane);
    let mut table = Box::new(DecodeTable::new());
    step(criterion, "build_table", dtype, plane.len(), || {
        assert!(kernels::build_table(black_box(&coded), &mut table));
    });
    let mut decoded = vec![0; plane.len()];
    step(criterion, "decode", dtype, plane.len(), || {
        assert!(kernels::decode(black_box(&coded), black_box(&mut decoded), &mut table));
    });
    assert!(decoded == plane);
}

/// Measures the speed of memory.
///
/// Copies within the caches, more than any cache holds, and into new memory.
fn copy(criterion: &mut Criterion) {
    for (name, len) in [("256KiB", 256 << 10), ("4MiB", 4 << 20), ("256MiB", LARGE)] {
        let (source, mut target) = (vec![1_u8; len], vec![2_u8; len]);
        copy_group(criterion, len).bench_function(name, |bencher| {
            bencher.iter(|| black_box(&mut target).copy_from_slice(black_box(&source)));
        });
    }
    let source = vec![1_u8; LARGE];
    copy_group(criterion, LARGE).bench_function("256MiB_fresh", |bencher| {
        bencher.iter_with_large_drop(|| black_box(&source).clone());
    });
}

const LARGE: usize = 256 << 20;

fn copy_group(criterion: &mut Criterion, len: usize) -> BenchmarkGroup<'_, WallTime> {
    let mut group = criterion.benchmark_group("copy");
    group.throughput(Throughput::Bytes(len as u64)).sample_size(30);
    group
}
