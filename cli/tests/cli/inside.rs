//! Compressing tensors inside safetensors files, and repairing such files.

use std::fs;

use program::{Place, text};

use crate::program;
use crate::tensor_files::*;

fn model() -> Vec<u8> {
    include_bytes!("../../../tests/data/minilm-slice.bf16.safetensors").to_vec()
}

fn damaged(name: &str) -> Vec<u8> {
    let root = crate::common::root().to_owned();
    fs::read(root.join("tests/data/golden/reference_damaged").join(name)).unwrap()
}

#[test]
fn restores_the_source_from_inside() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    place.succeeds(&["compress", "--inside-safetensors", "model.safetensors"]);
    assert_eq!(place.names(), ["model.safetensors", "model.znn.safetensors"]);
    let file = place.read("model.znn.safetensors");
    assert!(file.len() < model().len() * 7 / 10);
    assert!(file == compress(&model(), true), "as the library does it");
    assert!(place.succeeds(&["verify", "model.znn.safetensors"]).contains("all checksums match"));
    place.remove("model.safetensors");
    place.succeeds(&["decompress", "model.znn.safetensors"]);
    assert!(place.read("model.safetensors") == model());
}

#[test]
fn ls_and_cat_read_tensors_inside() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    place.succeeds(&["compress", "--inside-safetensors", "model.safetensors"]);
    let all = tensors(&model());
    let listed = place.succeeds(&["ls", "--json", "model.znn.safetensors"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["tensors"].as_array().unwrap().len(), all.len());
    for tensor in listed["tensors"].as_array().unwrap() {
        let name = tensor["name"].as_str().unwrap();
        let (dtype, shape, bytes) = &all[name];
        assert_eq!(tensor["dtype"], dtype.as_str());
        assert_eq!(tensor["shape"], serde_json::json!(shape));
        assert_eq!(tensor["bytes"], bytes.len());
        place.succeeds(&["cat", "model.znn.safetensors", name, "-o", "t", "-f"]);
        assert!(place.read("t") == *bytes, "{name}");
        let half = shape[0] / 2;
        let rows = format!("{half}..{}", shape[0]);
        place.succeeds(&["cat", "model.znn.safetensors", name, "--rows", &rows, "-o", "t", "-f"]);
        assert!(place.read("t") == bytes[bytes.len() / shape[0] as usize * half as usize..]);
    }
    let message = place.fails(1, &["cat", "model.znn.safetensors", "nobody"]);
    assert!(message.contains("zipnn ls"), "{message}");
}

#[test]
fn results_inside_do_not_depend_on_threads() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    let plain = compress(&model(), false);
    for threads in ["1", "3"] {
        let arguments = ["--plain", "--threads", threads, "-f", "model.safetensors"];
        place.succeeds(&[&["compress", "--inside-safetensors"], &arguments[..]].concat());
        assert!(place.read("model.znn.safetensors") == plain);
    }
}

#[test]
fn rm_removes_sources_after_verification() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    place.succeeds(&["compress", "--inside-safetensors", "--rm", "model.safetensors"]);
    assert_eq!(place.names(), ["model.znn.safetensors"]);
    place.succeeds(&["decompress", "--rm", "model.znn.safetensors"]);
    assert_eq!(place.names(), ["model.safetensors"]);
    assert!(place.read("model.safetensors") == model());
}

#[test]
fn compresses_inside_from_pipes_and_in_directories() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    let output = place.run_with_input(&["compress", "--inside-safetensors", "-"], &model());
    assert!(output.status.success(), "{}", text(&output.stderr));
    place.write("model.znn.safetensors", &output.stdout);
    let output = place.run_with_input(&["decompress", "-"], &output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout == model());
    fs::create_dir(place.path("out")).unwrap();
    place.succeeds(&["compress", "--inside-safetensors", "model.safetensors", "-o", "out"]);
    assert!(place.read("out/model.znn.safetensors") == place.read("model.znn.safetensors"));
}

