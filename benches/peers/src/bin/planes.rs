//! What the extended profile makes of data in which much repeats, beside general encoders of
//! Zstandard that are given the same planes, one frame for each.
//!
//! usage: planes BASE TUNED, two files of bfloat16 of the same length.

use std::error::Error;
use std::time::Instant;

use zipnn::frame::{DecodeScratch, EncodeScratch, Frame};
use zipnn::{
    DType, Limits, Options, Profile, compress, compress_bound, compress_into, decompress_into,
};

/// Runs of each kind, of which the fastest counts: the others were disturbed.
const RUNS: usize = 9;

/// Bytes that are coded at a time.
const FRAME_LEN: usize = Options::DEFAULT_FRAME_LEN;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [base, tuned] = &paths[..] else { return Err("usage: planes BASE TUNED".into()) };
    let (base, tuned) = (std::fs::read(base)?, std::fs::read(tuned)?);
    println!("| data | method | compressed | compress | decompress |\n|---|---|--:|--:|--:|");
    for (name, dtype, data) in samples(&base, &tuned) {
        measure(name, dtype, &data)?;
    }
    Ok(())
}

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn samples(base: &[u8], tuned: &[u8]) -> Vec<(&'static str, DType, Vec<u8>)> {
    let mut random = Random(1);
    let difference: Vec<u8> = base.iter().zip(tuned).map(|(base, tuned)| base ^ tuned).collect();
    let mut zeroed = |data: &[u8], run: usize, percent: u64| {
        let mut data = data.to_vec();
        data.chunks_mut(run).filter(|_| random.below(100) < percent).for_each(|run| run.fill(0));
        data
    };
    let frozen = zeroed(&difference, 32 << 10, 60);
    let sparse = zeroed(base, 2, 90);
    let rows = zeroed(base, 2 * 384, 70);
    // Few are frequent, most are rare.
    let identifiers: Vec<u64> = (0..1 << 20).map(|_| 30_000 / (1 + random.below(30_000))).collect();
    vec![
        ("difference", DType::BF16, difference),
        ("difference, 60 % of it frozen", DType::BF16, frozen),
        ("90 % zeros", DType::BF16, sparse),
        ("70 % of rows zero", DType::BF16, rows),
        (
            "identifiers, 32 bits",
            DType::F32,
            identifiers.iter().flat_map(|&id| (id as u32).to_le_bytes()).collect(),
        ),
        (
            "identifiers, 64 bits, as bytes",
            DType::F8E4M3,
            identifiers.iter().flat_map(|id| id.to_le_bytes()).collect(),
        ),
        ("weights", DType::BF16, base.to_vec()),
    ]
}

fn measure(name: &str, dtype: DType, data: &[u8]) -> Result<(), Box<dyn Error>> {
    for (method, profile) in [("original", Profile::Original), ("extended", Profile::Extended)] {
        let options = Options::new(dtype).plain().profile(profile);
        let (mut encode_scratch, mut decode_scratch) = (EncodeScratch::new(), DecodeScratch::new());
        let mut files: Vec<(Vec<u8>, usize)> = data
            .chunks(FRAME_LEN)
            .map(|part| (vec![0; compress_bound(part.len(), &options)], 0))
            .collect();
        let compressing = fastest(|| {
            for (part, (file, len)) in data.chunks(FRAME_LEN).zip(&mut files) {
                *len = compress_into(part, file, &options, &mut encode_scratch)?;
            }
            Ok(())
        })?;
        let mut decoded = vec![0; data.len()];
        let decompressing = fastest(|| {
            for (part, (file, len)) in decoded.chunks_mut(FRAME_LEN).zip(&files) {
                decompress_into(&file[..*len], part, &Limits::default(), &mut decode_scratch)?;
            }
            Ok(())
        })?;
        assert!(decoded == data, "{name}: other data");
        let size = files.iter().map(|(_, len)| len).sum();
        show(name, method, data.len(), size, compressing, Some(decompressing));
    }
    let planes = planes(dtype, data)?;
    let mut dst = vec![0; 1 << 20];
    let mut zrip = zrip::CompressContext::new(1)?;
    let mut size = 0;
    let time = fastest(|| {
        size = 0;
        for plane in &planes {
            size += zrip.compress_into(plane, &mut dst)?;
        }
        Ok(())
    })?;
    show(name, "zrip -1 of planes", data.len(), size, time, None);
    for level in [1, 3] {
        let mut zstd = zstd::bulk::Compressor::new(level)?;
        let time = fastest(|| {
            size = 0;
            for plane in &planes {
                size += zstd.compress_to_buffer(plane, &mut dst[..])?;
            }
            Ok(())
        })?;
        show(name, &format!("zstd -{level} of planes"), data.len(), size, time, None);
    }
    Ok(())
}

/// The planes of all chunks.
fn planes(dtype: DType, data: &[u8]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let raw = compress(data, &Options::new(dtype).plain().threshold(0.0))?;
    let frame = Frame::parse(&raw)?;
    let ranges = frame.index().chunks().flat_map(|chunk| chunk.plane_ranges().collect::<Vec<_>>());
    Ok(ranges.map(|range| raw[range.start as usize..range.end as usize].to_vec()).collect())
}

fn fastest(mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut fastest = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        run()?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    Ok(fastest)
}

fn show(
    name: &str,
    method: &str,
    len: usize,
    size: usize,
    compressing: f64,
    decompressing: Option<f64>,
) {
    let speed = |time: f64| format!("{:.0} MB/s", len as f64 / time / 1e6);
    println!(
        "| {name} | {method} | {:.1} % | {} | {} |",
        100.0 * size as f64 / len as f64,
        speed(compressing),
        decompressing.map_or_else(|| "–".to_owned(), speed),
    );
}
