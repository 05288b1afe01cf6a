//! Keeps every checkpoint of a training run in a log-structured store, as differences between steps.
//!
//! Each tensor of every eighth step is stored whole, and in the steps after it as the difference to
//! that step. Reading a tensor of any step therefore needs at most two values.
//!
//! ```sh
//! cargo run --release --bin checkpoints_in_fjall
//! ```

use std::error::Error;
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use half::bf16;
use safetensors::SafeTensors;
use zipnn::{DType, Limits, Options, Profile};

const STEPS: u64 = 20;
/// Number of steps from one whole tensor to the next.
const WHOLE_EVERY: u64 = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/minilm-slice.bf16.safetensors");
    let file = std::fs::read(path)?;
    let mut weights: Vec<(String, Vec<u8>)> = SafeTensors::deserialize(&file)?
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec()))
        .collect();

    let folder = tempfile::tempdir()?;
    let store = Checkpoints::open(folder.path())?;
    let mut history = Vec::new();
    for step in 0..STEPS {
        let mut stored = 0;
        for (name, tensor) in &weights {
            stored += store.insert(name, step, tensor)?;
        }
        let raw: usize = weights.iter().map(|(_, tensor)| tensor.len()).sum();
        println!("step {step:>2}: {stored:>7} of {raw} bytes, {:.1} %", percent(stored, raw));
        history.push(weights.clone());
        for (_, tensor) in &mut weights {
            train(tensor, step);
        }
    }
    store.database.persist(PersistMode::SyncAll)?;

    for (step, weights) in (0..).zip(&history) {
        for (name, tensor) in weights {
            assert_eq!(&store.get(name, step)?, tensor, "{name} at step {step}");
        }
    }
    println!("all {STEPS} checkpoints were read back and are equal");
    Ok(())
}

/// Checkpoints by the name of a tensor and the step.
struct Checkpoints {
    database: Database,
    tensors: Keyspace,
}

impl Checkpoints {
    fn open(folder: &Path) -> fjall::Result<Self> {
        let database = Database::builder(folder).open()?;
        let tensors = database.keyspace("tensors", KeyspaceCreateOptions::default)?;
        Ok(Self { database, tensors })
    }

    /// Stores a tensor of bfloat16, and returns the bytes that it takes.
    fn insert(&self, name: &str, step: u64, tensor: &[u8]) -> Result<usize, Box<dyn Error>> {
        let options = Options::new(DType::BF16).profile(Profile::Extended);
        let value = match step % WHOLE_EVERY {
            0 => zipnn::compress(tensor, &options)?,
            since => {
                let base = self.get(name, step - since)?;
                zipnn::delta::compress(tensor, &base, &options)?
            }
        };
        self.tensors.insert(key(name, step), &value)?;
        Ok(value.len())
    }

    /// Returns a tensor of a step.
    fn get(&self, name: &str, step: u64) -> Result<Vec<u8>, Box<dyn Error>> {
        let value = self.tensors.get(key(name, step))?.ok_or("this step was not stored")?;
        let limits = Limits::default();
        match step % WHOLE_EVERY {
            0 => Ok(zipnn::decompress(&value, &limits)?),
            since => {
                let base = self.get(name, step - since)?;
                Ok(zipnn::delta::decompress(&value, &base, &limits)?)
            }
        }
    }
}

/// Returns the key of a tensor: the steps of one tensor are next to each other and in order.
fn key(name: &str, step: u64) -> Vec<u8> {
    [name.as_bytes(), &[0], &step.to_be_bytes()].concat()
}

fn percent(part: usize, all: usize) -> f64 {
    part as f64 / all as f64 * 100.0
}

/// Changes one of 32 weights by one unit of the last place, as a late step with a small learning rate
/// does.
fn train(tensor: &mut [u8], step: u64) {
    let mut random = step + 1;
    for weight in tensor.as_chunks_mut::<2>().0 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if random >> 59 == 0 {
            let bits = bf16::from_le_bytes(*weight).to_bits();
            *weight = bf16::from_bits(bits ^ 1).to_le_bytes();
        }
    }
}
