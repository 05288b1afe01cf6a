//! Many threads at once, a pool of a single thread, and callers that are within a pool already:
//! nothing waits for itself, and every result is the same.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use zipnn::io::EncoderBuilder;
use zipnn::{DType, Decoder, Limits, Options};

use crate::common::data;

/// Long enough for the slowest machine; whatever takes longer waits for itself.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs `run` on a thread of its own, and fails if it does not end.
fn ends(run: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        run();
        sender.send(()).unwrap();
    });
    match receiver.recv_timeout(DEADLINE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("deadlock"),
        _ => thread.join().unwrap(),
    }
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn options() -> Options {
    Options::new(DType::BF16).chunk_log2(13)
}

/// Compresses and decompresses in parallel.
fn there_and_back(data: &[u8]) -> Vec<u8> {
    let file = zipnn::parallel::par_compress(data, &options()).unwrap();
    assert!(zipnn::parallel::par_decompress(&file, &Limits::default()).unwrap() == data);
    file
}

#[test]
fn pools_of_any_size_give_the_same() {
    ends(|| {
        let data = data::weights(DType::BF16, 300_000, 1);
        let expected = zipnn::compress(&data, &options()).unwrap();
        for threads in [1, 2, 7] {
            assert!(pool(threads).install(|| there_and_back(&data)) == expected);
        }
    });
}

#[test]
fn within_parallel_iterators_of_the_caller() {
    ends(|| {
        for threads in [1, 3] {
            pool(threads).install(|| {
                (0..24_u64).into_par_iter().for_each(|seed| {
                    there_and_back(&data::weights(DType::BF16, 50_000, seed));
                });
            });
        }
    });
}

#[test]
fn within_scopes_and_joins_of_one_thread() {
    ends(|| {
        let data = data::weights(DType::BF16, 100_000, 2);
        pool(1).scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|_| {
                    let (first, second) = rayon::join(|| there_and_back(&data), || data.clone());
                    assert!(
                        zipnn::parallel::par_decompress(&first, &Limits::default()).unwrap()
                            == second
                    );
                });
            }
        });
    });
}

#[test]
fn many_threads_at_once() {
    ends(|| {
        thread::scope(|scope| {
            for seed in 0..16 {
                scope.spawn(move || {
                    let data = data::weights(DType::BF16, 60_000, seed);
                    there_and_back(&data);
                    let mut encoder =
                        EncoderBuilder::new(options()).frame_len(10_000).build(Vec::new()).unwrap();
                    encoder.write_all(&data).unwrap();
                    let file = encoder.finish().unwrap();
                    let mut decoded = Vec::new();
                    let mut decoder = Decoder::new(&file[..], Limits::default()).unwrap();
                    decoder.read_to_end(&mut decoded).unwrap();
                    assert!(decoded == data);
                });
            }
        });
    });
}

/// A damaged file ends in an error in a pool, too, and the pool is of use afterwards.
#[test]
fn errors_leave_the_pool_as_it_was() {
    ends(|| {
        let data = data::weights(DType::BF16, 200_000, 3);
        let file = zipnn::compress(&data, &options()).unwrap();
        let pool = pool(2);
        for at in (200..file.len()).step_by(file.len() / 50) {
            let mut damaged = file.clone();
            damaged[at] ^= 0x40;
            assert!(
                pool.install(|| zipnn::parallel::par_decompress(&damaged, &Limits::default()))
                    .is_err()
            );
        }
        pool.install(|| there_and_back(&data));
    });
}
