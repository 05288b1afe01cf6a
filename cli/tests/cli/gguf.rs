//! GGUF files, whose tensors may be quantised.

use program::Place;

use crate::program;

/// Returns a file with a vector of `F32` and a matrix of `Q8_0`, and the bytes of both.
fn model() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let floats: Vec<u8> = (0..640).flat_map(|i| (0.25 + i as f32 / 4096.0).to_le_bytes()).collect();
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut weight = || (0..4).map(|_| random() / 16).sum::<u8>();
    let blocks: Vec<u8> = (0..4000_u32)
        .flat_map(|block| {
            let scale = [block as u8, 0x1c];
            scale.into_iter().chain((0..32).map(|_| weight())).collect::<Vec<_>>()
        })
        .collect();
    let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
    file.extend(2_u64.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    let offset = (floats.len() as u64).next_multiple_of(32);
    for (name, shape, code, offset) in
        [("norm", &[640_u64][..], 0_u32, 0_u64), ("matrix", &[320, 400], 8, offset)]
    {
        file.extend((name.len() as u64).to_le_bytes());
        file.extend(name.as_bytes());
        file.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|len| file.extend(len.to_le_bytes()));
        file.extend(code.to_le_bytes());
        file.extend(offset.to_le_bytes());
    }
    for tensor in [&floats, &blocks] {
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(tensor);
    }
    (file, floats, blocks)
}

#[test]
fn tensors_are_listed_and_read() {
    let (file, floats, blocks) = model();
    for profile in [&["compress"][..], &["compress", "--extended"]] {
        let place = Place::new();
        place.write("model.gguf", &file);
        place.succeeds(&[profile, &["model.gguf"]].concat());
        place.succeeds(&["verify", "model.gguf.znn"]);
        let listed = place.succeeds(&["ls", "--json", "model.gguf.znn"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let names: Vec<_> = (0..2).map(|i| listed["tensors"][i]["name"].clone()).collect();
        assert_eq!(names, ["norm", "matrix"]);
        assert_eq!(listed["tensors"][1]["dtype"], "Q8_0");
        assert_eq!(listed["tensors"][1]["shape"], serde_json::json!([400, 320]));
        for (name, bytes) in [("norm", &floats), ("matrix", &blocks)] {
            let output = place.run(&["cat", "model.gguf.znn", name]);
            assert!(output.status.success() && output.stdout == *bytes, "{name}");
        }
        let rows = place.run(&["cat", "--rows", "7..9", "model.gguf.znn", "matrix"]);
        assert!(rows.stdout == blocks[7 * 340..9 * 340]);
        place.succeeds(&["decompress", "-o", "out", "model.gguf.znn"]);
        assert!(place.read("out") == file);
    }
}

#[test]
fn the_extended_profile_splits_records() {
    let (file, ..) = model();
    let place = Place::new();
    place.write("model.gguf", &file);
    place.succeeds(&["compress", "model.gguf"]);
    let original = place.read("model.gguf.znn").len();
    place.succeeds(&["compress", "--force", "--extended", "model.gguf"]);
    let extended = place.read("model.gguf.znn").len();
    assert!(extended < original * 97 / 100, "{extended} {original}");
    let info = place.succeeds(&["info", "model.gguf.znn"]);
    assert!(info.contains(" records") && info.contains("does not read this file"), "{info}");
    place.succeeds(&["bench", "--extended", "--runs", "1", "model.gguf"]);
}

#[test]
fn tensors_are_compared() {
    let (file, floats, _) = model();
    let mut changed = file.clone();
    let start = file.windows(floats.len()).position(|bytes| bytes == floats).unwrap();
    changed[start + 3] ^= 1;
    let place = Place::new();
    place.write("old.gguf", &file).write("new.gguf", &changed);
    place.succeeds(&["compress", "new.gguf"]);
    for new in ["new.gguf", "new.gguf.znn"] {
        let printed = place.succeeds(&["diff", "old.gguf", new]);
        assert!(printed.contains("1 tensor equal, 1 changed, 0 added"), "{printed}");
        assert!(printed.contains("1 of 640 rows"), "{printed}");
    }
    place.write("cut.gguf", &file[..file.len() - 1]);
    let message = place.fails(1, &["diff", "old.gguf", "cut.gguf"]);
    assert!(message.contains("cut.gguf") && message.contains("end of file"), "{message}");
}

/// What a command needs and the file is not is named, not how the file differs from it.
#[test]
fn commands_name_what_the_file_is_not() {
    let place = Place::new();
    place.write("model.gguf", &model().0).write("text", b"no tensors");
    let message = place.fails(1, &["diff", "text", "text"]);
    assert!(
        message.contains("contains no tensors") && message.contains("zipnn doctor"),
        "{message}"
    );
    let message = place.fails(1, &["repair", "model.gguf"]);
    assert!(message.contains("is not a .safetensors file: it does not begin with"), "{message}");
    for command in [&["ls"][..], &["info"], &["verify"], &["cat"]] {
        let arguments =
            [command, &["model.gguf"], if command == ["cat"] { &["norm"] } else { &[] }];
        let message = place.fails(1, &arguments.concat());
        assert!(
            message.contains("not compressed") && message.contains("zipnn doctor"),
            "{message}"
        );
    }
}
