//! What each layout makes of data of many kinds, made from the tensors of a file of `F32`, and which
//! one is chosen by samples.
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

/// The layout with which data of a kind is compressed if its file tells the type.
type Case = (&'static str, PlaneLayout, Vec<u8>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("name a .safetensors file of F32")?;
    let weights = read_weights(&std::fs::read(path)?)?;
    println!(
        "| data | bytes | 1 plane | 2 | 2 rotated | 4 | 4 rotated | by type | unknown | samples' time |"
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
            zipnn::compress_into(&data, &mut frame, &options, &mut scratch).expect("there is room");
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

/// The shortest time of several runs: other programs only add to it.
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

/// The largest tensor of the file, 4 MiB of it at most.
fn read_weights(file: &[u8]) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let layout = Metadata::parse(file, file.len() as u64)?;
    let tensors = layout.tensors().iter().filter(|tensor| tensor.dtype() == Some(DType::F32));
    let tensor = tensors.max_by_key(|tensor| tensor.len()).ok_or("no tensor of F32")?;
    let bytes = &file[tensor.range.start as usize..tensor.range.end as usize];
    let numbers = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    Ok(numbers.take(1 << 20).collect())
}

/// The bytes of the numbers that `number` makes of weights and their places.
fn each<const SIZE: usize>(weights: &[f32], number: impl Fn(f32, usize) -> [u8; SIZE]) -> Vec<u8> {
    weights.iter().enumerate().flat_map(|(place, &weight)| number(weight, place)).collect()
}

fn cases(weights: &[f32]) -> Vec<Case> {
    let widest = weights.iter().fold(0_f32, |widest, weight| widest.max(weight.abs()));
    let eighth = |weight: f32| (weight / widest * 127.0).round() as i8;
    let nibble = |weight: f32| (weight / widest * 7.0).round() as i8 as u8 & 15;
    // As often as words occur in texts: the reciprocal of a rank.
    let id = |place: usize| {
        let chance = (place.wrapping_mul(0x9e37_79b9) >> 8 & 0xffff) as f32 / 65536.0;
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
            "f32 with the values of bf16",
            L::FOUR_ROTATED,
            each(weights, |weight, _| bf16::from_f32(weight).to_f32().to_le_bytes()),
        ),
        (
            "f32 with the values of f16",
            L::FOUR_ROTATED,
            each(weights, |weight, _| f16::from_f32(weight).to_f32().to_le_bytes()),
        ),
        (
            "bf16 that is f16",
            L::TWO_ROTATED,
            each(weights, |weight, _| f16::from_f32(weight).to_le_bytes()),
        ),
        (
            "f64",
            L::FOUR_ROTATED,
            each(weights, |weight, place| (f64::from(weight) / (place + 3) as f64).to_le_bytes()),
        ),
        (
            "f64 with the values of f32",
            L::FOUR_ROTATED,
            each(weights, |weight, _| f64::from(weight).to_le_bytes()),
        ),
        ("i64, words' ids", L::FOUR, each(weights, |_, place| id(place).to_le_bytes())),
        ("i64, positions", L::FOUR, each(weights, |_, place| (place as i64).to_le_bytes())),
        (
            "i64, -1 and small",
            L::FOUR,
            each(weights, |weight, _| i64::from(eighth(weight) / 8).to_le_bytes()),
        ),
        ("i32, words' ids", L::FOUR, each(weights, |_, place| (id(place) as i32).to_le_bytes())),
        (
            "i32, quantised",
            L::FOUR,
            each(weights, |weight, _| ((weight / widest * 8e6) as i32).to_le_bytes()),
        ),
        ("i16, words' ids", L::TWO, each(weights, |_, place| (id(place) as i16).to_le_bytes())),
        (
            "i16, quantised",
            L::TWO,
            each(weights, |weight, _| ((weight / widest * 32767.0) as i16).to_le_bytes()),
        ),
        ("i8, quantised", L::ONE, each(weights, |weight, _| eighth(weight).to_le_bytes())),
        ("u8, two of four bits", L::ONE, weights.chunks_exact(2).map(packed).collect()),
        ("i32, eight of four bits", L::FOUR, weights.chunks_exact(2).map(packed).collect()),
        ("bool", L::ONE, each(weights, |weight, _| [u8::from(weight > widest / 20.0)])),
        (
            "u8 that is bf16",
            L::ONE,
            each(weights, |weight, _| bf16::from_f32(weight).to_le_bytes()),
        ),
        ("f32, shifted by a byte", L::ONE, shifted(1)),
        ("f32, shifted by three", L::ONE, shifted(3)),
    ]
}
