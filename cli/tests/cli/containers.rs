//! Files of NumPy, PyTorch and ONNX, and the reasons why files hardly shrink.

use std::fs;

use program::Place;
use serde_json::Value;
use zipnn::DType;

use crate::common::{data, root};
use crate::program;

const FILES: [&str; 8] = [
    "state.pt",
    "module.pt",
    "arrays.npz",
    "compressed.npz",
    "matrix.npy",
    "model.onnx",
    "apart.onnx",
    "apart.onnx.data",
];

fn load(name: &str) -> Vec<u8> {
    fs::read(root().join("tests/data/containers").join(name)).unwrap()
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_str(&place.succeeds(arguments)).unwrap()
}

/// Returns the names of tensors that a command lists.
fn names(listed: &Value) -> Vec<String> {
    let tensors = listed["tensors"].as_array().unwrap().iter();
    tensors.map(|tensor| tensor["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn files_of_every_kind_come_back() {
    let place = Place::new();
    for name in FILES {
        place.write(name, &load(name));
        let compressed = format!("{name}.znn");
        for options in [&[][..], &["--extended"], &["--threads", "3"], &["--dtype", "f32"]] {
            place.succeeds(&[&["compress", "-f", name][..], options].concat());
            place.succeeds(&["decompress", "-f", &compressed, "-o", "back"]);
            assert!(place.read("back") == load(name), "{name} {options:?}");
        }
        // The headers in the middle of the data cannot be read before a pipe ends.
        let piped = place.run_with_input(&["compress", "-"], &load(name));
        assert!(place.run_with_input(&["decompress", "-"], &piped.stdout).stdout == load(name));
    }
}

#[test]
fn tensors_are_listed_and_read() {
    let place = Place::new();
    for (name, tensor) in [
        ("state.pt", "nested.list.3.0"),
        ("module.pt", "1.running_mean"),
        ("arrays.npz", "folder/bytes"),
        ("matrix.npy", "array"),
        ("model.onnx", "ids"),
    ] {
        let compressed = format!("{name}.znn");
        place.write(name, &load(name)).succeeds(&["compress", name]);
        let listed = json(&place, &["ls", "--json", &compressed]);
        assert!(names(&listed).contains(&tensor.to_owned()), "{listed}");
        assert_eq!(names(&listed), names(&json(&place, &["info", "--json", &compressed])));
        place.succeeds(&["cat", "-f", &compressed, tensor, "-o", "tensor"]);
        let all: Value = serde_json::from_slice(&load("expected.json")).unwrap();
        let hex: String = place.read("tensor").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(all[name][tensor]["hex"], hex.as_str(), "{name}");
    }
    place
        .write("compressed.npz", &load("compressed.npz"))
        .succeeds(&["compress", "compressed.npz"]);
    let message = place.fails(1, &["ls", "compressed.npz.znn"]);
    assert!(message.contains("no tensors that can be located"), "{message}");
}

/// Returns an ONNX model with one tensor in `model.onnx.data`.
fn onnx_model(len: usize) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let mut field = vec![number << 3 | 2];
        let mut len = bytes.len();
        while len >= 0x80 {
            field.push(len as u8 | 0x80);
            len >>= 7;
        }
        field.push(len as u8);
        [&field, bytes].concat()
    };
    let entry = |key: &str, value: &str| {
        field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
    };
    let mut dim = vec![0x08];
    let mut rest = len / 4;
    while rest >= 0x80 {
        dim.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    dim.push(rest as u8);
    let tensor = [
        dim,
        vec![0x10, 1],
        field(8, b"w"),
        entry("location", "model.onnx.data"),
        entry("offset", "5"),
        entry("length", &len.to_string()),
        vec![0x70, 1],
    ];
    [&[0x08, 9][..], &field(7, &field(5, &tensor.concat()))].concat()
}

#[test]
fn data_of_an_onnx_model_follows_the_model_beside_it() {
    let weights = data::weights(DType::F32, 400_000, 1);
    let file = [&[9; 5][..], &weights].concat();
    let place = Place::new();
    place.write("model.onnx.data", &file).succeeds(&["compress", "model.onnx.data", "-o", "alone"]);
    place.write("model.onnx", &onnx_model(weights.len()));
    place.succeeds(&["compress", "model.onnx.data", "-o", "beside"]);
    let frames = |name: &str| json(&place, &["info", "--json", name])["frames"].clone();
    let has_tensor = |frames: &Value| {
        let mut frames = frames.as_array().unwrap().iter();
        frames.any(|frame| frame["original_bytes"] == weights.len() && frame["dtype"] == "f32")
    };
    assert!(has_tensor(&frames("beside")), "{}", frames("beside"));
    assert!(place.read("beside").len() <= place.read("alone").len() + 200);
    for name in ["alone", "beside"] {
        place.succeeds(&["decompress", "-f", name, "-o", "back"]);
        assert!(place.read("back") == file);
    }
}

/// The tensors of a data file are those that the model beside it lists.
#[test]
fn data_of_onnx_models_is_matched_by_tensor() {
    let weights = data::weights(DType::F32, 400_000, 1);
    let place = Place::new();
    for (folder, end) in [("old", 0), ("new", 1000)] {
        let file = [&[9; 5][..], &weights, &data::noise(end, 2)].concat();
        place.write(&format!("{folder}/model.onnx"), &onnx_model(weights.len()));
        place.write(&format!("{folder}/model.onnx.data"), &file);
    }
    place.succeeds(&["compress", "new/model.onnx.data", "--base", "old/model.onnx.data"]);
    assert!(place.read("new/model.onnx.data.znn").len() < 3000);
    place.succeeds(&["decompress", "new/model.onnx.data.znn", "-o", "back"]);
    assert!(place.read("back") == place.read("new/model.onnx.data"));
}

fn reasons(place: &Place, name: &str) -> Vec<String> {
    let info = json(place, &["info", "--json", name]);
    let reasons = info["hardly_shrinks"].as_array().unwrap().iter();
    reasons.map(|reason| reason["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn info_says_why_a_file_hardly_shrinks() {
    let mut state = 1_u64;
    let random: Vec<u8> = (0..300_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let place = Place::new();
    let tensors = |dtype: &str| {
        let json = format!(
            r#"{{"a":{{"dtype":"{dtype}","shape":[{}],"data_offsets":[0,{}]}}}}"#,
            random.len() / if dtype == "I32" { 4 } else { 1 },
            random.len()
        );
        [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &random].concat()
    };
    let gzip = [b"\x1f\x8b\x08", &random[..]].concat();
    for (name, file, expected) in [
        ("random", random.clone(), &["random_bytes"][..]),
        ("gzip", gzip, &["already_compressed"]),
        ("int8", tensors("I8"), &["int8"]),
        ("packed", tensors("I32"), &["packed_values"]),
        ("weights", data::weights(DType::BF16, 300_000, 1), &[]),
        ("empty", Vec::new(), &[]),
    ] {
        let compressed = format!("{name}.znn");
        place.write(name, &file).succeeds(&["compress", name]);
        assert_eq!(reasons(&place, &compressed), expected, "{name}");
        let shown = place.succeeds(&["info", &compressed]);
        assert_eq!(shown.contains("hardly shrinks: "), !expected.is_empty(), "{shown}");
    }
    let shown = place.succeeds(&["info", "packed.znn"]);
    assert!(shown.contains("(I32)") && shown.contains("bits of information per byte"), "{shown}");
}
