//! Differences: compressing, describing, verifying, measuring and comparing.

use program::Place;
use serde_json::{Value, json};
use zipnn::DType;

use crate::common::data;
use crate::program;

/// Returns a `.safetensors` file of these tensors.
fn safetensors(tensors: &[(&str, &str, &[u64], &[u8])]) -> Vec<u8> {
    let mut offset = 0;
    let header: serde_json::Map<String, Value> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            let start = offset;
            offset += bytes.len();
            let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, offset]});
            ((*name).to_owned(), entry)
        })
        .collect();
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(&header);
    tensors.iter().for_each(|(.., bytes)| file.extend_from_slice(bytes));
    file
}

/// Changes some elements in all rows except the first 100.
fn changed(matrix: &[u8]) -> Vec<u8> {
    let mut matrix = matrix.to_vec();
    for (number, element) in matrix.chunks_mut(2).enumerate().skip(100 * 384) {
        element[0] ^= u8::from(number % 5 == 0);
    }
    matrix
}

/// A directory with `base.safetensors` and `tuned.safetensors`.
fn place() -> (Place, Vec<u8>) {
    let matrix = data::weights(DType::BF16, 2 * 384 * 1000, 1);
    let bias = data::weights(DType::F32, 4 * 1000, 2);
    let tuned = changed(&matrix);
    let file = |matrix: &[u8]| {
        safetensors(&[("bias", "F32", &[1000], &bias), ("matrix", "BF16", &[1000, 384], matrix)])
    };
    let place = Place::new();
    let tuned = file(&tuned);
    place.write("base.safetensors", &file(&matrix)).write("tuned.safetensors", &tuned);
    (place, tuned)
}

const COMPRESS: [&str; 5] =
    ["compress", "--extended", "--delta", "base.safetensors", "tuned.safetensors"];

#[test]
fn a_difference_round_trips() {
    let (place, tuned) = place();
    place.succeeds(&COMPRESS);
    let compressed = place.read("tuned.safetensors.znn");
    assert!(compressed.len() < tuned.len() / 8, "{}", compressed.len());
    let base = ["--delta", "base.safetensors", "tuned.safetensors.znn"];
    place.succeeds(&[&["decompress", "-o", "back"], &base[..]].concat());
    assert!(place.read("back") == tuned);
    place.succeeds(&[&["verify"], &base[..]].concat());
    // Without its base, the stored bytes are verified.
    let printed = place.succeeds(&["verify", "tuned.safetensors.znn"]);
    assert!(printed.contains("without its base"), "{printed}");
    let rows = place.run(&[&["cat", "--rows", "500..501"], &base[..], &["matrix"]].concat());
    let at = tuned.len() - 500 * 768;
    assert!(rows.status.success() && rows.stdout == tuned[at..at + 768]);

    let printed = place.succeeds(&["info", "--json", "tuned.safetensors.znn"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&printed["delta"], &printed["extended"]), (&json!(true), &json!(true)));
    assert!(printed["methods"]["difference"].as_u64() > Some(0), "{printed}");
    assert!(place.succeeds(&["info", "tuned.safetensors.znn"]).contains(" difference"));
}

#[test]
fn damage_and_wrong_bases_are_reported() {
    let (place, tuned) = place();
    place.succeeds(&COMPRESS);
    place.write("other", &vec![1; tuned.len()]);
    let error = place.fails(1, &["verify", "--delta", "other", "tuned.safetensors.znn"]);
    assert!(error.contains("other"), "{error}");
    let mut compressed = place.read("tuned.safetensors.znn");
    let middle = compressed.len() / 2;
    compressed[middle] ^= 1;
    place.write("tuned.safetensors.znn", &compressed);
    place.fails(1, &["verify", "tuned.safetensors.znn"]);
    place.fails(
        1,
        &["decompress", "--delta", "base.safetensors", "-o", "back", "tuned.safetensors.znn"],
    );
    assert!(!place.exists("back"));
}

#[test]
fn a_copy_takes_almost_nothing() {
    let (place, tuned) = place();
    place.write("base.safetensors", &tuned).succeeds(&COMPRESS);
    assert!(place.read("tuned.safetensors.znn").len() < 1200);
    let base = ["--delta", "base.safetensors", "tuned.safetensors.znn"];
    place.succeeds(&[&["decompress", "-o", "back"], &base[..]].concat());
    assert!(place.read("back") == tuned);
}

