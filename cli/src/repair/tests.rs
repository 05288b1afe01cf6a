//! Detection and repair of rotated tensors: on files that the original damaged, and on many pieces
//! of real weights in both states.

use zipnn::DType;

use crate::common::skipped;
use crate::repair::diagnosis::{Diagnosis, Verdict, diagnose};
use crate::repair::examination::{Examination, examine};
use crate::repair::rewrite::rewrite;
use crate::repair::samples::Samples;

#[path = "../../../tests/common/tensors.rs"]
mod tensor_files;

use tensor_files::*;

/// Judges a tensor by its data.
pub fn diagnose_data(data: &[u8], dtype: DType) -> Diagnosis {
    let mut samples = Samples::new(data.len() as u64, dtype);
    samples.add(data);
    diagnose(&samples.distinct(), dtype)
}

/// Rotates a tensor as the original does before it compresses it: in whole words of four bytes,
/// moves the sign below the exponent.
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

/// Repairs all tensors of a file that are detected as rotated.
fn repair_file(file: &[u8]) -> Vec<u8> {
    let mut reader = open(file).unwrap();
    let found = examine(&mut reader).unwrap();
    let rotated = found.iter().filter(|one| one.verdict == Verdict::Rotated);
    let rotated: Vec<usize> = rotated.map(|one| one.tensor).collect();
    let mut repaired = Vec::new();
    rewrite(reader, &rotated, &mut repaired).unwrap();
    repaired
}

#[test]
fn repairs_files_that_the_original_damaged() {
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
        // Compressed tensors keep every byte, and so does a header that was right.
        let (before, after) = (tensors(&file), tensors(&repaired));
        for (tensor, bytes) in before {
            assert_eq!(after[&tensor] == bytes, !damaged.contains(&&*tensor), "{name}: {tensor}");
        }
        assert!(repair_file(&repaired) == repaired, "{name}: nothing is left to repair");
        assert!(
            examine_file(&repaired).iter().all(|(_, one)| one.verdict != Verdict::Rotated),
            "{name}"
        );
    }
}

#[test]
fn leaves_sound_files_of_the_original_unchanged() {
    for (case, file, original) in golden("safetensors") {
        for file in [file, original] {
            let found = examine_file(&file);
            assert!(found.iter().all(|(_, one)| one.verdict != Verdict::Rotated), "{case}");
            assert!(repair_file(&file) == file, "{case}");
        }
    }
}

/// A file that the original's scripts have compressed and decompressed is uncompressed, with some
/// tensors rotated.
#[test]
fn judges_unclear_tensors_of_uncompressed_files_by_their_neighbours() {
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
    // A sound tensor that the script would have rotated shows that the script did not write it.
    let mixed = file_of(&[
        ("other", "BF16", &[24], small(3)),
        ("small", "BF16", &[24], rotated(&small(2))),
        ("ones", "BF16", &[16], rotated(&ones)),
    ]);
    let found = examine_file(&mixed);
    let ones = found.iter().find(|(name, _)| name == "ones").unwrap();
    assert_eq!(ones.1.verdict, Verdict::Unknown);
}

/// Checks the number in the documentation.
#[test]
fn rotation_turns_a_small_weight_into_a_huge_one() {
    let rotated = rotate(&f32([0.02]), DType::F32);
    let read = f32::from_le_bytes(rotated.try_into().unwrap());
    assert!((5e34..6e34).contains(&read), "{read}");
}

#[test]
fn never_reports_other_data_as_rotated() {
    let verdict = |data: &[u8], dtype| diagnose_data(data, dtype).verdict;
    for dtype in [DType::BF16, DType::F32] {
        for seed in 0..50 {
            for len in [64, 400, 20_000] {
                let data = noise(len, seed);
                assert_ne!(verdict(&data, dtype), Verdict::Rotated, "noise {seed}, {len} bytes");
                assert_ne!(verdict(&rotate(&data, dtype), dtype), Verdict::Rotated);
            }
        }
        // Integers under the name of a float type.
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

/// Counts the verdicts on pieces of weights.
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

/// Judges pieces of all bfloat16 and float32 tensors of a file, as they are and rotated.
fn judge_pieces(file: &[u8], numbers: usize, sound: &mut Tally, rotated: &mut Tally) {
    /// Maximum number of pieces of a tensor, spread over it.
    const PIECES: usize = 400;
    for (dtype_name, _, data) in tensors(file).values() {
        let Ok(dtype @ (DType::BF16 | DType::F32)) = dtype_name.parse() else { continue };
        let len = numbers * dtype.size();
        let step = (data.len() / len).div_ceil(PIECES).max(1);
        for piece in data.chunks_exact(len).step_by(step) {
            sound.add(&diagnose_data(piece, dtype), Verdict::Sound);
            rotated.add(&diagnose_data(&rotate(piece, dtype), dtype), Verdict::Rotated);
        }
    }
}

/// Prints the rates with `cargo test -p zipnn-cli pieces -- --nocapture`.
#[test]
fn judges_pieces_of_real_weights_without_errors() {
    let mut files =
        vec![include_bytes!("../../../tests/data/minilm-slice.bf16.safetensors").to_vec()];
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

#[test]
fn rewriting_a_sound_file_changes_nothing() {
    for source in files_with_tensors_anywhere(3000) {
        let mut rewritten = Vec::new();
        rewrite(open(&source).unwrap(), &[], &mut rewritten).unwrap();
        assert!(rewritten == source);
    }
}
