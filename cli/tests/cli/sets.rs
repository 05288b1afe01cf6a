//! Sets of files in which similar tensors are stored as differences to other files.

use std::fs;
use std::time::{Duration, SystemTime};

use program::Place;

use crate::common::data;
use crate::{program, tensor_files as tensors};

/// Changes the last bit of every `step`-th element of two bytes.
fn tuned(weights: &[u8], step: usize) -> Vec<u8> {
    let mut tuned = weights.to_vec();
    tuned.chunks_exact_mut(2).step_by(step).for_each(|element| element[0] ^= 1);
    tuned
}

type Tensor<'t> = (&'t str, &'t str, &'t [usize], Vec<u8>);

fn weights(seed: u64) -> Vec<u8> {
    data::weights(zipnn::DType::BF16, 60_000, seed)
}

fn base() -> [Tensor<'static>; 3] {
    [
        ("embedding", "BF16", &[300, 100], weights(1)),
        ("layer", "BF16", &[100, 300], weights(2)),
        ("norm", "BF16", &[50], weights(3)[..100].to_vec()),
    ]
}

/// A place with a base, a fine-tuned model whose tensors have another order and other names, a copy
/// of the base, and an unrelated model.
fn place() -> Place {
    let place = Place::new();
    let [embedding, layer, norm] = base();
    let changed = [
        ("new", "BF16", &[300, 100][..], weights(9)),
        ("renamed", "BF16", &[100, 300], tuned(&layer.3, 50)),
        ("norm", "BF16", &[50], norm.3.clone()),
        ("embedding", "BF16", &[300, 100], tuned(&embedding.3, 3)),
    ];
    let unrelated = [("embedding", "BF16", &[300, 100][..], weights(7))];
    let whole = tensors::file_of(&base());
    for (age, (name, file)) in [
        ("base.safetensors", whole.clone()),
        ("copy.safetensors", whole),
        ("tuned.safetensors", tensors::file_of(&changed)),
        ("unrelated.safetensors", tensors::file_of(&unrelated)),
    ]
    .into_iter()
    .enumerate()
    {
        place.write(&format!("set/{name}"), &file);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 * (age as u64 + 1));
        let file = fs::File::options().write(true).open(place.path(&format!("set/{name}")));
        file.unwrap().set_modified(time).unwrap();
    }
    place
}

const NAMES: [&str; 4] =
    ["base.safetensors", "copy.safetensors", "tuned.safetensors", "unrelated.safetensors"];

fn compressed_len(place: &Place, name: &str) -> usize {
    place.read(&format!("set/{name}.znn")).len()
}

/// Decompresses every file of the set to another directory, and compares it with the original.
fn check(place: &Place, originals: &[Vec<u8>]) {
    fs::create_dir_all(place.path("out")).unwrap();
    place.succeeds(&["decompress", "set", "-o", "out", "--force"]);
    for (name, original) in NAMES.iter().zip(originals) {
        assert!(place.read(&format!("out/{name}")) == *original, "{name}");
    }
}

fn originals(place: &Place) -> Vec<Vec<u8>> {
    NAMES.map(|name| place.read(&format!("set/{name}"))).to_vec()
}

#[test]
fn equal_and_similar_tensors_are_stored_once() {
    let place = place();
    let originals = originals(&place);
    place.succeeds(&["compress", "--dedup", "set"]);
    let lens = NAMES.map(|name| compressed_len(&place, name));
    assert!(lens[1] < lens[0] / 50, "a copy takes hardly any space: {lens:?}");
    // The new tensor takes as much as one of the two tensors of the base.
    assert!(lens[2] < lens[0] * 8 / 10, "{lens:?}");
    assert!(lens[3] > lens[0] / 3, "{lens:?}");
    place.succeeds(&["verify", "set"]);
    check(&place, &originals);
    // Differences need the file that they name, and no other.
    NAMES.iter().for_each(|name| place.remove(&format!("set/{name}")));
    place.remove("set/copy.safetensors.znn");
    check(&place, &originals[..1]);
    let info = place.succeeds(&["info", "set/tuned.safetensors.znn"]);
    assert!(info.contains("base: base.safetensors, "), "{info}");
    let listed = place.succeeds(&["ls", "set/tuned.safetensors.znn"]);
    assert!(listed.contains("renamed"), "{listed}");
    let tensor = place.run(&["cat", "set/tuned.safetensors.znn", "renamed"]);
    assert!(tensor.status.success());
    assert!(tensor.stdout == tuned(&base()[1].3, 50));
}

