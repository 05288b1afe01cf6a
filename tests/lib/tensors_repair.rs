//! What the original has rotated is found and mended, and nothing else is: on its own damaged
//! files, and on many small pieces of real weights in both states.

use zipnn::DType;
use zipnn::tensor::{Diagnosis, Examination, Verdict, diagnose, examine, repair};

use crate::common::skipped;
use crate::tensor_files::*;

/// What the original does to a tensor before it compresses it: in whole words of four bytes, the
/// sign goes below the exponent.
fn rotate(data: &[u8], dtype: DType) -> Vec<u8> {
    let mut data = data.to_vec();
    for word in data.as_chunks_mut::<4>().0 {
        let bits = u32::from_le_bytes(*word);
        let rotated = match dtype {
            DType::F32 => (bits & 0x7f80_0000) << 1 | bits >> 31 << 23 | bits & 0x007f_ffff,
            _ => {
                let half = |bits: u32| (bits & 0x7f80) << 1 | bits >> 15 << 7 | bits & 0x7f;
                half(bits >> 16) << 16 | half(bits & 0xffff)
            }
        };
        *word = rotated.to_le_bytes();
    }
    data
}

fn examine_file(file: &[u8]) -> Vec<(String, Examination)> {
    let mut reader = open(file).unwrap();
    let found = examine(&mut reader).unwrap();
    found.into_iter().map(|one| (reader.tensors()[one.tensor].name.clone(), one)).collect()
}

/// The file with all mended that is found to be rotated.
fn repair_file(file: &[u8]) -> Vec<u8> {
    let mut reader = open(file).unwrap();
    let found = examine(&mut reader).unwrap();
    let rotated = found.iter().filter(|one| one.verdict == Verdict::Rotated);
    let rotated: Vec<usize> = rotated.map(|one| one.tensor).collect();
    let mut repaired = Vec::new();
    repair(&mut reader, &rotated, &mut repaired).unwrap();
    repaired
}

#[test]
fn files_that_the_original_damaged_are_mended() {
    let cases = golden("reference_damaged");
    assert!(cases.len() >= 2);
    for (case, file, original) in cases {
        let name = case["name"].as_str().unwrap();
        let damaged: Vec<&str> = case["damaged_tensors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_str().unwrap())
            .collect();
        for (tensor, one) in examine_file(&file) {
            assert_eq!(one.verdict, Verdict::Rotated, "{name}: {tensor}");
            assert!(damaged.contains(&&*tensor), "{name}: {tensor}");
        }
        let repaired = repair_file(&file);
        let reader = open(&repaired).unwrap();
        assert!(!reader.is_list_lost() && reader.is_compressed(), "{name}");
        assert_eq!(tensors(&restore(&repaired).0), tensors(&original), "{name}");
        assert_eq!(parse(&restore(&repaired).0).metadata()["format"], "pt", "{name}");
        // What stays compressed is the same to the byte, and so is the header where it was right.
        let (before, after) = (tensors(&file), tensors(&repaired));
        for (tensor, bytes) in before {
            assert_eq!(after[&tensor] == bytes, !damaged.contains(&&*tensor), "{name}: {tensor}");
        }
        assert!(repair_file(&repaired) == repaired, "{name}: nothing is left to be mended");
        assert!(
            examine_file(&repaired).iter().all(|(_, one)| one.verdict != Verdict::Rotated),
            "{name}"
        );
    }
}

#[test]
fn sound_files_of_the_original_are_left_alone() {
    for (case, file, original) in golden("safetensors") {
        for file in [file, original] {
            let found = examine_file(&file);
            assert!(found.iter().all(|(_, one)| one.verdict != Verdict::Rotated), "{case}");
            assert!(repair_file(&file) == file, "{case}");
        }
    }
}

/// A file that the original's scripts have compressed and decompressed: plain, with some tensors
/// rotated. Those of which nothing can be said are judged by the others.
#[test]
fn neighbours_help_in_plain_files() {
    let small = |seed| bf16(weights(24, seed));
    let ones = bf16([1.0; 16]);
    let rotated = |data: &[u8]| rotate(data, DType::BF16);
    let large = bf16(weights(20_000, 1));
    let damaged = file_of(&[
        ("large", "BF16", &[20_000], large.clone()),
        ("small", "BF16", &[24], rotated(&small(2))),
        ("ones", "BF16", &[16], rotated(&ones)),
        ("zeros", "BF16", &[3000], vec![0; 6000]),
    ]);
    let sound = file_of(&[
        ("large", "BF16", &[20_000], large.clone()),
        ("small", "BF16", &[24], small(2)),
        ("ones", "BF16", &[16], ones.clone()),
        ("zeros", "BF16", &[3000], vec![0; 6000]),
    ]);
    for (name, one) in examine_file(&damaged) {
        let expected = match &*name {
            "large" => (Verdict::Sound, false),
            "small" => (Verdict::Rotated, false),
            "ones" => (Verdict::Rotated, true),
            _ => (Verdict::Unknown, false),
        };
        assert_eq!((one.verdict, one.by_neighbours), expected, "{name}");
    }
    assert!(repair_file(&damaged) == sound);
    assert!(repair_file(&sound) == sound);
    // A sound tensor that the script would have rotated tells that it was not the script.
    let mixed = file_of(&[
        ("other", "BF16", &[24], small(3)),
        ("small", "BF16", &[24], rotated(&small(2))),
        ("ones", "BF16", &[16], rotated(&ones)),
    ]);
    let found = examine_file(&mixed);
    let ones = found.iter().find(|(name, _)| name == "ones").unwrap();
    assert_eq!(ones.1.verdict, Verdict::Unknown);
}

/// The figure of the documentation.
#[test]
fn a_small_weight_becomes_a_huge_one() {
    let rotated = rotate(&f32([0.02]), DType::F32);
    let read = f32::from_le_bytes(rotated.try_into().unwrap());
    assert!((5e34..6e34).contains(&read), "{read}");
}

#[test]
fn what_is_no_weights_is_not_judged() {
    let verdict = |data: &[u8], dtype| diagnose(data, dtype).verdict;
    for dtype in [DType::BF16, DType::F32] {
        for seed in 0..50 {
            for len in [64, 400, 20_000] {
                let data = noise(len, seed);
                assert_ne!(verdict(&data, dtype), Verdict::Rotated, "noise {seed}, {len} bytes");
                assert_ne!(verdict(&rotate(&data, dtype), dtype), Verdict::Rotated);
            }
        }
        // Whole numbers under the name of a type, and values that mark what is to be left out.
        let ids: Vec<u8> = (0..512_u32).flat_map(u32::to_le_bytes).collect();
        assert_ne!(verdict(&ids, dtype), Verdict::Rotated);
        let pairs: Vec<u8> = (0..512_u16).flat_map(u16::to_le_bytes).collect();
        assert_ne!(verdict(&pairs, dtype), Verdict::Rotated);
    }
    for odd in [f32::MIN, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -1e9, 1e30, 1e-30] {
        for data in [f32([odd]), f32([odd; 64]), f32([odd, 0.0, odd, 1.0]), f32([odd, -odd])] {
            assert_ne!(verdict(&data, DType::F32), Verdict::Rotated, "{odd}");
        }
    }
    let halves = f16(weights(100, 1));
    assert_eq!(verdict(&halves, DType::F16), Verdict::Unknown);
}

/// How pieces of weights are judged.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    pieces: usize,
    wrong: usize,
    unknown: usize,
}

