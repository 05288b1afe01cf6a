//! Prints the compressed size of many kinds of data in each plane layout, and the layout that sampling
//! chooses. Converts the data from the largest `F32` tensor of a file. `docs/LAYOUTS.md` has the result.
//!
//! ```sh
//! cargo run --release --example layouts -- model.f32.safetensors
//! ```

use std::io::Write;
use std::time::{Duration, Instant};

use half::{bf16, f16};
use zipnn::frame::{EncodeScratch, PlaneLayout};
use zipnn::tensor::Metadata;
use zipnn::{DType, Encoder, Options, compress_bound, layout_search};

/// Name, layout for the declared type, and data.
type Case = (&'static str, PlaneLayout, Vec<u8>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: layouts FILE.safetensors, a file with F32 tensors")?;
    let weights = read_weights(&std::fs::read(path)?)?;
    println!(
        "| data | bytes | 1 plane | 2 | 2 rotated | 4 | 4 rotated | by type | unknown | sampling |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (name, declared, data) in cases(&weights) {
        print!("| {name} | {} ", data.len());
        for layout in PlaneLayout::ALL {
            print!("| {} ", percent(zipnn::compress(&data, &options(layout))?.len(), &data));
        }
        let chosen = layout_search::layout(&data, None, declared);
        print!("| {} ", percent(zipnn::compress(&data, &options(chosen))?.len(), &data));
        print!("| {} ", percent(compress_unknown(&data)?.len(), &data));
        let samples = shortest(|| assert_eq!(layout_search::layout(&data, None, declared), chosen));
        let options = options(chosen);
        let mut scratch = EncodeScratch::new();
        let mut frame = vec![0; compress_bound(data.len(), &options)];
        let compress = shortest(|| {
            zipnn::compress_into(&data, &mut frame, &options, &mut scratch)
                .expect("the frame has room for it");
        });
        println!("| {:.1} % |", samples.as_secs_f64() / compress.as_secs_f64() * 100.0);
    }
    Ok(())
}

fn options(layout: PlaneLayout) -> Options {
    Options::new(layout.dtype()).layout(layout).plain()
}

fn percent(len: usize, data: &[u8]) -> String {
    format!("{:.2} %", len as f64 / data.len() as f64 * 100.0)
}

/// Returns the shortest time of several runs, because other programs only add to it.
fn shortest(mut call: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        call();
        start.elapsed()
    };
    (0..20).map(time).min().unwrap_or_default()
}

fn compress_unknown(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::new(), Options::auto().plain())?;
    encoder.write_all(data)?;
    encoder.finish()
}

/// Returns at most 4 MiB of the largest F32 tensor.
fn read_weights(file: &[u8]) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let metadata = Metadata::parse(file, file.len() as u64)?;
    let tensors = metadata.tensors().iter().filter(|tensor| tensor.dtype() == Some(DType::F32));
    let tensor = tensors.max_by_key(|tensor| tensor.len()).ok_or("the file has no F32 tensor")?;
    let bytes = &file[tensor.range.start as usize..tensor.range.end as usize];
    let numbers = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    Ok(numbers.take(1 << 20).collect())
}

/// Returns the bytes of the numbers that `number` computes from each weight and its index.
fn each<const SIZE: usize>(weights: &[f32], number: impl Fn(f32, usize) -> [u8; SIZE]) -> Vec<u8> {
    weights.iter().enumerate().flat_map(|(index, &weight)| number(weight, index)).collect()
}

fn cases(weights: &[f32]) -> Vec<Case> {
    let widest = weights.iter().fold(0_f32, |widest, weight| widest.max(weight.abs()));
    let eighth = |weight: f32| (weight / widest * 127.0).round() as i8;
    let nibble = |weight: f32| (weight / widest * 7.0).round() as i8 as u8 & 15;
    // Word ids as frequent as in texts: the reciprocal of their rank.
    let id = |index: usize| {
        let chance = (index.wrapping_mul(0x9e37_79b9) >> 8 & 0xffff) as f32 / 65536.0;
        30522_f32.powf(chance) as i64
    };
    let f32s = || each(weights, |weight, _| weight.to_le_bytes());
    let shifted = |by: usize| [vec![b'?'; by], f32s()].concat();
    let packed = |pair: &[f32]| nibble(pair[0]) | nibble(pair[1]) << 4;
    use PlaneLayout as L;
    vec![
        ("f32", L::FOUR_ROTATED, f32s()),
        ("bf16", L::TWO_ROTATED, each(weights, |weight, _| bf16::from_f32(weight).to_le_bytes())),
        ("f16", L::TWO, each(weights, |weight, _| f16::from_f32(weight).to_le_bytes())),
        (
            "f32 with values of bf16",
            L::FOUR_ROTATED,
            each(weights, |weight, _| bf16::from_f32(weight).to_f32().to_le_bytes()),
        ),
        (
            "f32 with values of f16",
            L::FOUR_ROTATED,
            each(weights, |weight, _| f16::from_f32(weight).to_f32().to_le_bytes()),
        ),
        (
            "f16 declared as bf16",
            L::TWO_ROTATED,
            each(weights, |weight, _| f16::from_f32(weight).to_le_bytes()),
        ),
        (
            "f64",
            L::FOUR_ROTATED,
            each(weights, |weight, index| (f64::from(weight) / (index + 3) as f64).to_le_bytes()),
        ),
        (
            "f64 with values of f32",
            L::FOUR_ROTATED,
            each(weights, |weight, _| f64::from(weight).to_le_bytes()),
        ),
        ("i64, word ids", L::FOUR, each(weights, |_, index| id(index).to_le_bytes())),
        ("i64, positions", L::FOUR, each(weights, |_, index| (index as i64).to_le_bytes())),
        (
            "i64, −1 and small values",
            L::FOUR,
            each(weights, |weight, _| i64::from(eighth(weight) / 8).to_le_bytes()),
        ),
        ("i32, word ids", L::FOUR, each(weights, |_, index| (id(index) as i32).to_le_bytes())),
        (
            "i32, quantised",
            L::FOUR,
            each(weights, |weight, _| ((weight / widest * 8e6) as i32).to_le_bytes()),
        ),
        ("i16, word ids", L::TWO, each(weights, |_, index| (id(index) as i16).to_le_bytes())),
        (
            "i16, quantised",
            L::TWO,
            each(weights, |weight, _| ((weight / widest * 32767.0) as i16).to_le_bytes()),
        ),
        ("i8, quantised", L::ONE, each(weights, |weight, _| eighth(weight).to_le_bytes())),
        ("u8, two values of four bits", L::ONE, weights.chunks_exact(2).map(packed).collect()),
        ("i32, eight values of four bits", L::FOUR, weights.chunks_exact(2).map(packed).collect()),
        ("bool", L::ONE, each(weights, |weight, _| [u8::from(weight > widest / 20.0)])),
        (
            "bf16 declared as u8",
            L::ONE,
            each(weights, |weight, _| bf16::from_f32(weight).to_le_bytes()),
        ),
        ("f32, shifted by a byte", L::ONE, shifted(1)),
        ("f32, shifted by three bytes", L::ONE, shifted(3)),
    ]
}
