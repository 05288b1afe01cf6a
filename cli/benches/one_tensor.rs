//! Measures how many bytes are read, and how long it takes, to read one tensor of a 1 GB file.
//!
//! The file consists of copies of the tensors of a real model under other names, and is compressed
//! by the program with its defaults. `cargo bench -p zipnn-cli --bench one_tensor`.

#![allow(missing_docs, reason = "a program")]

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use zipnn::io::ReadAt;
use zipnn::tensor::Metadata;
use zipnn::{Archive, Limits};

/// Length of the file in bytes. As a test, the file holds one copy of the model.
const LEN: u64 = 1_000_000_000;
/// Number of runs. The result is their median.
const RUNS: usize = 51;
/// Shape of the tensor that is read.
const SHAPE: [u64; 2] = [384, 384];
/// The model, and the model to use if the first does not exist.
const MODELS: [&str; 2] = [
    "../../shared/models/minilm-part.mixed.safetensors",
    "../tests/data/minilm-slice.bf16.safetensors",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let models = MODELS.map(|model| Path::new(env!("CARGO_MANIFEST_DIR")).join(model));
    let model = fs::read(&models[0]).or_else(|_| fs::read(&models[1]))?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("model.safetensors");
    repeat(&model, if is_test { 1 } else { LEN }, &path)?;
    let program = Command::new(env!("CARGO_BIN_EXE_zipnn")).arg("compress").arg(&path).status()?;
    if !program.success() {
        return Err("the program failed".into());
    }
    measure(&directory.path().join("model.safetensors.znn"))
}

/// Writes a file of at least `len` bytes from copies of a model's tensors.
fn repeat(model: &[u8], len: u64, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let layout = Metadata::parse(model, model.len() as u64)?;
    let data = &model[layout.data_start() as usize..];
    let copies = len.div_ceil(data.len() as u64);
    let mut header = Map::new();
    for copy in 0..copies {
        for tensor in layout.tensors() {
            let start = copy * data.len() as u64 + tensor.range.start - layout.data_start();
            let offsets = [start, start + tensor.len()];
            let value =
                json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets});
            header.insert(format!("{copy}.{}", tensor.name), value);
        }
    }
    let header = serde_json::to_vec(&Value::Object(header))?;
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    (0..copies).try_for_each(|_| file.write_all(data))?;
    Ok(file.flush()?)
}

/// Opens the file and reads the tensor in its middle, several times.
fn measure(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    let mut told = String::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let counts = Counts::default();
        let source = Counting { file: File::open(path)?, counts: &counts };
        let archive = Archive::open(source, Limits::default())?;
        let opened = start.elapsed();
        let tensors = archive.tensors()?.tensors();
        let later = &tensors[tensors.len() / 2..];
        let Some(tensor) = later.iter().find(|tensor| tensor.shape == SHAPE) else {
            return Err("the model has no such tensor".into());
        };
        let range = tensor.range.clone();
        let (listed, listed_bytes) = (start.elapsed(), counts.bytes.get());
        let mut bytes = vec![0; (range.end - range.start) as usize];
        archive.read_into(range.start, &mut bytes)?;
        times.push((opened, listed, start.elapsed()));
        told = format!(
            "the tensor: {} bytes, which take {} of the file\n\
             read: {listed_bytes} bytes for the list of all tensors, {} for this one, {} reads",
            bytes.len(),
            archive.directory().stored_len(range),
            counts.bytes.get() - listed_bytes,
            counts.reads.get(),
        );
    }
    println!("the file: {} bytes\n{told}", path.metadata()?.len());
    let [opened, listed, read] = [0, 1, 2].map(|step| {
        let step = |times: &(Duration, Duration, Duration)| [times.0, times.1, times.2][step];
        let mut times: Vec<Duration> = times.iter().map(step).collect();
        times.sort();
        times[RUNS / 2]
    });
    println!("after {opened:?} open, after {listed:?} listed, after {read:?} read (medians)");
    Ok(())
}

#[derive(Default)]
struct Counts {
    reads: Cell<u64>,
    bytes: Cell<u64>,
}

struct Counting<'c> {
    file: File,
    counts: &'c Counts,
}

impl ReadAt for Counting<'_> {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = self.file.read_at(buf, offset)?;
        self.counts.reads.set(self.counts.reads.get() + 1);
        self.counts.bytes.set(self.counts.bytes.get() + len as u64);
        Ok(len)
    }
}