#[test]
fn bench_measures_differences() {
    let (place, tuned) = place();
    let run = |arguments: &[&str]| -> Value {
        let fixed = ["bench", "--json", "--runs", "1", "tuned.safetensors"];
        serde_json::from_str(&place.succeeds(&[&fixed[..], arguments].concat())).unwrap()
    };
    let alone = run(&[]);
    let difference = run(&["--delta", "base.safetensors"]);
    let extended = run(&["--delta", "base.safetensors", "--extended"]);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&alone), keys(&extended));
    let size = |value: &Value| value["compressed_bytes"].as_u64().unwrap();
    assert!(size(&extended) < size(&difference) && size(&difference) < size(&alone));
    for result in [&alone, &difference, &extended] {
        assert_eq!(result["round_trip"], true);
        assert_eq!(result["original_bytes"], tuned.len());
    }
    place.write("short", b"short");
    place.fails(1, &["bench", "--delta", "short", "tuned.safetensors"]);
}

#[test]
fn diff_shows_what_has_changed() {
    let place = Place::new();
    let matrix = data::weights(DType::BF16, 2 * 384 * 200, 1);
    let ids: Vec<u8> = (0..50_i64).flat_map(i64::to_le_bytes).collect();
    let mut other_ids = ids.clone();
    other_ids[80] += 7;
    let old = safetensors(&[
        ("equal", "BF16", &[200, 384], &matrix),
        ("gone", "I64", &[50], &ids),
        ("ids", "I64", &[50], &ids),
        ("matrix", "BF16", &[200, 384], &matrix),
        ("shape", "BF16", &[200, 384], &matrix),
    ]);
    let new = safetensors(&[
        ("equal", "BF16", &[200, 384], &matrix),
        ("ids", "I64", &[50], &other_ids),
        ("matrix", "BF16", &[200, 384], &changed(&matrix)),
        ("new", "I64", &[50], &ids),
        ("shape", "BF16", &[384, 200], &matrix),
    ]);
    place.write("old", &old).write("new", &new);
    let printed = place.succeeds(&["diff", "old", "new"]);
    assert!(
        printed.contains("1 tensor equal, 2 changed, 1 added, 1 removed, 1 replaced"),
        "{printed}"
    );
    assert!(printed.contains("100 of 200 rows"), "{printed}");
    assert!(!printed.contains("  equal "), "{printed}");
    assert!(place.succeeds(&["diff", "--all", "old", "new"]).contains("  equal "));

    let read =
        |arguments: &[&str]| -> Value { serde_json::from_str(&place.succeeds(arguments)).unwrap() };
    let mut plain = read(&["diff", "--json", "old", "new"]);
    let tensor = |name: &str| {
        let tensors = plain["tensors"].as_array().unwrap().iter();
        tensors.clone().find(|tensor| tensor["name"] == name).unwrap()
    };
    assert_eq!(tensor("ids")["change"], 7.0);
    assert_eq!(tensor("ids")["changed_elements"], 1);
    assert_eq!(tensor("matrix")["changed_rows"], 100);
    assert_eq!(tensor("matrix")["changed_elements"], 7680);
    assert!(tensor("matrix")["difference_bytes"].as_u64().unwrap() < 20_000);
    let states = ["equal", "ids", "matrix", "new", "shape", "gone"]
        .map(|name| tensor(name)["state"].clone());
    assert_eq!(states, ["equal", "changed", "changed", "added", "replaced", "removed"]);

    // The same for compressed files.
    place.succeeds(&["compress", "old"]);
    place.write("new.safetensors", &new);
    place.succeeds(&["compress", "--inside-safetensors", "new.safetensors"]);
    let mut compressed = read(&["diff", "--json", "old.znn", "new.znn.safetensors"]);
    for value in [&mut plain, &mut compressed] {
        value["old"] = Value::Null;
        value["new"] = Value::Null;
    }
    assert_eq!(plain, compressed);
    place.fails(1, &["diff", "old", "missing"]);
}