#[test]
fn detects_files_by_their_contents() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    place.succeeds(&["compress", "--inside-safetensors", "model.safetensors", "-o", "model.bin"]);
    let message = place.fails(1, &["decompress", "model.bin"]);
    assert!(message.contains("--output"), "{message}");
    place.succeeds(&["decompress", "model.bin", "-o", "model"]);
    assert!(place.read("model") == model());
    // A whole file that only has the name.
    place.succeeds(&["compress", "model", "-o", "x.znn.safetensors"]);
    place.succeeds(&["decompress", "x.znn.safetensors", "-o", "y"]);
    assert!(place.read("y") == model());
    let message = place.fails(1, &["decompress", "model.safetensors", "-o", "z"]);
    assert!(message.contains("no tensor in it is compressed"), "{message}");
}

#[test]
fn rejects_contradictory_arguments() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    place.write("weights.bin", &[7; 1000]);
    place.write("lost.safetensors", &damaged("no-metadata.znn.safetensors"));
    place.write("listed.safetensors", &damaged("small-tensors.znn.safetensors"));
    let inside = "--inside-safetensors";
    place.fails(2, &["compress", inside, "--delta", "weights.bin", "model.safetensors"]);
    place.fails(2, &["compress", inside, "--dtype", "bf16", "model.safetensors"]);
    place.fails(1, &["compress", inside, "weights.bin"]);
    let message = place.fails(1, &["compress", inside, "weights.bin", "-o", "x"]);
    assert!(message.contains("not a .safetensors file"), "{message}");
    let message = place.fails(1, &["compress", inside, "lost.safetensors"]);
    assert!(message.contains("zipnn repair"), "{message}");
    let message = place.fails(1, &["compress", inside, "listed.safetensors"]);
    assert!(message.contains("already"), "{message}");
    place.write("model.znn.safetensors", b"old");
    place.fails(1, &["compress", inside, "model.safetensors"]);
    assert_eq!(place.read("model.znn.safetensors"), b"old");
    place.fails(2, &["decompress", "--delta", "weights.bin", "listed.safetensors", "-o", "x"]);
    assert!(!place.path("x").exists());
}

/// Returns a file of `count` tensors with `elements` elements each.
fn small_tensors(count: usize, elements: usize) -> Vec<u8> {
    let names: Vec<String> = (0..count).map(|i| format!("model.layers.{i}.weight")).collect();
    let shape = [elements];
    let tensors: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(name, seed)| (&**name, "BF16", &shape[..], bf16(weights(elements, seed))))
        .collect();
    file_of(&tensors)
}

#[test]
fn writes_larger_results_only_with_force() {
    let inside = ["compress", "--inside-safetensors"];
    for elements in [8, 64, 256] {
        let place = Place::new();
        let source = small_tensors(200, elements);
        place.write("s.safetensors", &source);
        for options in [&["s.safetensors"][..], &["--rm", "s.safetensors"]] {
            let message = place.fails(1, &[&inside, options].concat());
            assert!(message.contains("larger") && message.contains(".znn"), "{message}");
            assert!(message.contains("--force"), "{message}");
            assert_eq!(place.names(), ["s.safetensors"]);
        }
        let output = place.run_with_input(&[&inside[..], &["-"]].concat(), &source);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        let output = place.run(&[&inside[..], &["--force", "s.safetensors"]].concat());
        assert!(output.status.success());
        assert!(text(&output.stderr).contains("warning"), "{}", text(&output.stderr));
        place.remove("s.safetensors");
        place.succeeds(&["decompress", "s.znn.safetensors"]);
        assert!(place.read("s.safetensors") == source);
    }
    let place = Place::new();
    place.write("s.safetensors", &small_tensors(20, 4096));
    place.succeeds(&[&inside[..], &["s.safetensors"]].concat());
}

#[test]
fn damaged_files_leave_no_result() {
    let place = Place::new();
    let mut file = compress(&model(), true);
    let middle = file.len() / 2;
    file[middle] ^= 1;
    place.write("model.znn.safetensors", &file);
    let message = place.fails(1, &["decompress", "model.znn.safetensors"]);
    assert!(message.contains("tensor \""), "{message}");
    let message = place.fails(1, &["verify", "model.znn.safetensors"]);
    assert!(message.contains("tensor \""), "{message}");
    // The result is written all the same, and the status tells that a part of it is wrong.
    let arguments = ["decompress", "--no-verify", "model.znn.safetensors", "-o", "model"];
    let message = place.fails(1, &arguments);
    assert!(message.contains("saved in model"), "{message}");
    assert_eq!(place.read("model").len(), model().len());
    place.remove("model");
    place.write("short.znn.safetensors", &file[..middle]);
    place.fails(1, &["decompress", "short.znn.safetensors"]);
    assert_eq!(place.names(), ["model.znn.safetensors", "short.znn.safetensors"]);
}

