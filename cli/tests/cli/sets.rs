//! Sets of files in which similar tensors are stored as differences to other files.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
#[cfg(unix)]
use std::{process::Stdio, time::Instant};

use program::Place;
use serde_json::{Value, json};
use zipnn::delta::{BaseMap, Conversion, MapSegment, MapSource, MappedBase};

use crate::common::{data, root};
use crate::container_files::{Zip, npy};
use crate::{container_files, program, tensor_files as tensors};

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

fn parsed(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_str(&place.succeeds(arguments)).unwrap()
}

#[test]
fn tensors_are_shown_with_their_bases() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    let file = "set/tuned.safetensors.znn";
    let bases = |listed: Value| -> Vec<Value> {
        let tensors = listed["tensors"].as_array().unwrap();
        tensors.iter().map(|tensor| tensor["base"].clone()).collect()
    };
    let base = |tensor| json!({"path": "base.safetensors", "tensor": tensor});
    let expected = [Value::Null, base("layer"), base("norm"), base("embedding")];
    for command in ["ls", "info"] {
        assert_eq!(bases(parsed(&place, &[command, "--json", file])), expected, "{command}");
        let text = place.succeeds(&[command, file]);
        assert!(text.contains("layer of base.safetensors"), "{text}");
    }
    let text = place.succeeds(&["ls", "set/base.safetensors.znn"]);
    assert!(!text.contains(" base\n"), "{text}");
    // Without the base, its tensors are still named.
    place.remove("set/base.safetensors.znn");
    let text = place.succeeds(&["info", file]);
    assert!(text.contains("from layer of base.safetensors"), "{text}");
    let error = place.fails(1, &["decompress", file]);
    assert!(error.contains("needs the base") && error.contains("base.safetensors"), "{error}");
    assert!(error.contains("the base of layer, norm, embedding"), "{error}");
}

/// A series in which each step changes other elements than the steps before it.
fn series(count: usize) -> (Place, Vec<Vec<u8>>) {
    let place = Place::new();
    let mut weights = weights(1);
    let mut steps = Vec::new();
    for step in 0..count {
        let file = tensors::file_of(&[("w", "BF16", &[300, 100][..], weights.clone())]);
        place.write(&format!("steps/{step}.safetensors"), &file);
        steps.push(file);
        let elements = weights.chunks_exact_mut(2).skip(step).step_by(2 * count);
        elements.for_each(|element| element[0] ^= 5);
    }
    (place, steps)
}

#[test]
fn the_best_anchor_of_a_series_is_chosen() {
    let (place, steps) = series(5);
    place.succeeds(&["compress", "--dedup", "--rm", "steps"]);
    let len = |step: usize| place.read(&format!("steps/{step}.safetensors.znn")).len();
    assert!(
        (0..5).all(|step| (step == 2) == (len(step) > len(2) / 2)),
        "{:?}",
        [0, 1, 2, 3, 4].map(len)
    );
    place.succeeds(&["decompress", "--rm", "steps"]);
    for (step, file) in steps.iter().enumerate() {
        assert!(place.read(&format!("steps/{step}.safetensors")) == *file);
    }
}

#[test]
fn existing_results_decide_which_files_are_whole() {
    let (place, steps) = series(5);
    // Step 4 is the base of step 1, whose source still exists, although step 2 would be better.
    let base = "steps/4.safetensors";
    place.succeeds(&["compress", "--base", base, "steps/1.safetensors"]);
    place.succeeds(&["compress", "--dedup", "--rm", "steps"]);
    place.succeeds(&["verify", "steps"]);
    let needed = parsed(&place, &["info", "--json", "steps/1.safetensors.znn"]);
    assert_eq!(needed["bases"][0]["path"], "4.safetensors");
    assert_eq!(parsed(&place, &["info", "--json", "steps/4.safetensors.znn"])["delta"], false);
    place.succeeds(&["decompress", "--rm", "steps"]);
    for (step, file) in steps.iter().enumerate() {
        assert!(place.read(&format!("steps/{step}.safetensors")) == *file);
    }
}

