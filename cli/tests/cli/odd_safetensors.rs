//! Safetensors files that loaders read but the reference library refuses, and sound files with the
//! metadata of another file: every command accepts them, and no byte is lost.

use std::io::Cursor;

use program::{Place, text};
use serde_json::{Value, json};
use zipnn::frame::Form;
use zipnn::tensor::inside::{TensorError, TensorWriter};
use zipnn::tensor::{Metadata, MetadataError, Oddity};
use zipnn::tensor::{RowsError, plan};
use zipnn::{Archive, ArchiveError, DType, Limits, Options};

use crate::tensor_files::*;
use crate::{program, tensor_files};

const LIST: &str = "znn_compressed_vectors";
const INSIDE: &str = "--inside-safetensors";

/// Compresses the tensors inside a file, even if that makes it larger.
fn compress_inside(place: &Place, name: &str) {
    let output = place.run(&["compress", INSIDE, "--force", name]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A file with this metadata, these entries and this data.
fn with_metadata(metadata: &Value, entries: &[String], data: &[u8]) -> Vec<u8> {
    let mut members = vec![format!(r#""__metadata__":{metadata}"#)];
    members.extend_from_slice(entries);
    file(&format!("{{{}}}", members.join(",")), data)
}

/// Weights of two tensors with gaps between, before and behind them, which are not zero.
fn with_gaps() -> Vec<u8> {
    let [a, b] = [bf16(weights(3000, 1)), f32(weights(200, 2))];
    let data = [&noise(24, 3), &a, &noise(40, 4)[..], &b, &noise(5000, 5)].concat();
    let entries = [entry("b", "F32", &[20, 10], 6064, 6864), entry("a", "BF16", &[3000], 24, 6024)];
    file(&format!("{{{}}}", entries.join(",")), &data)
}

/// Files that the reference library refuses, with names.
fn odd_files() -> Vec<(&'static str, Vec<u8>)> {
    let a = bf16(weights(3000, 1));
    let entry_a = entry("a", "BF16", &[3000], 0, 6000);
    let plain = format!("{{{entry_a}}}");
    let trailing = |len, seed| [&a[..], &noise(len, seed)].concat();
    let twice = format!("{{{entry_a},{entry_a}}}");
    let taken = entry("zipnn_gap_0", "U8", &[4], 6004, 6008);
    let empty = entry("e", "F32", &[0, 5], 100, 100);
    vec![
        ("gaps", with_gaps()),
        ("trailing", file(&plain, &trailing(4096, 2))),
        ("one byte", file(&plain, &trailing(1, 2))),
        ("trailing zeros", file(&plain, &[&a[..], &[0; 4096]].concat())),
        ("zero padding", file(&format!("{plain}\0\0\0"), &a)),
        ("mixed padding", file(&format!(" {plain} \0\n\0"), &trailing(7, 3))),
        ("twice", file(&twice, &a)),
        ("name of a gap", file(&format!("{{{entry_a},{taken}}}"), &trailing(99, 4))),
        ("empty within", file(&format!("{{{entry_a},{empty}}}"), &a)),
        ("nothing but bytes", file("{}", &noise(100, 6))),
    ]
}

/// Two names of the same bytes, and a tensor that begins within another.
fn shared_files() -> Vec<(&'static str, Vec<u8>)> {
    let a = bf16(weights(3000, 1));
    let tied = [entry("a", "BF16", &[3000], 0, 6000), entry("b", "BF16", &[3000], 0, 6000)];
    let within = [entry("a", "BF16", &[3000], 0, 6000), entry("b", "BF16", &[1000], 4000, 6000)];
    let over = [entry("a", "BF16", &[2000], 0, 4000), entry("b", "BF16", &[2000], 2000, 6000)];
    let file_of = |entries: &[String]| file(&format!("{{{}}}", entries.join(",")), &a);
    vec![("tied", file_of(&tied)), ("within", file_of(&within)), ("over", file_of(&over))]
}

#[test]
fn metadata_reports_oddities() {
    let file = with_gaps();
    let layout = parse(&file);
    let start = layout.data_start();
    let expected = [
        Oddity::Gap { range: start..start + 24 },
        Oddity::Gap { range: start + 6024..start + 6064 },
        Oddity::TrailingBytes { len: 5000 },
    ];
    assert!(layout.oddities().eq(expected));
    let gaps: Vec<_> = layout.gaps().map(|gap| gap.end - gap.start).collect();
    assert_eq!(gaps, [24, 40, 5000]);
    for (name, file) in shared_files() {
        let expected = [Oddity::SharedBytes { name: "b".into() }];
        assert!(parse(&file).oddities().eq(expected), "{name}");
    }
    // A layout without a length ends with its last tensor.
    let header = Metadata::parse_header(&file).unwrap();
    assert_eq!(header.oddities().count(), 2);
    assert!(parse(&file_of(&[("a", "U8", &[3], vec![1, 2, 3])])).oddities().next().is_none());
}

#[test]
fn plans_cover_every_byte_once() {
    for (name, file) in odd_files().into_iter().chain(shared_files()) {
        for frame_len in [8, 100, 4096, 4 << 20] {
            let mut at = 0;
            for part in plan(&parse(&file), frame_len) {
                assert_eq!(part.range.start, at, "{name}");
                assert!(part.range.end > at && part.range.end - at <= frame_len, "{name}");
                at = part.range.end;
            }
            assert_eq!(at, file.len() as u64, "{name}");
        }
    }
    // Padding does not take a frame, wherever it is.
    let large = 1 << 18;
    let entries = [
        entry("a", "U8", &[large], 32, 32 + large),
        entry("b", "U8", &[large], 64 + large, 64 + 2 * large),
    ];
    let file = file(&format!("{{{}}}", entries.join(",")), &vec![0; 96 + 2 * large]);
    assert_eq!(plan(&parse(&file), 4 << 20).count(), 3);
}

#[test]
fn restores_every_byte_of_odd_files_from_inside() {
    for (name, source) in odd_files() {
        for checksums in [false, true] {
            let compressed = compress(&source, checksums);
            assert!(
                parse(&compressed).oddities().next().is_none(),
                "{name}: the result is not odd"
            );
            assert!(restore(&compressed) == (source.clone(), true), "{name}");
        }
    }
    for (name, source) in shared_files() {
        let (header, data) = source.split_at(parse(&source).data_start() as usize);
        let result = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64);
        let Err(TensorError::Metadata(MetadataError::SharedBytes { name: tensor })) = result else {
            panic!("{name}")
        };
        assert_eq!(tensor, "b");
    }
}

#[test]
fn every_command_accepts_odd_files() {
    for (name, source) in odd_files().into_iter().step_by(program::CASE_STEP) {
        let place = Place::new();
        place.write("m.safetensors", &source);
        place.succeeds(&["compress", "m.safetensors"]);
        compress_inside(&place, "m.safetensors");
        let expected = parse(&source);
        for file in ["m.safetensors.znn", "m.znn.safetensors"] {
            let said = place.succeeds(&["verify", file]);
            assert!(said.contains("all checksums match"), "{name}: {said}");
            let listed: Value =
                serde_json::from_str(&place.succeeds(&["ls", "--json", file])).unwrap();
            let names =
                listed["tensors"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap());
            assert!(names.eq(expected.tensors().iter().map(|t| &*t.name)), "{name}: {listed}");
            for tensor in expected.tensors() {
                let output = place.run(&["cat", file, &tensor.name]);
                assert!(output.status.success(), "{name}: {}", text(&output.stderr));
                let range = tensor.range.start as usize..tensor.range.end as usize;
                let bytes = &source[range];
                assert!(output.stdout == bytes, "{name} {file} {}", tensor.name);
                if let Some(&count) = tensor.shape.first() {
                    let half = count / 2;
                    let rows = format!("{half}..{count}");
                    let output = place.run(&["cat", file, &tensor.name, "--rows", &rows]);
                    assert!(output.stdout == bytes[bytes.len() / 2..], "{name} {file} {rows}");
                }
            }
            place.succeeds(&["decompress", file, "-o", "back", "-f"]);
            assert!(place.read("back") == source, "{name} {file}");
        }
        for file in ["m.safetensors.znn", "m.znn.safetensors"] {
            let said = place.succeeds(&["info", file]);
            assert!(!said.contains("zipnn_gap") || name == "name of a gap", "{name}: {said}");
        }
        place.succeeds(&["repair", "m.safetensors", "-o", "repaired"]);
        assert!(place.read("repaired") == source, "{name}: nothing is to be repaired");
    }
}

#[test]
fn accepts_tensors_that_share_bytes() {
    for (name, source) in shared_files() {
        let place = Place::new();
        place.write("m.safetensors", &source);
        place.succeeds(&["compress", "m.safetensors"]);
        place.succeeds(&["verify", "m.safetensors.znn"]);
        for tensor in parse(&source).tensors() {
            let output = place.run(&["cat", "m.safetensors.znn", &tensor.name]);
            let range = tensor.range.start as usize..tensor.range.end as usize;
            assert!(output.stdout == source[range], "{name}");
        }
        assert!(place.succeeds(&["ls", "m.safetensors.znn"]).contains("2 tensors"));
        place.succeeds(&["decompress", "m.safetensors.znn", "-o", "back"]);
        assert!(place.read("back") == source);
        place.succeeds(&["repair", "m.safetensors", "-o", "repaired"]);
        assert!(place.read("repaired") == source);
        let message = place.fails(1, &["compress", INSIDE, "m.safetensors"]);
        assert!(
            message.contains("shares bytes") && message.contains("without --inside"),
            "{message}"
        );
        assert!(!message.contains("damaged"), "{message}");
        assert!(!place.exists("m.znn.safetensors"));
    }
}

#[test]
fn refuses_ambiguous_headers_and_cut_files() {
    let place = Place::new();
    let a = bf16(weights(3000, 1));
    let entries = [entry("a", "BF16", &[3000], 0, 6000), entry("a", "F16", &[3000], 0, 6000)];
    let ambiguous = file(&format!("{{{}}}", entries.join(",")), &a);
    place.write("m.safetensors", &ambiguous).succeeds(&["compress", "m.safetensors"]);
    for arguments in [
        &["ls", "m.safetensors.znn"][..],
        &["compress", INSIDE, "m.safetensors"],
        &["repair", "m.safetensors"],
    ] {
        let message = place.fails(1, arguments);
        assert!(message.contains("twice") && !message.contains("once more"), "{message}");
    }
    place.succeeds(&["decompress", "m.safetensors.znn", "-o", "back"]);
    assert!(place.read("back") == ambiguous);
    let whole = file_of(&[("a", "BF16", &[3000], a)]);
    place.write("cut.safetensors", &whole[..whole.len() - 1]);
    let message = place.fails(1, &["compress", INSIDE, "cut.safetensors"]);
    assert!(message.contains("not complete") && message.contains("once more"), "{message}");
}

/// A tensor of `F4` and others whose rows share bytes, compressed.
fn rows_archive() -> (Vec<u8>, Vec<u8>) {
    let data: Vec<u8> = (0..=255).cycle().take(4 + 6 + 9 + 12 + 4).collect();
    let entries = [
        entry("v", "F4", &[8], 0, 4),
        entry("m", "F4", &[4, 3], 4, 10),
        entry("s", "F6_E2M3", &[4, 3], 10, 19),
        entry("u", "I4_NEW", &[6, 4], 19, 31),
        entry("x", "I4_NEW", &[8], 31, 35),
    ];
    (file(&format!("{{{}}}", entries.join(",")), &data), data)
}

#[test]
fn reads_rows_of_elements_below_a_byte() {
    let (source, data) = rows_archive();
    let compressed = zipnn::compress(&source, &Options::new(DType::F8E4M3)).unwrap();
    let archive = Archive::open(Cursor::new(compressed), Limits::default()).unwrap();
    let place = Place::new();
    place.write("f.safetensors", &source).succeeds(&["compress", "f.safetensors"]);
    for (name, rows, bytes) in [
        ("v", 0..8, 0..4),
        ("v", 2..4, 1..2),
        ("m", 0..4, 4..10),
        ("m", 2..4, 7..10),
        ("s", 0..4, 10..19),
        ("u", 1..3, 21..25),
        ("x", 3..3, 31..31),
    ] {
        let rows: std::ops::Range<u64> = rows;
        let expected = &data[bytes];
        let text = format!("{}..{}", rows.start, rows.end);
        let mut found = vec![0; expected.len()];
        let result = archive.read_rows_bytes_into(name, rows, &mut found);
        if name == "x" {
            assert!(matches!(
                result,
                Err(ArchiveError::Rows { error: RowsError::UnknownLength { .. }, .. })
            ));
            continue;
        }
        result.unwrap();
        assert_eq!(found, expected, "{name} {text}");
        let output = place.run(&["cat", "f.safetensors.znn", name, "--rows", &text]);
        assert_eq!(output.stdout, expected, "{name} {text}");
        assert!(output.status.success());
    }
    for (name, rows, multiple) in [("v", 1..2, 2), ("v", 0..3, 2), ("m", 1..2, 2), ("s", 0..2, 4)] {
        let text = format!("{}..{}", rows.start, rows.end);
        let error = archive.read_rows_bytes_into(name, rows, &mut []).unwrap_err();
        let ArchiveError::Rows { name: tensor, error } = error else { panic!("{error}") };
        assert_eq!((&*tensor, error), (name, RowsError::PartialBytes { multiple }));
        let message =
            place.fails(2, &["cat", "f.safetensors.znn", name, "--rows", &text, "-o", "out"]);
        assert!(message.contains(&format!("multiple of {multiple}")), "{message}");
        assert!(!place.exists("out"));
    }
    let message = place.fails(2, &["cat", "f.safetensors.znn", "x", "--rows", "0..1"]);
    assert!(message.contains("length of a row is not known"), "{message}");
    let message = place.fails(2, &["cat", "f.safetensors.znn", "v", "--rows", "8..9"]);
    assert!(message.contains("no such rows"), "{message}");
}

/// The metadata that the program adds to a file of these tensors.
fn metadata_of(source: &[u8]) -> Value {
    json!(parse(&compress(source, true)).metadata())
}

/// Weights, which are compressed, and a norm, which is not.
fn model() -> Vec<u8> {
    file_of(&[
        ("w", "BF16", &[40, 50], bf16(weights(2000, 1))),
        ("norm", "F32", &[4], f32([1.0, 0.9, 1.1, 1.05])),
    ])
}

/// Returns sound files with the metadata of other files, and a word of the problem's message.
fn stale_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let left = metadata_of(&model());
    let [w, tuned] = [bf16(weights(2000, 1)), bf16(weights(2000, 9))];
    let norm = f32([1.0, 0.9, 1.1, 1.05]);
    let entries = [entry("w", "BF16", &[40, 50], 0, 4000), entry("norm", "F32", &[4], 4000, 4016)];
    let same = with_metadata(&left, &entries, &[&w[..], &norm].concat());
    let other = f32([0.5, 0.9, 1.1, 1.05]);
    let retrained = with_metadata(&left, &entries, &[&tuned[..], &other].concat());
    let gone = with_metadata(&left, &[entry("norm", "F32", &[4], 0, 16)], &norm);
    let bytes = with_metadata(
        &json!({LIST: r#"{"w":{"dtype":"bfloat16","shape":"[40, 50]"}}"#}),
        &[entry("w", "U8", &[2, 2000], 0, 4000)],
        &noise(4000, 7),
    );
    let row_of_bytes = with_metadata(&left, &[entry("w", "U8", &[5000], 0, 5000)], &noise(5000, 7));
    let like_a_frame = with_metadata(&left, &entries, &[b"ZN", &w[2..], &norm].concat());
    let only = |key: &str, text: &Value| {
        with_metadata(&json!({key: text, "format": "pt"}), &entries, &[&w[..], &norm].concat())
    };
    let other_model = json!({LIST: left[LIST], "format": "pt"});
    let other_model =
        with_metadata(&other_model, &[entry("v", "F16", &[8], 0, 16)], &f16(weights(8, 1)));
    vec![
        ("same tensors", same, "\"w\""),
        ("other values", retrained, "\"w\""),
        ("a tensor is gone", gone, "\"w\""),
        ("another model", other_model, "\"w\""),
        ("a matrix of bytes", bytes, "\"w\""),
        ("more bytes than a frame has", row_of_bytes, "\"w\""),
        ("weights that begin as a frame", like_a_frame, "\"w\""),
        ("no JSON", only(LIST, &json!("gone")), LIST),
        ("no list of tensors", only(LIST, &json!("[1, 2]")), LIST),
        ("source only", only("zipnn_source_header", &left["zipnn_source_header"]), "source_header"),
        ("checksums only", only("zipnn_checksums", &left["zipnn_checksums"]), "zipnn_checksums"),
        ("malformed checksums", only("zipnn_checksums", &json!("none")), "zipnn_checksums"),
    ]
}

#[test]
fn does_not_report_stale_lists_as_damage() {
    for (name, source, subject) in stale_files().into_iter().step_by(program::CASE_STEP) {
        let place = Place::new();
        place.write("m.safetensors", &source);
        let said = place.succeeds(&["verify", "m.safetensors"]);
        assert!(said.contains("sound") && said.contains(subject), "{name}: {said}");
        assert!(said.contains("zipnn repair") && !said.contains("damaged"), "{name}: {said}");
        assert!(place.succeeds(&["ls", "m.safetensors"]).contains("tensors"), "{name}");
        for (tensor, (_, _, bytes)) in tensors(&source) {
            let output = place.run(&["cat", "m.safetensors", &tensor]);
            assert!(output.stdout == bytes && output.status.success(), "{name} {tensor}");
        }
        let said = place.fails(1, &["repair", "m.safetensors"]);
        assert!(said.contains(subject) && !said.contains("damaged"), "{name}: {said}");
        assert!(place.read("m.safetensors") == source);
        let said = place.succeeds(&["repair", "m.safetensors", "-o", "repaired.safetensors"]);
        assert!(said.contains("stale metadata removed"), "{name}: {said}");
        let repaired = place.read("repaired.safetensors");
        assert_eq!(tensors(&repaired), tensors(&source), "{name}");
        let left = parse(&repaired).metadata().clone();
        assert!(left.keys().all(|key| key == "format"), "{name}: {left:?}");
        place.succeeds(&["repair", "--quiet", "repaired.safetensors"]);
        // The list is replaced, and comes back with the source.
        compress_inside(&place, "m.safetensors");
        let said = place.succeeds(&["verify", "m.znn.safetensors"]);
        assert!(said.contains("all checksums match") && !said.contains("stale"), "{name}: {said}");
        place.succeeds(&["decompress", "m.znn.safetensors", "-o", "back"]);
        assert!(place.read("back") == source, "{name}");
    }
}

#[test]
fn ignores_an_empty_list() {
    let place = Place::new();
    let entries = [entry("w", "BF16", &[40, 50], 0, 4000)];
    let source = with_metadata(&json!({LIST: "{}"}), &entries, &bf16(weights(2000, 1)));
    place.write("m.safetensors", &source);
    assert!(place.fails(1, &["verify", "m.safetensors"]).contains("no tensor in it is compressed"));
    place.succeeds(&["repair", "--quiet", "m.safetensors"]);
    place.succeeds(&["compress", INSIDE, "m.safetensors"]);
    place.succeeds(&["decompress", "m.znn.safetensors", "-o", "back"]);
    assert!(place.read("back") == source);
    // What the program itself writes where nothing gets smaller still decompresses.
    let small = file_of(&[("a", "I64", &[1], vec![1; 8])]);
    compress_inside(place.write("s.safetensors", &small), "s.safetensors");
    assert!(place.succeeds(&["verify", "s.znn.safetensors"]).contains("all checksums match"));
    place.succeeds(&["decompress", "s.znn.safetensors", "-o", "s"]);
    assert!(place.read("s") == small);
}

/// An empty list beside the other metadata of our own writer.
#[test]
fn finds_frames_despite_an_empty_list() {
    let place = Place::new();
    let mut metadata = metadata_of(&model());
    metadata[LIST] = json!("{}");
    let file = compress(&model(), true);
    let layout = parse(&file);
    let at = layout.data_start();
    let entries: Vec<String> = layout
        .tensors()
        .iter()
        .map(|tensor| {
            let shape: Vec<usize> = tensor.shape.iter().map(|&dim| dim as usize).collect();
            let range = tensor.range.start - at..tensor.range.end - at;
            entry(&tensor.name, &tensor.dtype, &shape, range.start as usize, range.end as usize)
        })
        .collect();
    let lost = with_metadata(&metadata, &entries, &file[at as usize..]);
    place.write("lost.znn.safetensors", &lost);
    assert!(place.succeeds(&["verify", "lost.znn.safetensors"]).contains("list of compressed"));
    for (name, (_, _, bytes)) in tensors(&model()) {
        let output = place.run(&["cat", "lost.znn.safetensors", &name]);
        assert!(output.stdout == bytes, "{name}");
    }
    place.succeeds(&["decompress", "lost.znn.safetensors"]);
    assert!(place.read("lost.safetensors") == model());
}

/// A tensor that a tool has added has no checksum.
#[test]
fn does_not_report_added_tensors_as_damage() {
    let place = Place::new();
    let file = compress(&model(), true);
    let layout = parse(&file);
    let at = layout.data_start() as usize;
    let len = file.len() - at;
    let json = String::from_utf8(file[8..at].to_vec()).unwrap();
    let members = json.trim_end().strip_suffix('}').unwrap();
    let json = format!("{members},{}}}", entry("new", "F32", &[2], len, len + 8));
    place.write("m.znn.safetensors", &tensor_files::file(&json, &[&file[at..], &[0; 8]].concat()));
    let message = place.fails(1, &["cat", "m.znn.safetensors", "new"]);
    assert!(message.contains("zipnn repair"), "{message}");
}

/// A compressed file of which a tool has kept the frames, and dropped or renamed tensors.
#[test]
fn handles_lists_that_are_partly_right() {
    let file = compress(&model(), true);
    let layout = parse(&file);
    let tensor = layout.tensor("w").unwrap();
    let frame = &file[tensor.range.start as usize..tensor.range.end as usize];
    let metadata = json!(layout.metadata());
    let mut list: Value = serde_json::from_str(&layout.metadata()[LIST]).unwrap();
    list["v"] = json!({"dtype": "bfloat16", "shape": "[7]"});
    let mut more = metadata.clone();
    more[LIST] = json!(list.to_string());
    let w = bf16(weights(2000, 1));
    let len = frame.len();
    let mixed = [entry("w", "U8", &[len], 0, len), entry("v", "BF16", &[2000], len, len + 4000)];
    for (name, source) in [
        ("decompressed", with_metadata(&more, &mixed, &[frame, &w].concat())),
        (
            "dropped",
            with_metadata(&more, &[entry("w", "U8", &[frame.len()], 0, frame.len())], frame),
        ),
        (
            "renamed",
            with_metadata(&metadata, &[entry("x.w", "U8", &[frame.len()], 0, frame.len())], frame),
        ),
    ] {
        let place = Place::new();
        place.write("m.znn.safetensors", &source);
        let said = place.succeeds(&["verify", "m.znn.safetensors"]);
        assert!(said.contains("stale") && said.contains("zipnn repair"), "{name}: {said}");
        assert!(place.succeeds(&["ls", "m.znn.safetensors"]).contains("[40, 50]"), "{name}");
        assert!(place.succeeds(&["info", "m.znn.safetensors"]).contains("stale"), "{name}");
        let message = place.fails(1, &["compress", INSIDE, "m.znn.safetensors", "-o", "x"]);
        assert!(message.contains("stale") && message.contains("zipnn repair"), "{name}: {message}");
        let said = place.succeeds(&["repair", "--write", "m.znn.safetensors"]);
        assert!(said.contains("list of 1 compressed tensor written"), "{name}: {said}");
        let said = place.succeeds(&["verify", "m.znn.safetensors"]);
        assert!(!said.contains("stale"), "{name}: {said}");
        place.succeeds(&["decompress", "m.znn.safetensors"]);
        let (dtype, shape, bytes) =
            tensors(&place.read("m.safetensors")).into_values().last().unwrap();
        assert_eq!((&*dtype, &*shape), ("BF16", &[40, 50][..]), "{name}");
        assert!(bytes == bf16(weights(2000, 1)), "{name}");
    }
}

/// Either the list belongs to another file, or the tensors are damaged.
#[test]
fn reports_listed_tensors_that_are_not_frames() {
    let list = json!({LIST: r#"{"w":{"dtype":"bfloat16","shape":"[40, 50]"}}"#});
    let frame = zipnn::compress_tensor(
        &bf16(weights(2000, 1)),
        Form::Torch,
        &[40, 50],
        &Options::new(DType::BF16).checksums(true),
    )
    .unwrap();
    let mut broken = frame.clone();
    broken[0] ^= 1;
    for (data, is_frame) in [(noise(3000, 1), false), (vec![0; 3000], false), (broken, true)] {
        let file = with_metadata(&list, &[entry("w", "U8", &[data.len()], 0, data.len())], &data);
        let place = Place::new();
        place.write("m.safetensors", &file);
        let message = place.fails(1, &["verify", "m.safetensors"]);
        assert!(
            message.contains("is not a frame") && message.contains("zipnn repair"),
            "{message}"
        );
        assert!(message.contains("damaged"), "{message}");
        place.fails(1, &["decompress", "m.safetensors", "-o", "x"]);
        assert!(place.succeeds(&["ls", "m.safetensors"]).contains("w"));
        place.fails(1, &["repair", "m.safetensors"]);
        let header = open(&file).unwrap().repaired_header(false);
        if is_frame {
            // Only the list shows what the tensor was.
            assert!(matches!(header, Err(TensorError::NotAFrame { name }) if name == "w"));
            place.fails(1, &["repair", "--write", "m.safetensors"]);
            assert!(place.read("m.safetensors") == file);
        } else {
            place.succeeds(&["repair", "-o", "repaired", "m.safetensors"]);
            let repaired = place.read("repaired");
            assert!(repaired.starts_with(&header.unwrap()));
            assert_eq!(tensors(&repaired), tensors(&file));
            assert!(open(&repaired).unwrap().list_problem().is_none());
        }
    }
}

/// A tool has added a tensor to a compressed file and kept the metadata: the list is still right.
#[test]
fn repair_removes_a_stale_header_of_the_source() {
    let file = compress(&model(), true);
    let layout = parse(&file);
    let start = layout.data_start();
    let mut entries: Vec<String> = layout
        .tensors()
        .iter()
        .map(|t| {
            let shape: Vec<usize> = t.shape.iter().map(|&dim| dim as usize).collect();
            entry(
                &t.name,
                &t.dtype,
                &shape,
                (t.range.start - start) as usize,
                (t.range.end - start) as usize,
            )
        })
        .collect();
    let data = [&file[start as usize..], &[7; 8]].concat();
    entries.push(entry("new", "I64", &[1], data.len() - 8, data.len()));
    let changed = with_metadata(&json!(layout.metadata()), &entries, &data);
    let place = Place::new();
    place.write("m.znn.safetensors", &changed);
    let said = place.fails(1, &["verify", "m.znn.safetensors"]);
    assert!(said.contains("zipnn repair"), "{said}");
    let said = place.fails(1, &["repair", "m.znn.safetensors"]);
    assert!(said.contains("stale"), "{said}");
    place.succeeds(&["repair", "--write", "m.znn.safetensors"]);
    place.succeeds(&["verify", "m.znn.safetensors"]);
    place.succeeds(&["decompress", "m.znn.safetensors"]);
    let found = tensors(&place.read("m.safetensors"));
    assert_eq!(found["new"].2, [7; 8]);
    assert_eq!(found["w"], tensors(&model())["w"]);
}

/// Bits of a tensor below the sign, as the original rotates bfloat16.
fn rotate(data: &[u8]) -> Vec<u8> {
    let values = data.as_chunks::<2>().0.iter().map(|&half| u16::from_le_bytes(half));
    values.flat_map(|v| ((v & 0x7f80) << 1 | v >> 15 << 7 | v & 0x7f).to_le_bytes()).collect()
}

/// Files with gaps and shared bytes are repaired in place, and nothing else changes.
#[test]
fn repairs_rotated_tensors_in_odd_files() {
    let norm = bf16(weights(64, 5).map(|weight| weight + 1.0));
    let gap = noise(40, 1);
    let entries = [entry("a", "BF16", &[64], 8, 136), entry("b", "BF16", &[64], 8, 136)];
    let file_with = |norm: &[u8], entries: &[String]| {
        file(&format!("{{{}}}\0", entries.join(",")), &[&gap[..8], norm, &gap[8..]].concat())
    };
    let source = file_with(&rotate(&norm), &entries);
    let place = Place::new();
    place.write("m.safetensors", &source);
    let said = place.fails(1, &["repair", "m.safetensors"]);
    assert!(said.contains("2 of 2 uncompressed"), "{said}");
    let said = place.succeeds(&["repair", "--write", "m.safetensors"]);
    assert!(
        said.trim_end()
            .ends_with("2 of 2 uncompressed bfloat16 and float32 tensors repaired, 0 unclear"),
        "{said}"
    );
    assert!(!said.contains("are rotated"), "{said}");
    assert!(
        said.contains("shares bytes") && said.contains("40 bytes")
            || said.contains("belong to no tensor"),
        "{said}"
    );
    assert!(place.read("m.safetensors") == file_with(&norm, &entries));
    place.succeeds(&["repair", "--quiet", "m.safetensors"]);
    // Repairing one tensor would change another one.
    place.write("m.safetensors", &source);
    let message = place.fails(1, &["repair", "--write", "--sound", "b", "m.safetensors"]);
    assert!(message.contains("shares bytes"), "{message}");
    assert!(place.read("m.safetensors") == source);
}

#[test]
fn repair_of_a_compressed_file_names_decompress() {
    let place = Place::new();
    place.write("m.safetensors", &model()).succeeds(&["compress", "m.safetensors"]);
    for arguments in [&["repair"][..], &["compress", INSIDE, "-o", "x"]] {
        let message = place.fails(1, &[arguments, &["m.safetensors.znn"]].concat());
        assert!(message.contains("zipnn decompress") && !message.contains("damaged"), "{message}");
    }
    // A header whose length begins with the letters of a compressed file.
    let len = usize::from(u16::from_le_bytes(*b"ZN"));
    let blank = format!("{:len$}", r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#);
    place.write("n.safetensors", &file(&blank, &[1]));
    place.succeeds(&["repair", "n.safetensors"]);
}

/// Headers that begin with blanks, which JSON allows.
#[test]
fn accepts_white_space_before_the_header() {
    let place = Place::new();
    let list = json!({LIST: r#"{"w":{"dtype":"bfloat16","shape":"[40, 50]"}}"#});
    let file = compress(&model(), false);
    let layout = parse(&file);
    let tensor = layout.tensor("w").unwrap();
    let frame = &file[tensor.range.start as usize..tensor.range.end as usize];
    let mut source =
        with_metadata(&list, &[entry("w", "U8", &[frame.len()], 0, frame.len())], frame);
    let len = u64::from_le_bytes(*source.first_chunk().unwrap()) + 2;
    source.splice(..8, [&len.to_le_bytes()[..], b" \n"].concat());
    place.write("m.znn.safetensors", &source);
    place.succeeds(&["verify", "m.znn.safetensors"]);
    assert!(place.succeeds(&["ls", "m.znn.safetensors"]).contains("[40, 50]"));
}

/// Offsets and lengths from a header never make a reader overflow, or take long.
#[test]
fn handles_headers_with_many_odd_tensors() {
    let count = 20_000;
    let overlapping: Vec<String> =
        (0..count).map(|i| entry(&format!("t{i}"), "U8", &[count], i, i + count)).collect();
    let apart: Vec<String> = (0..count)
        .map(|i| entry(&format!("zipnn_gap_{i}"), "U8", &[1], 2 * i, 2 * i + 1))
        .collect();
    for entries in [overlapping, apart] {
        let source = file(&format!("{{{}}}", entries.join(",")), &vec![7; 2 * count]);
        let layout = parse(&source);
        assert!(layout.oddities().count() >= count - 1);
        assert_eq!(plan(&layout, 4 << 20).last().unwrap().range.end, source.len() as u64);
        let place = Place::new();
        place.write("m.safetensors", &source);
        place.succeeds(&["repair", "m.safetensors", "-o", "repaired"]);
        assert!(place.read("repaired") == source);
    }
    // Longer together than any file.
    let half = 1_u64 << 62;
    let entry = |name: &str| {
        format!(r#""{name}":{{"dtype":"I4_NEW","shape":[{half}],"data_offsets":[0,{half}]}}"#)
    };
    let names: Vec<String> = (0..8).map(|i| entry(&i.to_string())).collect();
    let layout = Metadata::parse_header(&file(&format!("{{{}}}", names.join(",")), &[])).unwrap();
    assert_eq!(layout.main_dtype(), None);
    assert_eq!(plan(&layout, 1 << 60).count(), 5);
}

/// Tensors anywhere in a file: every byte is in a tensor or a gap, and comes back.
#[test]
fn handles_tensors_anywhere_in_a_file() {
    let (mut shared, mut apart) = (0, 0);
    for (case, source) in files_with_tensors_anywhere(3000).enumerate() {
        let layout = parse(&source);
        let is_shared = layout.oddities().any(|odd| matches!(odd, Oddity::SharedBytes { .. }));
        let mut owners = vec![0; source.len() - layout.data_start() as usize];
        let ranges = layout.tensors().iter().map(|tensor| tensor.range.clone());
        for byte in ranges.chain(layout.gaps()).flatten() {
            owners[(byte - layout.data_start()) as usize] += 1;
        }
        assert!(owners.iter().all(|&owners| owners == 1 || is_shared && owners > 0), "{case}");
        assert_eq!(owners.iter().any(|&owners| owners > 1), is_shared, "{case}");
        let mut at = 0;
        for part in plan(&layout, 16) {
            assert_eq!(part.range.start, at, "{case}");
            at = part.range.end;
        }
        assert_eq!(at, source.len() as u64, "{case}");
        let (header, rest) = source.split_at(layout.data_start() as usize);
        assert!(open(&source).unwrap().repaired_header(false).unwrap() == header, "{case}");
        match TensorWriter::new(Cursor::new(Vec::new()), header, rest.len() as u64) {
            Ok(_) if !is_shared => assert!(restore(&compress(&source, true)) == (source, true)),
            Err(TensorError::Metadata(MetadataError::SharedBytes { .. })) if is_shared => {
                shared += 1
            }
            other => panic!("{case}: {:?}", other.map(drop)),
        }
        apart += u32::from(!is_shared);
    }
    assert!(shared > 300 && apart > 300, "{shared} shared, {apart} apart");
}