#[test]
fn an_interrupted_run_is_completed() {
    let place = place();
    let originals = originals(&place);
    // The base and the unrelated model were compressed and removed before the run was killed.
    place.succeeds(&["compress", "--rm", "set/base.safetensors", "set/unrelated.safetensors"]);
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    assert_eq!(place.run(&["verify", "set"]).status.code(), Some(0));
    assert!(NAMES.iter().all(|name| !place.exists(&format!("set/{name}"))));
    assert!(compressed_len(&place, NAMES[1]) < compressed_len(&place, NAMES[0]) / 50);
    check(&place, &originals);
    // A further run has nothing to do.
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
}

#[test]
fn bases_can_be_elsewhere() {
    let place = place();
    let tuned = place.read("set/tuned.safetensors");
    fs::create_dir(place.path("new")).unwrap();
    fs::rename(place.path("set/tuned.safetensors"), place.path("new/tuned.safetensors")).unwrap();
    place.succeeds(&["compress", "--base", "set", "new/tuned.safetensors"]);
    place.succeeds(&["verify", "new/tuned.safetensors.znn"]);
    fs::rename(place.path("set"), place.path("moved")).unwrap();
    let missing = place.fails(1, &["verify", "new/tuned.safetensors.znn"]);
    assert!(missing.contains("base.safetensors") && missing.contains("--base"), "{missing}");
    place.remove("new/tuned.safetensors");
    place.succeeds(&["decompress", "--base", "moved", "new/tuned.safetensors.znn"]);
    assert!(place.read("new/tuned.safetensors") == tuned);
}

#[test]
fn a_base_of_another_type_is_converted() {
    let place = Place::new();
    let values: Vec<f32> = tensors::weights(30_000, 5).collect();
    let narrow = tuned(&tensors::bf16(values.iter().copied()), 40);
    let file = |dtype, data| tensors::file_of(&[("w", dtype, &[300, 100][..], data)]);
    place.write("wide.safetensors", &file("F32", tensors::f32(values)));
    place.write("narrow.safetensors", &file("BF16", narrow.clone()));
    place.succeeds(&["compress", "--base", "wide.safetensors", "narrow.safetensors"]);
    let len = place.read("narrow.safetensors.znn").len();
    assert!(len < narrow.len() / 10, "{len}");
    place.succeeds(&["verify", "narrow.safetensors.znn"]);
}

#[test]
fn a_changed_base_is_named() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "set"]);
    let mut base = place.read("set/base.safetensors");
    *base.last_mut().unwrap() ^= 1;
    place.write("set/base.safetensors", &base);
    let error = place.fails(1, &["verify", "set/copy.safetensors.znn"]);
    assert!(error.contains("base.safetensors was changed"), "{error}");
    let error = place.fails(1, &["decompress", "-o", "x", "set/copy.safetensors.znn"]);
    assert!(error.contains("base.safetensors was changed"), "{error}");
    assert!(!place.exists("x"));
}

#[test]
fn a_base_is_not_removed_while_others_need_it() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    fs::create_dir(place.path("out")).unwrap();
    let base = "set/base.safetensors.znn";
    let error = place.fails(1, &["decompress", "--rm", "-o", "out", base]);
    assert!(error.contains("copy.safetensors.znn is a difference to it"), "{error}");
    assert!(place.exists(base) && place.exists("out/base.safetensors"));
    // Beside the others, either form will do.
    place.succeeds(&["decompress", "--rm", base]);
    place.succeeds(&["verify", "set"]);
    place.succeeds(&["compress", "--rm", "set/base.safetensors"]);
    place.succeeds(&["verify", "set"]);
}

#[test]
fn flattened_files_need_no_base() {
    let place = place();
    let originals = originals(&place);
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    let [copy, tuned] = ["set/copy.safetensors.znn", "set/tuned.safetensors.znn"];
    place.succeeds(&["flatten", copy, tuned]);
    place.remove("set/base.safetensors.znn");
    place.succeeds(&["verify", copy, tuned]);
    place.succeeds(&["decompress", tuned]);
    assert!(place.read("set/tuned.safetensors") == originals[2]);
    let before = place.read(tuned);
    place.succeeds(&["flatten", tuned]);
    assert!(place.read(tuned) == before, "it is independent already");
    assert!(place.names().iter().all(|name| !name.contains(".tmp")), "{:?}", place.names());
}

#[test]
fn files_of_other_formats_are_compared_as_a_whole() {
    let place = Place::new();
    let data = weights(4);
    place.write("a.bin", &data).write("b.bin", &data).write("c.bin", &tuned(&data, 30));
    place.succeeds(&["compress", "--dedup", "a.bin", "b.bin", "c.bin"]);
    let [a, b, c] = ["a", "b", "c"].map(|name| place.read(&format!("{name}.bin.znn")).len());
    assert!(b < a / 50 && c < a / 5, "{a} {b} {c}");
    place.succeeds(&["verify", "a.bin.znn", "b.bin.znn", "c.bin.znn"]);
}