#[test]
fn tensors_are_added_removed_renamed_and_reordered() {
    let place = Place::new();
    let tensor = |name, seed| (name, "BF16", &[300, 100][..], weights(seed));
    let old = [tensor("a", 1), tensor("b", 2), tensor("c", 3), tensor("d", 4)];
    let [(.., a), (.., b), (.., c), _] = old.clone();
    let shape = &[300, 100][..];
    let new = [
        ("other", "BF16", shape, tuned(&c, 20)),
        tensor("added", 5),
        ("b", "BF16", shape, tuned(&a, 9)),
        ("a", "BF16", shape, b),
    ];
    place.write("old.safetensors", &tensors::file_of(&old));
    let new = tensors::file_of(&new);
    place.write("new.safetensors", &new);
    place.succeeds(&["compress", "--base", "old.safetensors", "new.safetensors"]);
    let listed = parsed(&place, &["ls", "--json", "new.safetensors.znn"]);
    let base = |number: usize| listed["tensors"][number]["base"]["tensor"].clone();
    assert_eq!([0, 1, 2, 3].map(base), [json!("c"), Value::Null, json!("a"), json!("b")]);
    assert!(place.read("new.safetensors.znn").len() < new.len() * 2 / 5);
    place.remove("new.safetensors");
    // The base is read in parts, compressed or not.
    let range = new.len() - 2 * weights(1).len()..new.len() - weights(1).len();
    let cat = ["cat", "new.safetensors.znn", "b"];
    assert!(place.run(&cat).stdout == new[range.clone()]);
    place.succeeds(&["compress", "--rm", "old.safetensors"]);
    assert!(place.run(&cat).stdout == new[range]);
    place.succeeds(&["decompress", "new.safetensors.znn"]);
    assert!(place.read("new.safetensors") == new);
}

#[test]
fn results_elsewhere_refer_to_each_other() {
    let place = place();
    let originals = originals(&place);
    fs::create_dir(place.path("out")).unwrap();
    place.succeeds(&["compress", "--dedup", "--rm", "-o", "out", "set"]);
    fs::remove_dir_all(place.path("set")).unwrap();
    place.succeeds(&["verify", "out"]);
    // Differences are removed before the files that they need.
    fs::create_dir(place.path("back")).unwrap();
    place.succeeds(&["decompress", "--rm", "-o", "back", "out"]);
    for (name, original) in NAMES.iter().zip(originals) {
        assert!(place.read(&format!("back/{name}")) == original, "{name}");
        assert!(!place.exists(&format!("out/{name}.znn")));
    }
}

/// Kills runs of the program at different moments, and completes them.
#[cfg(unix)]
fn survive_kills(place: &Place, arguments: &[&str], prepare: impl Fn(), check: impl Fn(&str)) {
    let start = Instant::now();
    place.succeeds(arguments);
    let time = start.elapsed();
    check("complete");
    let mut random = data::Random(3);
    let mut killed = 0;
    for round in 0..12 {
        prepare();
        // In some rounds the run that completes is killed as well.
        for _ in 0..1 + round % 2 {
            let mut command = place.command(arguments);
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut child = child.unwrap();
            std::thread::sleep(time * random.below(60) as u32 / 100);
            child.kill().unwrap();
            killed += usize::from(child.wait().unwrap().code().is_none());
            check(&format!("killed in round {round}"));
        }
        place.succeeds(arguments);
        check(&format!("completed in round {round}"));
    }
    assert!(killed >= 2, "only {killed} runs were killed");
}

/// Returns the contents of a file, from its compressed form if only that exists.
#[cfg(unix)]
fn content(place: &Place, path: &str) -> Vec<u8> {
    if place.exists(path) {
        return place.read(path);
    }
    place.succeeds(&["decompress", "--force", "-o", "content", &format!("{path}.znn")]);
    place.read("content")
}

