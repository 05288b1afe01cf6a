//! Keeps the tensors of a model in a key-value store, compressed in blocks, and measures random reads.
//!
//! A reader that needs some rows of a tensor then decodes a block of 64 KiB, not the tensor. The
//! table compares zipnn with storing blocks as they are, with LZ4 and with Zstandard.
//!
//! ```sh
//! cargo run --release --bin tensors_in_redb [MODEL.safetensors]
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, TableDefinition};
use safetensors::SafeTensors;
use zipnn::frame::{DecodeScratch, EncodeScratch};
use zipnn::{DType, Limits, Options, Profile};

/// Blocks of tensors by the name of the tensor and the number of the block.
const BLOCKS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("blocks");
/// Length of a block in bytes.
const BLOCK_LEN: usize = 64 << 10;
const READS: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/minilm-slice.bf16.safetensors");
    let model = std::fs::read(std::env::args_os().nth(1).map_or(default, PathBuf::from))?;
    let model = SafeTensors::deserialize(&model)?;

    println!("{:<16} {:>10} {:>8} {:>9} {:>9}", "code", "bytes", "of raw", "p50", "p99");
    let mut raw_len = None;
    for mut code in codes() {
        let folder = tempfile::tempdir()?;
        let store = Database::create(folder.path().join("model.redb"))?;
        let stored = write(&store, &model, &mut *code)?;
        let times = read(&store, &model, &mut *code)?;
        let percent = stored as f64 / *raw_len.get_or_insert(stored) as f64 * 100.0;
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
        println!(
            "{:<16} {stored:>10} {percent:>6.1} % {:>6.1} µs {:>6.1} µs",
            code.name(),
            at(0.5).as_secs_f64() * 1e6,
            at(0.99).as_secs_f64() * 1e6,
        );
    }
    Ok(())
}

/// Compresses and decompresses blocks, in memory that is used again for each block.
trait Code {
    fn name(&self) -> &str;
    fn compress(
        &mut self,
        block: &[u8],
        dtype: safetensors::Dtype,
    ) -> Result<&[u8], Box<dyn Error>>;
    /// Writes a block to `block`, which has its length.
    fn decompress(&mut self, stored: &[u8], block: &mut [u8]) -> Result<(), Box<dyn Error>>;
}

fn codes() -> Vec<Box<dyn Code>> {
    let zipnn = |name, profile| Zipnn { name, profile, ..Zipnn::default() };
    vec![
        Box::new(Raw::default()),
        Box::new(Lz4::default()),
        Box::new(Zstd::default()),
        Box::new(zipnn("zipnn", Profile::Original)),
        Box::new(zipnn("zipnn extended", Profile::Extended)),
    ]
}

/// Compresses all blocks, and returns the bytes of the values.
fn write(
    store: &Database,
    model: &SafeTensors<'_>,
    code: &mut dyn Code,
) -> Result<usize, Box<dyn Error>> {
    let mut stored = 0;
    let transaction = store.begin_write()?;
    {
        let mut table = transaction.open_table(BLOCKS)?;
        for (name, tensor) in model.iter() {
            for (number, block) in (0..).zip(tensor.data().chunks(BLOCK_LEN)) {
                let value = code.compress(block, tensor.dtype())?;
                stored += value.len();
                table.insert((name, number), value)?;
            }
        }
    }
    transaction.commit()?;
    Ok(stored)
}

/// Reads and checks random blocks, and returns the sorted times from a key to the decoded block.
fn read(
    store: &Database,
    model: &SafeTensors<'_>,
    code: &mut dyn Code,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let blocks: Vec<(&str, u64, &[u8])> = model
        .iter()
        .flat_map(|(name, tensor)| {
            (0..)
                .zip(tensor.data().chunks(BLOCK_LEN))
                .map(move |(number, block)| (name, number, block))
        })
        .collect();
    let mut times = Vec::with_capacity(READS);
    let mut decoded = vec![0; BLOCK_LEN];
    let mut random = 1_u64;
    for _ in 0..READS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (name, number, block) = blocks[(random >> 33) as usize % blocks.len()];
        let start = Instant::now();
        let table = store.begin_read()?.open_table(BLOCKS)?;
        let value = table.get((name, number))?.ok_or("a block is missing")?;
        code.decompress(value.value(), &mut decoded[..block.len()])?;
        times.push(start.elapsed());
        assert_eq!(decoded[..block.len()], *block, "block {number} of {name}");
    }
    times.sort_unstable();
    Ok(times)
}

#[derive(Default)]
struct Zipnn {
    name: &'static str,
    profile: Profile,
    compressed: Vec<u8>,
    encode: EncodeScratch,
    decode: DecodeScratch,
}

impl Code for Zipnn {
    fn name(&self) -> &str {
        self.name
    }

    fn compress(
        &mut self,
        block: &[u8],
        dtype: safetensors::Dtype,
    ) -> Result<&[u8], Box<dyn Error>> {
        let options = match dtype {
            safetensors::Dtype::BF16 => Options::new(DType::BF16),
            safetensors::Dtype::F16 => Options::new(DType::F16),
            safetensors::Dtype::F32 => Options::new(DType::F32),
            _ => Options::auto(),
        };
        let options = options.profile(self.profile);
        self.compressed.clear();
        zipnn::compress_append(block, &mut self.compressed, &options, &mut self.encode)?;
        Ok(&self.compressed)
    }

    fn decompress(&mut self, stored: &[u8], block: &mut [u8]) -> Result<(), Box<dyn Error>> {
        zipnn::decompress_into(stored, block, &Limits::default(), &mut self.decode)?;
        Ok(())
    }
}

#[derive(Default)]
struct Raw(Vec<u8>);

impl Code for Raw {
    fn name(&self) -> &str {
        "none"
    }

    fn compress(&mut self, block: &[u8], _: safetensors::Dtype) -> Result<&[u8], Box<dyn Error>> {
        self.0 = block.to_vec();
        Ok(&self.0)
    }

    fn decompress(&mut self, stored: &[u8], block: &mut [u8]) -> Result<(), Box<dyn Error>> {
        block.copy_from_slice(stored);
        Ok(())
    }
}

#[derive(Default)]
struct Lz4(Vec<u8>);

impl Code for Lz4 {
    fn name(&self) -> &str {
        "lz4"
    }

    fn compress(&mut self, block: &[u8], _: safetensors::Dtype) -> Result<&[u8], Box<dyn Error>> {
        self.0 = lz4_flex::compress(block);
        Ok(&self.0)
    }

    fn decompress(&mut self, stored: &[u8], block: &mut [u8]) -> Result<(), Box<dyn Error>> {
        lz4_flex::decompress_into(stored, block)?;
        Ok(())
    }
}

#[derive(Default)]
struct Zstd {
    compressed: Vec<u8>,
    decoded: Vec<u8>,
    context: zrip::DecompressContext,
}

impl Code for Zstd {
    fn name(&self) -> &str {
        "zstd -3"
    }

    fn compress(&mut self, block: &[u8], _: safetensors::Dtype) -> Result<&[u8], Box<dyn Error>> {
        self.compressed = zrip::compress(block, 3)?;
        Ok(&self.compressed)
    }

    fn decompress(&mut self, stored: &[u8], block: &mut [u8]) -> Result<(), Box<dyn Error>> {
        self.decoded.clear();
        self.context.decompress_into_with_limit(stored, &mut self.decoded, block.len())?;
        block.copy_from_slice(&self.decoded);
        Ok(())
    }
}
