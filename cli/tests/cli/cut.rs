//! Reading and recovering cut or damaged files with compressed tensors inside, and `info` about any
//! file that was cut off.

use program::{Place, text};
use serde_json::Value;

use crate::program;
use crate::tensor_files::*;

const NAME: &str = "model.znn.safetensors";

/// Returns a file with a tensor of several chunks, an incompressible one and a small one.
fn source() -> Vec<u8> {
    let weights = |count: usize| -> Vec<u8> {
        (0..count).flat_map(|i| [((i * 31) >> 3) as u8, 0x3c + (i % 3) as u8]).collect()
    };
    let bytes = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    file_of(&[
        ("long", "BF16", &[400, 1000], weights(400_000)),
        ("plain", "U8", &[5000], bytes),
        ("short", "BF16", &[10, 1000], weights(10_000)),
    ])
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Returns lengths at which to cut a file: around the ends of all tensors, and within them.
fn cuts(file: &[u8]) -> Vec<usize> {
    let layout = parse(file);
    let ends = layout.tensors().iter().flat_map(|tensor| {
        let (start, end) = (tensor.range.start as usize, tensor.range.end as usize);
        [start, start + 1, start + 40, start.midpoint(end), end - 1]
    });
    ends.collect()
}

#[test]
fn ls_and_cat_read_complete_tensors_of_a_cut_file() {
    let (source, place) = (source(), Place::new());
    let file = compress(&source, true);
    let (layout, all) = (parse(&file), tensors(&source));
    for cut in cuts(&file) {
        place.write(NAME, &file[..cut]);
        let output = place.run(&["ls", "--json", NAME]);
        assert!(output.status.success() && text(&output.stderr).contains("not complete"), "{cut}");
        let listed = json(&text(&output.stdout));
        assert_eq!(listed["complete"], false);
        assert_eq!(listed["tensors"].as_array().unwrap().len(), all.len());
        for tensor in listed["tensors"].as_array().unwrap() {
            let name = tensor["name"].as_str().unwrap();
            let (dtype, shape, bytes) = &all[name];
            assert_eq!(
                (&tensor["dtype"], &tensor["bytes"]),
                (&dtype[..].into(), &bytes.len().into())
            );
            assert_eq!(tensor["shape"], serde_json::json!(shape));
            let is_whole = layout.tensor(name).unwrap().range.end <= cut as u64;
            assert_eq!(tensor["complete"], is_whole, "{name} of {cut} bytes");
            let output = place.run(&["cat", NAME, name]);
            assert_eq!(output.status.code(), Some(i32::from(!is_whole)), "{name} of {cut} bytes");
            assert!(output.stdout == if is_whole { &bytes[..] } else { &[] });
            assert_eq!(text(&output.stderr).contains("is missing"), !is_whole);
        }
    }
}

#[test]
fn info_describes_the_rest_of_a_cut_file() {
    let (source, place) = (source(), Place::new());
    let file = compress(&source, true);
    for cut in cuts(&file) {
        place.write(NAME, &file[..cut]);
        let output = place.run(&["info", "--json", NAME]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("not complete"));
        let shown = json(&text(&output.stdout));
        assert_eq!((&shown["complete"], &shown["tensor_count"]), (&false.into(), &3.into()));
        assert!(place.fails(1, &["info", NAME]).contains("incomplete"));
    }
    place.write("whole", &file);
    assert_eq!(json(&place.succeeds(&["info", "--json", "whole"]))["complete"], true);

    place.write("model.safetensors", &source).succeeds(&["compress", "model.safetensors"]);
    let file = place.read("model.safetensors.znn");
    let whole = json(&place.succeeds(&["info", "--json", "model.safetensors.znn"]));
    assert_eq!(whole["complete"], true);
    for cut in [file.len() - 1, file.len() / 2] {
        place.write("cut.safetensors.znn", &file[..cut]);
        let output = place.run(&["info", "--json", "cut.safetensors.znn"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("the file is not complete"));
        let shown = json(&text(&output.stdout));
        assert_eq!(shown["complete"], false);
        assert_eq!(shown["tensors"].as_array().unwrap().len(), 3);
        let count = shown["frame_count"].as_u64().unwrap();
        assert!(count > 0 && count < whole["frame_count"].as_u64().unwrap() + 1);
    }
}

/// Compares a result with its source, except for ranges that the message lists as lost or wrong.
/// Returns the number of bytes in these ranges.
fn check_saved(message: &str, saved: &[u8], source: &[u8]) -> usize {
    let mut is_sound = vec![true; source.len()];
    for line in
        message.lines().filter(|line| line.contains("; lost: ") || line.contains("; wrong: "))
    {
        let Some((_, range)) = line.split_once(": bytes ") else { continue };
        let (start, end) = range.split_once(" to ").unwrap();
        let end: String = end.chars().take_while(char::is_ascii_digit).collect();
        is_sound[start.parse().unwrap()..end.parse().unwrap()].fill(false);
    }
    assert!(saved.len() <= source.len());
    for (at, _) in is_sound.iter().enumerate().filter(|(_, is_sound)| **is_sound) {
        assert_eq!(saved.get(at), Some(&source[at]), "byte {at}: {message}");
    }
    is_sound.iter().filter(|is_sound| !**is_sound).count()
}

#[test]
fn no_verify_recovers_the_rest_of_a_cut_file() {
    let (source, place) = (source(), Place::new());
    for file in [compress(&source, true), compress(&source, false)] {
        let mut most_lost = usize::MAX;
        for cut in cuts(&file) {
            place.write(NAME, &file[..cut]);
            let message = place.fails(1, &["verify", NAME]);
            assert!(message.contains("; lost: "), "{message}");
            let message = place.fails(1, &["decompress", "--no-verify", "-f", NAME, "-o", "saved"]);
            let lost = check_saved(&message, &place.read("saved"), &source);
            assert!(lost <= most_lost, "{cut}: {message}");
            most_lost = lost;
        }
        assert!(most_lost < source.len() / 10);
        place.write(NAME, &file);
        place.succeeds(&["decompress", "--no-verify", "-f", NAME, "-o", "saved"]);
        assert!(place.read("saved") == source);
    }
}

#[test]
fn no_verify_recovers_the_rest_of_a_damaged_file() {
    let (source, place) = (source(), Place::new());
    let file = compress(&source, true);
    for tensor in parse(&file).tensors() {
        let (start, end) = (tensor.range.start as usize, tensor.range.end as usize);
        for at in [start, start + 12, start + 40, start.midpoint(end), end - 20] {
            let mut damaged = file.clone();
            damaged[at] ^= 0x55;
            place.write(NAME, &damaged);
            let message = place.fails(1, &["verify", NAME]);
            assert!(message.contains("tensor"), "{message}");
            let output = place.run(&["decompress", "--no-verify", "-f", NAME, "-o", "saved"]);
            let message = text(&output.stderr);
            let lost = check_saved(&message, &place.read("saved"), &source);
            assert!(lost <= tensors(&source)[&tensor.name].2.len(), "{message}");
            assert_eq!(output.status.code(), Some(i32::from(lost > 0)), "{message}");
            assert!(tensor.name != "plain" || lost == 5000, "{message}");
        }
    }
}

#[test]
fn reports_cut_files_without_compressed_tensors_as_incomplete() {
    let (source, place) = (source(), Place::new());
    place.write("model.safetensors", &source[..source.len() - 1]);
    for arguments in [&["ls"][..], &["info"], &["verify"], &["decompress", "-o", "x"], &["repair"]]
    {
        let message = place.fails(1, &[arguments, &["model.safetensors"]].concat());
        assert!(message.contains("the file is not complete"), "{message}");
        assert!(!message.contains("damaged"), "{message}");
    }
    place.write("model.safetensors", &source[..20]);
    let message = place.fails(1, &["verify", "model.safetensors"]);
    assert!(message.contains("ends within its header") && !message.contains("damaged"));
}