#[test]
#[cfg(unix)]
fn a_set_survives_killed_runs() {
    let place = place();
    let originals = originals(&place);
    let check = |moment: &str| {
        for (name, original) in NAMES.iter().zip(&originals) {
            assert!(content(&place, &format!("set/{name}")) == *original, "{name}, {moment}");
        }
    };
    let compress = ["compress", "--dedup", "--rm", "set"];
    let decompress = ["decompress", "--rm", "set"];
    survive_kills(&place, &compress, || drop(place.succeeds(&decompress)), check);
    survive_kills(&place, &decompress, || drop(place.succeeds(&compress)), check);
    assert_eq!(originals.len() + 1, place.names().len(), "{:?}", place.names());
}

#[test]
#[cfg(unix)]
fn flattening_survives_kills() {
    let place = place();
    let original = place.read("set/tuned.safetensors");
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    let file = "set/tuned.safetensors.znn";
    let difference = place.read(file);
    let prepare = || {
        place.write(file, &difference);
    };
    let check = |moment: &str| {
        assert!(content(&place, "set/tuned.safetensors") == original, "{moment}");
    };
    survive_kills(&place, &["flatten", file], prepare, check);
    place.remove("set/base.safetensors.znn");
    check("without the base");
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
fn a_base_is_not_removed_while_other_directories_need_it() {
    let place = place();
    fs::create_dir_all(place.path("new/deep")).unwrap();
    fs::rename(place.path("set/tuned.safetensors"), place.path("new/deep/t.safetensors")).unwrap();
    place.succeeds(&["compress", "--rm", "--base", "set", "new"]);
    place.succeeds(&["compress", "--rm", "set/base.safetensors"]);
    fs::create_dir(place.path("out")).unwrap();
    let base = "set/base.safetensors.znn";
    let arguments = ["decompress", "--rm", "-o", "out", base];
    let error = place.fails(1, &[&arguments[..], &["--base", "new"]].concat());
    assert!(error.contains("t.safetensors.znn is a difference to it"), "{error}");
    assert!(place.exists(base));
    // Nothing shows which other directories exist.
    place.succeeds(&[&arguments[..], &["--force"]].concat());
    let error = place.fails(1, &["verify", "new"]);
    assert!(error.contains("needs the base") && error.contains("base.safetensors"), "{error}");
    place.succeeds(&["verify", "--base", "out", "new"]);
}

#[test]
fn flattened_files_need_no_base() {
    let place = place();
    let originals = originals(&place);
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    let [copy, tuned] = ["set/copy.safetensors.znn", "set/tuned.safetensors.znn"];
    let error = place.fails(1, &["compress", "--base", copy, "set/unrelated.safetensors.znn"]);
    assert!(error.contains("is a difference, and cannot be a base"), "{error}");
    place.succeeds(&["flatten", copy, tuned]);
    let error = place.fails(1, &["compress", "--base", copy, "set/unrelated.safetensors.znn"]);
    assert!(!error.contains("is a difference"), "it is whole now: {error}");
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
fn tensors_of_containers_are_matched() {
    let place = Place::new();
    let data = |number| data::weights(zipnn::DType::BF16, 60_000, number);
    let old: Vec<_> = ["a", "b", "c", "d", "e", "f"].into_iter().zip((0..6).map(data)).collect();
    // Another order, and a tensor of another shape, move all bytes.
    let new = [
        ("more", data(9)[..5000].to_vec()),
        ("f", old[5].1.clone()),
        ("b", old[1].1.clone()),
        ("renamed", old[0].1.clone()),
        ("d", tuned(&old[3].1, 50)),
        ("e", old[4].1.clone()),
        ("c", old[2].1.clone()),
    ];
    let parts = |tensors: &[(&str, Vec<u8>)]| {
        let mut zip = Zip::default();
        for (name, data) in tensors {
            zip.add(&format!("{name}.npy"), &npy("<u2", &[data.len() as u64 / 2], data), 9, false);
        }
        zip.finish(b"")
    };
    for (kind, old, new) in [
        ("pt", container_files::pt(&old), container_files::pt(&new)),
        ("npz", parts(&old), parts(&new)),
    ] {
        let names = ["old", "copy", "new"].map(|name| format!("{name}.{kind}"));
        let files = [&old, &old, &new];
        for (name, file) in names.iter().zip(files) {
            place.write(&format!("{kind}/{name}"), file);
        }
        let [first, copy, second] = names.each_ref().map(|name| format!("{kind}/{name}"));
        place.succeeds(&["compress", "--dedup", &first, &copy]);
        place.succeeds(&["compress", &second, "--base", &first]);
        let [old_len, copy_len, new_len] =
            [first, copy, second].map(|name| place.read(&format!("{name}.znn")).len());
        assert!(copy_len < 1500, "{kind}: {copy_len}");
        assert!(new_len < old_len / 8, "{kind}: {old_len} {new_len}");
        place.succeeds(&["verify", kind]);
        let listed = parsed(&place, &["ls", "--json", &format!("{kind}/new.{kind}.znn")]);
        let tensor = listed["tensors"].as_array().unwrap().iter();
        let renamed = { tensor }.find(|tensor| tensor["name"] == "renamed").unwrap();
        assert_eq!(renamed["base"], json!({ "path": format!("old.{kind}"), "tensor": "a" }));
        // Only the compressed form of the base is left.
        names.iter().for_each(|name| place.remove(&format!("{kind}/{name}")));
        fs::create_dir_all(place.path("out")).unwrap();
        place.succeeds(&["decompress", kind, "-o", "out"]);
        for (name, file) in names.iter().zip(files) {
            assert!(place.read(&format!("out/{name}")) == *file, "{name}");
        }
        // A compressed base has its tensors as well.
        place.write("later", &new).succeeds(&[
            "compress",
            "later",
            "--base",
            &format!("{kind}/old.{kind}"),
        ]);
        let later = place.read("later.znn").len();
        assert!(later < new_len + 200, "{later} {new_len}");
        fs::remove_file(place.path("later.znn")).unwrap();
    }
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

/// Bases that are compressed by the same command are stored whole, however they are named.
#[test]
fn bases_among_the_inputs_stay_whole() {
    let commands: &[&[&str]] = &[
        &["set", "--base", "set"],
        &["set", "--base", "./set", "--dedup"],
        &["set/base.safetensors", "--base", "./set/base.safetensors"],
        &["set/base.safetensors", "set/copy.safetensors", "--base", "set/../set"],
        &["set", "--base", "set/base.safetensors"],
        #[cfg(unix)]
        &["set", "--base", "link"],
        #[cfg(unix)]
        &["set/base.safetensors", "--base", "link/base.safetensors"],
        #[cfg(unix)]
        &["set/copy.safetensors", "--base", "copy.safetensors"],
    ];
    for command in commands {
        let place = place();
        #[cfg(unix)]
        for (target, link) in [("set", "link"), ("set/copy.safetensors", "copy.safetensors")] {
            std::os::unix::fs::symlink(target, place.path(link)).unwrap();
        }
        let originals = originals(&place);
        place.succeeds(&[&["compress", "--rm"], *command].concat());
        place.succeeds(&["decompress", "set", "--rm"]);
        for (name, original) in NAMES.iter().zip(&originals) {
            assert!(place.read(&format!("set/{name}")) == *original, "{command:?}: {name}");
        }
    }
}

#[test]
fn a_file_of_a_set_is_named_once() {
    let place = place();
    let names = place.names();
    for again in ["./set", "set/base.safetensors", "./set/base.safetensors"] {
        let message = place.fails(2, &["compress", "--dedup", "--rm", "set", again]);
        assert!(message.contains("named twice"), "{message}");
    }
    assert_eq!(place.names(), names);
}

#[test]
fn a_base_is_not_overwritten_by_its_difference() {
    let place = place();
    place.succeeds(&["compress", "set/base.safetensors", "-o", "out.safetensors.znn"]);
    place.write("in/out.safetensors", &place.read("set/copy.safetensors"));
    let arguments = ["compress", "in/out.safetensors", "-o", "out.safetensors.znn", "-f"];
    let message = place.fails(2, &[&arguments[..], &["--base", "out.safetensors.znn"]].concat());
    assert!(message.contains("would be overwritten"), "{message}");
}

#[test]
fn options_that_bases_exclude_are_refused() {
    let place = place();
    for option in ["--plain", "--inside-safetensors", "--delta=set/copy.safetensors"] {
        let base = ["compress", "set/base.safetensors", "--base", "set/copy.safetensors", option];
        place.fails(2, &base);
    }
}

/// The compressed form of a base may be a difference itself, which is no base.
#[test]
fn a_base_is_not_removed_while_its_other_form_is_a_difference() {
    let place = place();
    let [base, copy] = ["set/base.safetensors", "set/copy.safetensors"];
    let originals = originals(&place);
    place.succeeds(&["compress", "set/tuned.safetensors", "--base", base, "--rm"]);
    let message = place.fails(1, &["compress", base, "--delta", copy, "--rm"]);
    assert!(message.contains("is kept"), "{message}");
    place.succeeds(&["decompress", "set/tuned.safetensors.znn"]);
    assert!(place.read("set/tuned.safetensors") == originals[2]);
}

#[test]
fn a_needed_base_is_not_replaced_by_other_content() {
    let place = place();
    let [base, result] = ["set/base.safetensors", "set/base.safetensors.znn"];
    let originals = originals(&place);
    place.succeeds(&["compress", "set", "--dedup", "--rm"]);
    place.write(base, &originals[3]);
    let message = place.fails(1, &["compress", base, "-f"]);
    assert!(message.contains("is not replaced") && message.contains("flatten"), "{message}");
    place.remove(base);
    check(&place, &originals);
    // The same content may be compressed with other options.
    place.write(base, &originals[0]);
    let before = place.read(result);
    place.succeeds(&["compress", base, "-f"]);
    assert!(place.read(result) != before);
    check(&place, &originals);
}

/// A base that was compressed and given another name is found by that name.
#[test]
fn a_renamed_base_is_found() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    let [base, renamed] = ["set/base.safetensors.znn", "elsewhere/renamed.safetensors.znn"];
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::rename(place.path(base), place.path(renamed)).unwrap();
    let copy = "set/copy.safetensors.znn";
    place.fails(1, &["verify", copy]);
    for named in [renamed, "elsewhere/renamed.safetensors"] {
        place.succeeds(&["verify", "--base", named, copy]);
    }
    let wrong = place.fails(1, &["verify", "--base", "elsewhere", copy]).replace('\\', "/");
    assert!(wrong.contains("needs the base set/base.safetensors, "), "{wrong}");
}

#[test]
fn errors_name_the_form_of_the_base_that_was_read() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    let [base, copy] = ["set/base.safetensors.znn", "set/copy.safetensors.znn"];
    place.succeeds(&["decompress", "set/tuned.safetensors.znn", "-o", "tuned"]);
    place.write("in/tuned.safetensors", &place.read("tuned"));
    let sound = place.read(base);
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    for bytes in [&damaged[..], &sound[..sound.len() / 2], &sound[..10]] {
        place.write(base, bytes);
        for arguments in [
            &["verify", copy][..],
            &["decompress", copy, "-o", "out"],
            &["cat", copy, "embedding", "-o", "out"],
            &["cat", copy, "layer", "-o", "out", "-f"],
            &["compress", "-f", "in/tuned.safetensors", "--base", base],
        ] {
            let output = place.run(arguments);
            let said = String::from_utf8(output.stderr).unwrap().replace('\\', "/");
            // The damage may be in another tensor.
            assert!(output.status.success() || said.contains(base), "{arguments:?}: {said}");
            let may_succeed = ["cat", "compress"].contains(&arguments[0]);
            assert!(!output.status.success() || may_succeed, "{arguments:?}");
        }
    }
}

#[test]
fn a_changed_base_is_blamed() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    place.succeeds(&["decompress", "--rm", "set/base.safetensors.znn"]);
    let base = "set/base.safetensors";
    let changed: Vec<u8> = place.read(base).iter().map(|byte| byte.wrapping_add(1)).collect();
    place.write(base, &changed);
    for arguments in [
        &["verify", "set/copy.safetensors.znn"][..],
        &["ls", "set/copy.safetensors.znn"],
        &["cat", "set/copy.safetensors.znn", "embedding", "-o", "out"],
        &["cat", "set/tuned.safetensors.znn", "renamed", "-o", "out"],
    ] {
        let said = place.fails(1, arguments).replace('\\', "/");
        assert!(
            said.contains("its base set/base.safetensors was changed"),
            "{arguments:?}: {said}"
        );
        assert!(!said.contains("--no-verify"), "{arguments:?}: {said}");
    }
}