#[test]
fn repair_changes_nothing_without_write_or_output() {
    let place = Place::new();
    for name in ["small-tensors.znn.safetensors", "no-metadata.znn.safetensors"] {
        place.write(name, &damaged(name));
        let said = place.fails(1, &["repair", name]);
        for tensor in ["scalar.f32", "ln.bf16", "ln3.bf16", "rnd.bf16"] {
            let line = said.lines().find(|line| line.starts_with(tensor)).unwrap();
            assert!(line.contains("rotated (over 99.99 %"), "{line}");
        }
        assert!(said.contains("4 of 4"), "{said}");
        assert_eq!(
            said.contains("compressed tensors is missing"),
            name.starts_with("no"),
            "{said}"
        );
        assert!(place.read(name) == damaged(name));
        place.succeeds(&["repair", name, "-o", "repaired.znn.safetensors", "-f"]);
        assert!(place.read(name) == damaged(name));
        place.succeeds(&["repair", "--quiet", "repaired.znn.safetensors"]);
        place.succeeds(&["decompress", "-f", "repaired.znn.safetensors"]);
        let truth = tensors(&damaged("small-tensors.safetensors"));
        assert_eq!(tensors(&place.read("repaired.safetensors")), truth);
        place.succeeds(&["repair", name, "--write"]);
        assert!(place.read(name) == place.read("repaired.znn.safetensors"));
        assert!(place.succeeds(&["repair", name]).contains("0 of 4"));
    }
}

#[test]
fn repair_leaves_sound_files_unchanged() {
    let place = Place::new();
    place.write("model.safetensors", &model());
    let said = place.succeeds(&["repair", "--write", "--all", "model.safetensors"]);
    assert!(said.contains("0 of 13") && said.contains("sound (over 99.99 %)"), "{said}");
    assert!(place.read("model.safetensors") == model());
    place.succeeds(&["repair", "model.safetensors", "-o", "copy"]);
    assert!(place.read("copy") == model());
    place.fails(2, &["repair", "model.safetensors", "-o", "model.safetensors"]);
    place.fails(1, &["repair", "model.safetensors", "-o", "copy"]);
    place.write("weights.bin", &[7; 1000]);
    place.fails(1, &["repair", "weights.bin"]);
}

#[test]
fn repair_applies_rotated_and_sound() {
    let place = Place::new();
    place.write("in", &damaged("small-tensors.znn.safetensors"));
    place.fails(2, &["repair", "in", "--sound", "nobody"]);
    let all = ["scalar.f32", "ln.bf16", "ln3.bf16", "rnd.bf16"];
    let sound: Vec<&str> = all.iter().flat_map(|name| ["--sound", name]).collect();
    place.succeeds(&[&["repair", "in"], &sound[..]].concat());
    place.succeeds(&["repair", "in", "--sound", "rnd.bf16", "-o", "most"]);
    place.succeeds(&["repair", "most", "--rotated", "rnd.bf16", "-o", "everything"]);
    let truth = tensors(&damaged("small-tensors.safetensors"));
    let restored = |name: &str| tensors(&restore(&place.read(name)).0);
    assert_ne!(restored("most"), truth);
    assert_eq!(restored("everything"), truth);
}

#[test]
fn decompress_warns_of_rotated_tensors() {
    let place = Place::new();
    place.write("in", &damaged("small-tensors.znn.safetensors"));
    let output = place.run(&["decompress", "in", "-o", "out"]);
    assert!(output.status.success());
    let message = text(&output.stderr);
    assert!(message.contains("4 tensors") && message.contains("zipnn repair"), "{message}");
    let output = place.run(&["decompress", "in", "-o", "out", "-f", "-q"]);
    assert_eq!(text(&output.stderr), "");
}