impl Tally {
    fn add(&mut self, diagnosis: &Diagnosis, expected: Verdict) {
        self.pieces += 1;
        match diagnosis.verdict {
            Verdict::Unknown => self.unknown += 1,
            verdict => self.wrong += usize::from(verdict != expected),
        }
    }
}

/// Pieces of so many numbers of all bfloat16 and float32 tensors of a file, as they are and rotated.
fn judge_pieces(file: &[u8], numbers: usize, sound: &mut Tally, rotated: &mut Tally) {
    /// At most so many of a tensor, spread over it.
    const PIECES: usize = 400;
    for (dtype_name, _, data) in tensors(file).values() {
        let dtype = match &**dtype_name {
            "BF16" => DType::BF16,
            "F32" => DType::F32,
            _ => continue,
        };
        let len = numbers * dtype.size();
        let step = (data.len() / len).div_ceil(PIECES).max(1);
        for piece in data.chunks_exact(len).step_by(step) {
            sound.add(&diagnose(piece, dtype), Verdict::Sound);
            rotated.add(&diagnose(&rotate(piece, dtype), dtype), Verdict::Rotated);
        }
    }
}

/// Prints the rates: `cargo test --release --test safetensors_repair pieces -- --nocapture`.
#[test]
fn pieces_of_real_weights() {
    let mut files = vec![include_bytes!("../data/minilm-slice.bf16.safetensors").to_vec()];
    for name in ["f32", "bf16", "mixed", "tuned.bf16"] {
        let path = skipped::shared(&format!("models/minilm-part.{name}.safetensors"));
        files.extend(path.map(|path| std::fs::read(path).unwrap()));
    }
    for numbers in [4, 8, 16, 64, 256, 1024] {
        let (mut sound, mut rotated) = (Tally::default(), Tally::default());
        for file in &files {
            judge_pieces(file, numbers, &mut sound, &mut rotated);
        }
        println!(
            "{numbers:5} numbers: {:6} pieces; sound: {} wrong, {} unknown; rotated: {} wrong, {} unknown",
            sound.pieces, sound.wrong, sound.unknown, rotated.wrong, rotated.unknown
        );
        for tally in [sound, rotated] {
            assert!(tally.pieces > 500, "{numbers}: {tally:?}");
            assert_eq!(tally.wrong, 0, "{numbers}: {tally:?}");
            let part = if numbers <= 8 { 3 } else { 50 };
            assert!(tally.unknown <= tally.pieces / part, "{numbers}: {tally:?}");
        }
    }
}