#[test]
fn flattening_can_use_every_level() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    let tuned = "set/tuned.safetensors.znn";
    place.succeeds(&["flatten", "--max", tuned]);
    let info = parsed(&place, &["info", "--json", tuned]);
    assert_eq!(info["delta"], false);
    assert!(info["methods"]["scales"].as_u64() > Some(0), "{info}");
    place.fails(2, &["flatten", "--max", "--extended", tuned]);
}

/// Neither a device without end nor a pipe that nobody writes to is read.
#[cfg(unix)]
#[test]
fn bases_are_regular_files() {
    let place = place();
    place.succeeds(&["compress", "--dedup", "--rm", "set"]);
    place.succeeds(&["decompress", "set/unrelated.safetensors.znn"]);
    let fifo = std::process::Command::new("mkfifo").arg(place.path("fifo")).status();
    assert!(fifo.is_ok_and(|status| status.success()));
    fs::remove_file(place.path("set/base.safetensors.znn")).unwrap();
    let copy = "set/copy.safetensors.znn";
    for base in ["/dev/zero", "fifo"] {
        for arguments in [
            &["verify", copy][..],
            &["ls", copy],
            &["cat", copy, "embedding", "-o", "out"],
            &["decompress", copy],
            &["flatten", copy],
            &["compress", "-f", "set/unrelated.safetensors"],
        ] {
            let started = Instant::now();
            let mut command = place.command(&[arguments, &["--base", base]].concat());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            while child.try_wait().unwrap().is_none() {
                if started.elapsed() > Duration::from_secs(60) {
                    child.kill().unwrap();
                    panic!("{arguments:?} --base {base} reads without end");
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(!child.wait().unwrap().success(), "{arguments:?} --base {base}");
        }
    }
}

/// The folder of files that show how the base of a difference is assembled from other files.
fn golden() -> PathBuf {
    root().join("tests/data/sets")
}

const GOLDEN_OPTIONS: [&str; 6] =
    ["compress", "new.safetensors", "--base", "first.safetensors", "--base", "second.safetensors"];

#[test]
fn golden_base_maps_are_written_and_read() {
    let place = Place::new();
    for name in ["new.safetensors", "first.safetensors", "second.safetensors.znn"] {
        place.write(name, &fs::read(golden().join(name)).unwrap());
    }
    let expected = fs::read(golden().join("new.safetensors.znn")).unwrap();
    place.succeeds(&GOLDEN_OPTIONS);
    assert!(place.read("new.safetensors.znn") == expected);
    let info = parsed(&place, &["info", "--json", "new.safetensors.znn"]);
    assert!(info["methods"]["difference"].as_u64() > Some(0), "{info}");
    place.succeeds(&["decompress", "new.safetensors.znn", "-o", "back"]);
    assert!(place.read("back") == place.read("new.safetensors"));
}

/// Writes the golden files anew, after a change of the format.
#[test]
#[ignore = "overwrites files of the repository"]
fn write_golden_base_maps() {
    use zipnn::DType::{BF16, F16, F32};
    // Numbers whose conversions round, overflow, or lose bits of NaN.
    let special = [
        0x3f80_7fff,
        0x3f80_8000,
        0x3f81_8000,
        0x7f7f_ffff,
        0xff80_0000,
        0x7f80_0001,
        0xffc1_2345,
        0x3f80_1000,
        0x3f80_3000,
        0x3380_0000,
        0x3300_0000,
        0x3300_0001,
        0xb880_0001,
        0x477f_efff,
        0x477f_f000,
        0xc780_0000,
        0x0000_0001,
        0x8000_0000,
        0x3380_8000,
        0x387f_f000,
    ];
    let special: Vec<u8> = special.into_iter().flat_map(u32::to_le_bytes).collect();
    let with_special = |dtype, len, seed, special: &[u8]| {
        let mut weights = data::weights(dtype, len, seed);
        weights[..special.len()].copy_from_slice(special);
        weights
    };
    let halves: Vec<u8> = [
        0x0001, 0x03ff, 0x8200, 0x7c00, 0xfc00, 0x7c01, 0xfd55, 0x7e00, 0x7f80, 0xff81, 0x8000_u16,
    ]
    .into_iter()
    .flat_map(u16::to_le_bytes)
    .collect();
    let first = [
        ("a", "F32", &[48, 64][..], with_special(F32, 12_288, 1, &special)),
        ("b", "F32", &[32, 80], with_special(F32, 10_240, 2, &special)),
    ];
    let second = [
        ("c", "BF16", &[32, 65][..], with_special(BF16, 4_160, 3, &halves)),
        ("d", "F16", &[32, 66], with_special(F16, 4_224, 4, &halves)),
        ("e", "BF16", &[51, 67], data::weights(BF16, 6_834, 5)),
        ("small", "BF16", &[20], data::weights(BF16, 40, 6)),
    ];
    let converted = |from: &[u8], conversion, len: u64, step| {
        let source = MapSource::new("", from.len() as u64, [0; 16]);
        let mut map = BaseMap::new(len, vec![source]);
        map.push(MapSegment::copy(0..len, 0, 0).converted(conversion)).unwrap();
        let mut base = Vec::new();
        MappedBase::new(map, vec![from]).unwrap().reader().read_to_end(&mut base).unwrap();
        // All elements but the special ones change a little, so that they are stored with the code of
        // differences, and no plane with Zstandard.
        let mut random = data::Random(len);
        for element in base[96..].chunks_exact_mut(2).step_by(step) {
            let number = u16::from_le_bytes([element[0], element[1]]);
            let change = random.below(40) as u16 + random.below(40) as u16;
            element.copy_from_slice(&number.wrapping_add(change).to_le_bytes());
        }
        base
    };
    let new = [
        ("e", "BF16", &[51, 67][..], converted(&second[2].3, Conversion::None, 6_834, 1)),
        ("extra", "I32", &[600], data::noise(2_400, 7)),
        ("d", "F32", &[32, 66], converted(&second[1].3, Conversion::F16ToF32, 8_448, 2)),
        ("renamed", "BF16", &[48, 64], converted(&first[0].3, Conversion::F32ToBf16, 6_144, 1)),
        ("c", "F32", &[32, 65], converted(&second[0].3, Conversion::Bf16ToF32, 8_320, 2)),
        ("small", "BF16", &[20], second[3].3.clone()),
        ("b", "F16", &[32, 80], converted(&first[1].3, Conversion::F32ToF16, 5_120, 1)),
    ];
    let place = Place::new();
    place.write("first.safetensors", &tensors::file_of(&first));
    place.write("second.safetensors", &tensors::file_of(&second));
    place.write("new.safetensors", &tensors::file_of(&new));
    place.succeeds(&["compress", "--rm", "second.safetensors"]);
    place.succeeds(&GOLDEN_OPTIONS);
    for name in
        ["first.safetensors", "second.safetensors.znn", "new.safetensors", "new.safetensors.znn"]
    {
        fs::write(golden().join(name), place.read(name)).unwrap();
    }
    let case = json!({
        "file": "new.safetensors.znn",
        "original": "new.safetensors",
        "original_len": place.read("new.safetensors").len(),
    });
    let manifest = format!("{:#}\n", json!({ "cases": [], "synthetic": [case] }));
    fs::write(golden().join("manifest.json"), manifest).unwrap();
}
