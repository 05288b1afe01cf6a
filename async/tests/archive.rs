//! Reading from sources that delay and fail.

use std::future::Future;
use std::io::{self, Write};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_executor::block_on;
use zipnn::io::EncoderBuilder;
use zipnn::seek::Seeker;
#[cfg(feature = "safetensors")]
use zipnn::tensor::Metadata;
use zipnn::{ArchiveError, DType, DecodeErrorKind, Limits, Options};
use zipnn_async::{Archive, AsyncReadAt};

/// Returns every read after some delay, or an error.
struct Remote {
    file: Bytes,
    /// Fails the read with this number.
    fails: usize,
    /// Leaves out bytes at the end of the read with this number.
    is_short: bool,
    running: AtomicUsize,
    most_running: AtomicUsize,
    reads: Mutex<Vec<Range<u64>>>,
}

impl Remote {
    fn new(file: Vec<u8>) -> Self {
        Self {
            file: file.into(),
            fails: usize::MAX,
            is_short: false,
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
            reads: Mutex::default(),
        }
    }

    fn reads(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }
}

impl AsyncReadAt for Remote {
    async fn size(&self) -> io::Result<u64> {
        Delay(2).await;
        Ok(self.file.len() as u64)
    }

    async fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let number = {
            let mut reads = self.reads.lock().unwrap();
            reads.push(range.clone());
            reads.len() - 1
        };
        let running = self.running.fetch_add(1, Relaxed) + 1;
        self.most_running.fetch_max(running, Relaxed);
        // Later reads return earlier.
        Delay(20 - number % 20).await;
        self.running.fetch_sub(1, Relaxed);
        let short = match number == self.fails {
            true if self.is_short => 1,
            true => return Err(io::ErrorKind::ConnectionReset.into()),
            false => 0,
        };
        Ok(self.file.slice(range.start as usize..range.end as usize - short))
    }
}

/// Is pending this many times.
struct Delay(usize);

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Bytes that resemble weights enough to be compressed.
fn weights(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    };
    (0..len).map(|at| if at % 2 == 1 { 0x3c + (next() & 3) as u8 } else { next() as u8 }).collect()
}

/// A file of frames of a million bytes.
fn file(data: &[u8], options: Options) -> Vec<u8> {
    let builder = EncoderBuilder::new(options).frame_len(1_000_000);
    let mut encoder = builder.build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn open(remote: Remote) -> Archive<Remote> {
    block_on(Archive::open(remote, Limits::default())).unwrap()
}

fn read(archive: &Archive<Remote>, range: Range<usize>) -> Result<Vec<u8>, ArchiveError> {
    let mut decoded = vec![0; range.len()];
    block_on(archive.read_into(range.start as u64, &mut decoded)).map(|()| decoded)
}

#[test]
fn every_range_of_every_form_of_file() {
    let data = weights(5_000_000);
    let options = Options::new(DType::BF16);
    for file in [
        file(&data, options),
        file(&data, options.plain()),
        zipnn::compress(&data, &options).unwrap(),
    ] {
        let archive = open(Remote::new(file));
        assert_eq!(archive.decoded_len(), data.len() as u64);
        for range in
            [0..data.len(), 0..0, 999_999..1_000_001, 1_234_567..4_345_678, 4_999_999..5_000_000]
        {
            assert!(read(&archive, range.clone()).unwrap() == data[range.clone()], "{range:?}");
        }
        let error = read(&archive, 4_999_999..5_000_001).unwrap_err();
        assert!(
            matches!(error, ArchiveError::Decode(error) if error.kind() == DecodeErrorKind::OutOfRange)
        );
    }
}

#[test]
fn frames_side_by_side_are_fetched_at_once() {
    let data = weights(20_000_000);
    let archive = open(Remote::new(file(&data, Options::new(DType::BF16))));
    let remote = archive.get_ref();
    assert_eq!(remote.reads().len(), 1);
    assert!(read(&archive, 0..data.len()).unwrap() == data);
    let reads = remote.reads();
    assert!((2..=3).contains(&reads.len()), "{reads:?}");
    assert!(remote.most_running.load(Relaxed) == reads.len());
    let fetched: u64 = reads.iter().map(|range| range.end - range.start).sum();
    assert!(fetched <= remote.file.len() as u64);
    // A part of a frame: its beginning, and then its planes and its annex at once.
    assert!(read(&archive, 5_100_000..5_100_010).unwrap() == data[5_100_000..5_100_010]);
    assert!(remote.reads().len() <= 4);
}

#[test]
fn the_number_of_requests_is_bounded() {
    let data = weights(3_000_000);
    let file = zipnn::compress(&data, &Options::new(DType::F32).chunk_log2(12)).unwrap();
    for concurrency in [1, 2, 3] {
        let archive = open(Remote::new(file.clone())).concurrency(concurrency);
        for at in [0, 1_000_000, 2_900_000] {
            read(&archive, at..at + 10).unwrap();
        }
        assert_eq!(archive.get_ref().most_running.load(Relaxed), concurrency);
    }
}

#[test]
fn errors_of_the_source_are_returned() {
    let data = weights(20_000_000);
    let sound = file(&data, Options::new(DType::BF16));
    for is_short in [false, true] {
        for fails in 0..3 {
            let remote = Remote { fails, is_short, ..Remote::new(sound.clone()) };
            let result = block_on(Archive::open(remote, Limits::default()));
            let error = match (fails, result) {
                (0, result) => result.map(drop),
                (_, archive) => read(&archive.unwrap(), 100..19_900_000).map(drop),
            };
            let Err(ArchiveError::Io(error)) = error else { panic!("{fails}: {error:?}") };
            let expected = match is_short {
                true => io::ErrorKind::UnexpectedEof,
                false => io::ErrorKind::ConnectionReset,
            };
            assert_eq!(error.kind(), expected);
        }
    }
}

#[test]
fn damage_is_found() {
    let data = weights(3_000_000);
    let mut damaged = file(&data, Options::new(DType::BF16));
    damaged[1_000_000] ^= 1;
    let archive = open(Remote::new(damaged));
    let error = read(&archive, 0..data.len()).unwrap_err();
    let ArchiveError::Decode(error) = error else { panic!("{error}") };
    assert_eq!(
        (error.kind(), error.location().frame),
        (DecodeErrorKind::ChecksumMismatch, Some(1))
    );
    assert!(read(&archive, 2_000_000..3_000_000).unwrap() == data[2_000_000..]);
}

#[test]
fn a_known_directory_is_not_read_again() {
    let data = weights(2_000_000);
    let file = file(&data, Options::new(DType::BF16));
    let directory = open(Remote::new(file.clone())).directory().unwrap().clone();
    let archive = Archive::with_directory(Remote::new(file), directory, Limits::default()).unwrap();
    assert_eq!(archive.get_ref().reads(), []);
    assert!(read(&archive, 1_000_000..1_000_100).unwrap() == data[1_000_000..1_000_100]);
}

#[test]
fn a_file_that_was_cut_off() {
    let data = weights(2_500_000);
    let mut file = file(&data, Options::new(DType::BF16));
    file.truncate(file.len() - 1000);
    assert!(block_on(Archive::open(Remote::new(file.clone()), Limits::default())).is_err());
    let seeker = Seeker::new(file.len() as u64, Limits::default()).partial(true);
    let archive = block_on(Archive::with_seeker(Remote::new(file), seeker)).unwrap();
    assert!(archive.seeker().cut().is_some());
    assert!(read(&archive, 0..2_000_000).unwrap() == data[..2_000_000]);
}

#[test]
fn a_dropped_read_does_no_harm() {
    let data = weights(3_000_000);
    let archive = open(Remote::new(file(&data, Options::new(DType::BF16))));
    let mut decoded = vec![0; data.len()];
    {
        let mut future = Box::pin(archive.read_into(0, &mut decoded));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    assert!(read(&archive, 0..data.len()).unwrap() == data);
}

/// Futures of a source whose futures are `Send` can be moved to other threads.
#[test]
fn futures_are_send() {
    fn check<T>(future: impl Future<Output = T> + Send) -> T {
        block_on(future)
    }
    let data = weights(100_000);
    let file = file(&data, Options::new(DType::BF16));
    let archive = check(Archive::open(Remote::new(file), Limits::default())).unwrap();
    check(async move {
        let mut decoded = vec![0; 100];
        archive.read_into(50, &mut decoded).await.unwrap();
        assert_eq!(decoded, data[50..150]);
        #[cfg(feature = "safetensors")]
        assert!(archive.read_tensor::<f32>("a").await.is_err());
    });
}

#[cfg(feature = "safetensors")]
#[test]
fn tensors() {
    let header = br#"{"b":{"dtype":"I64","shape":[3],"data_offsets":[1600,1624]},
        "a":{"dtype":"BF16","shape":[100,8],"data_offsets":[0,1600]},
        "c":{"dtype":"BOOL","shape":[2],"data_offsets":[1624,1626]}}"#;
    let mut data = (header.len() as u64).to_le_bytes().to_vec();
    data.extend_from_slice(header);
    let numbers: Vec<half::bf16> = (0..800).map(|i| half::bf16::from_f32(i as f32)).collect();
    data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    data.extend((1..4_i64).flat_map(i64::to_le_bytes));
    data.extend([1, 0]);
    let archive = open(Remote::new(zipnn::compress(&data, &Options::new(DType::BF16)).unwrap()));
    block_on(async {
        let names: Vec<_> = archive.tensors().await?.tensors().iter().map(|t| &*t.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(archive.read_tensor::<half::bf16>("a").await?, numbers);
        assert_eq!(archive.read_rows::<half::bf16>("a", 99..100).await?, numbers[792..]);
        assert_eq!(archive.read_tensor::<i64>("b").await?, [1, 2, 3]);
        assert_eq!(archive.read_tensor::<bool>("c").await?, [true, false]);
        let mut bytes = [0; 24];
        archive.read_tensor_bytes_into("b", &mut bytes).await?;
        assert_eq!(archive.read_tensor_bytes("b").await?, bytes);
        let error = archive.read_tensor::<f32>("b").await.unwrap_err();
        assert!(matches!(error, ArchiveError::WrongDType { .. }), "{error}");
        let error = archive.read_tensor::<f32>("d").await.unwrap_err();
        assert!(matches!(error, ArchiveError::NoSuchTensor { .. }), "{error}");
        Ok::<(), ArchiveError>(())
    })
    .unwrap();
}

/// The lists of tensors in these files are not at the beginning.
#[cfg(feature = "safetensors")]
#[test]
fn tensors_in_containers() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/containers");
    for (name, tensor, dtype) in [
        ("state.pt", "nested.list.3.0", "I8"),
        ("arrays.npz", "folder/bytes", "U8"),
        ("matrix.npy", "array", "F32"),
        ("model.onnx", "ids", "I64"),
    ] {
        let data = std::fs::read(format!("{folder}/{name}")).unwrap();
        let mut encoder =
            EncoderBuilder::new(Options::bytes()).frame_len(1000).build(Vec::new()).unwrap();
        encoder.write_all(&data).unwrap();
        let archive = open(Remote::new(encoder.finish().unwrap()));
        block_on(async {
            let tensors = archive.tensors().await?;
            assert_eq!(tensors, &Metadata::read(data.len() as u64, read_from(&data))?);
            assert_eq!(tensors.tensor(tensor).map(|tensor| &*tensor.dtype), Some(dtype), "{name}");
            let range = archive.tensor(tensor).await?.range.clone();
            let expected = &data[range.start as usize..range.end as usize];
            assert_eq!(archive.read_tensor_bytes(tensor).await?, expected, "{name}");
            Ok::<(), ArchiveError>(())
        })
        .unwrap();
    }
}

/// Returns a function that appends a range of a file to a vector.
#[cfg(feature = "safetensors")]
fn read_from(file: &[u8]) -> impl FnMut(Range<u64>, &mut Vec<u8>) -> Result<(), ArchiveError> {
    |range, bytes| {
        bytes.extend_from_slice(&file[range.start as usize..range.end as usize]);
        Ok(())
    }
}

/// Each of many small entries begins with a header.
#[cfg(feature = "safetensors")]
#[test]
fn few_requests_find_many_tensors() {
    let mut model = vec![0x08, 9];
    let mut graph = Vec::new();
    for number in 0..2000_u32 {
        let name = format!("tensor{number:05}");
        let tensor = [&[0x08, 16, 0x10, 1, 0x42, 11][..], name.as_bytes(), &[0x4a, 64]].concat();
        graph.extend([&[0x2a, tensor.len() as u8 + 64][..], &tensor, &[number as u8; 64]].concat());
    }
    model.push(0x3a);
    let mut len = graph.len();
    while len >= 0x80 {
        model.push(len as u8 | 0x80);
        len >>= 7;
    }
    model.push(len as u8);
    model.extend(graph);
    let file = zipnn::compress(&model, &Options::bytes()).unwrap();
    let archive = open(Remote::new(file));
    archive.get_ref().reads();
    block_on(async {
        assert_eq!(archive.tensors().await?.tensors().len(), 2000);
        assert!(archive.get_ref().reads().len() < 5);
        assert_eq!(archive.read_tensor_bytes("tensor00007").await?, [7; 64]);
        Ok::<(), ArchiveError>(())
    })
    .unwrap();
}
