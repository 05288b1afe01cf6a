//! Reading the tensors of compressed and damaged files.

use program::Place;
use serde_json::{Value, json};
use zipnn::DType;

use crate::common::data;
use crate::program;

/// A directory with `model.safetensors`: a matrix, a bias and ids; and what it is compressed to.
fn place() -> (Place, Vec<u8>) {
    let matrix = data::weights(DType::BF16, 2 * 300 * 1000, 1);
    let bias = data::weights(DType::F32, 4 * 1000, 2);
    let ids: Vec<u8> = (0..77_i64).flat_map(i64::to_le_bytes).collect();
    let mut offset = 0;
    let mut place = |name: &str, dtype: &str, shape: &[u64], bytes: &[u8]| {
        let start = offset;
        offset += bytes.len();
        (name.to_owned(), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, offset]}))
    };
    let header: serde_json::Map<String, Value> = [
        place("matrix", "BF16", &[300, 1000], &matrix),
        place("bias", "F32", &[1000], &bias),
        place("ids", "I64", &[77], &ids),
    ]
    .into_iter()
    .collect();
    let header = serde_json::to_vec(&header).unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &matrix, &bias, &ids].concat();
    let place = Place::new();
    place.write("model.safetensors", &file).succeeds(&["compress", "model.safetensors"]);
    (place, file)
}

/// Returns the bytes of a tensor in the uncompressed file.
fn tensor<'f>(file: &'f [u8], name: &str) -> &'f [u8] {
    let layout = zipnn::tensor::Metadata::parse(file, file.len() as u64).unwrap();
    let range = layout.tensor(name).unwrap().range.clone();
    &file[range.start as usize..range.end as usize]
}

#[test]
fn ls_lists_every_tensor() {
    let (place, _) = place();
    let table = place.succeeds(&["ls", "model.safetensors.znn"]);
    assert!(table.contains("matrix") && table.contains("[300, 1000]"), "{table}");
    assert!(table.contains("3 tensors"), "{table}");
    let shown = place.succeeds(&["ls", "--json", "model.safetensors.znn"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let matrix = shown["tensors"].as_array().unwrap().iter().find(|t| t["name"] == "matrix");
    let matrix = matrix.unwrap();
    assert_eq!(matrix["dtype"], "BF16");
    assert_eq!(matrix["shape"], json!([300, 1000]));
    assert_eq!(matrix["bytes"], 600_000);
    let compressed = matrix["compressed_bytes"].as_u64().unwrap();
    assert!((300_000..500_000).contains(&compressed), "{compressed}");
}

#[test]
fn cat_writes_one_tensor() {
    let (place, file) = place();
    for name in ["matrix", "bias", "ids"] {
        let output = place.run(&["cat", "model.safetensors.znn", name]);
        assert!(output.status.success());
        assert!(output.stdout == tensor(&file, name), "{name}");
        place.succeeds(&["cat", "model.safetensors.znn", name, "-o", "out", "-f"]);
        assert!(place.read("out") == tensor(&file, name), "{name}");
    }
    place.succeeds(&["cat", "model.safetensors.znn", "matrix", "--rows", "7..9", "-o", "rows"]);
    assert!(place.read("rows") == tensor(&file, "matrix")[14_000..18_000]);
    place.succeeds(&["cat", "model.safetensors.znn", "bias", "--npy", "-o", "bias.npy"]);
    let npy = place.read("bias.npy");
    assert!(npy.starts_with(b"\x93NUMPY\x01\x00"));
    assert!(npy.ends_with(tensor(&file, "bias")));
    let header = String::from_utf8_lossy(&npy[10..128]);
    assert!(header.contains("'descr': '<f4'") && header.contains("'shape': (1000,)"), "{header}");
}

#[test]
fn cat_reports_missing_tensors_and_rows() {
    let (place, _) = place();
    let message = place.fails(1, &["cat", "model.safetensors.znn", "missing"]);
    assert!(message.contains("zipnn ls"), "{message}");
    for rows in ["0..301", "5..4", "x", "1000..1001"] {
        place.fails(2, &["cat", "model.safetensors.znn", "matrix", "--rows", rows]);
    }
    place.write("other", &[1; 1000]).succeeds(&["compress", "other"]);
    assert!(place.fails(1, &["ls", "other.znn"]).contains("safetensors"));
    place.write("out", b"precious");
    place.fails(1, &["cat", "model.safetensors.znn", "ids", "-o", "out"]);
    assert_eq!(place.read("out"), b"precious");
}

/// Files of the original have neither checksums nor an index.
#[test]
fn reads_tensors_without_checksums_and_index() {
    let (place, file) = place();
    place.succeeds(&["compress", "model.safetensors", "--plain", "--force"]);
    assert!(place.succeeds(&["ls", "model.safetensors.znn"]).contains("3 tensors"));
    let output = place.run(&["cat", "model.safetensors.znn", "ids"]);
    assert!(output.stdout == tensor(&file, "ids"));
    assert!(place.succeeds(&["verify", "model.safetensors.znn"]).contains("no checksums"));
}

#[test]
fn verify_names_damaged_tensors() {
    let (place, file) = place();
    let verified = place.succeeds(&["verify", "model.safetensors.znn"]);
    assert!(verified.contains("all checksums match"), "{verified}");
    let mut damaged = place.read("model.safetensors.znn");
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    place.write("model.safetensors.znn", &damaged);
    let message = place.fails(1, &["verify", "model.safetensors.znn"]);
    assert!(message.contains("in matrix"), "{message}");
    let output = place.run(&["cat", "model.safetensors.znn", "ids"]);
    assert!(output.stdout == tensor(&file, "ids"), "damage elsewhere");
    place.fails(1, &["cat", "model.safetensors.znn", "matrix", "-o", "matrix"]);
    assert!(!place.path("matrix").exists());
}

#[test]
fn a_wrong_base_writes_nothing() {
    let place = Place::new();
    let base = data::weights(DType::BF16, 100_000, 1);
    let mut tuned = base.clone();
    tuned[77] ^= 1;
    let mut wrong = base.clone();
    wrong[99_999] ^= 1;
    place.write("base", &base).write("tuned", &tuned).write("wrong", &wrong);
    place.succeeds(&["compress", "tuned", "--delta", "base"]);
    place.remove("tuned");
    let message = place.fails(1, &["decompress", "tuned.znn", "--delta", "wrong", "-o", "-"]);
    assert!(
        message.contains("the checksum of the base differs") && message.contains("--delta"),
        "{message}"
    );
    let message = place.fails(1, &["verify", "tuned.znn", "--delta", "wrong"]);
    assert!(
        message.contains("the checksum of the base differs") && !message.contains("damaged"),
        "{message}"
    );
    assert!(place.run(&["decompress", "tuned.znn", "--delta", "wrong", "-o", "-"]).stdout == b"");
    place.succeeds(&["decompress", "tuned.znn", "--delta", "base"]);
    assert!(place.read("tuned") == tuned);
}

#[test]
fn cat_never_overwrites_its_source() {
    let (place, _) = place();
    let file = "model.safetensors.znn";
    let before = place.read(file);
    let message = place.fails(2, &["cat", file, "matrix", "--force", "-o", file]);
    assert!(message.contains("read and written at the same time"), "{message}");
    assert!(place.read(file) == before);
}

#[test]
fn data_that_is_too_short_for_tensors_is_not_damaged() {
    let place = Place::new();
    for data in [&b""[..], b"a", b"{}", b"1234567", b"12345678", b"\0\0\0\0\0\0\0\0"] {
        place.write("short", data).succeeds(&["compress", "-f", "short"]);
        for arguments in [&["ls", "short.znn"][..], &["cat", "short.znn", "a", "-o", "out"]] {
            let said = place.fails(1, arguments);
            assert!(said.contains("neither a safetensors file"), "{data:?}: {said}");
            assert!(!said.contains("damaged"), "{data:?}: {said}");
        }
    }
}

/// Files for NumPy, of all types that NumPy knows.
#[test]
fn the_name_of_the_output_decides_about_npy() {
    let place = Place::new();
    let types = [
        ("BOOL", "|b1", 1),
        ("U8", "|u1", 1),
        ("I8", "|i1", 1),
        ("U16", "<u2", 2),
        ("I16", "<i2", 2),
        ("U32", "<u4", 4),
        ("I32", "<i4", 4),
        ("U64", "<u8", 8),
        ("I64", "<i8", 8),
        ("F16", "<f2", 2),
        ("F32", "<f4", 4),
        ("F64", "<f8", 8),
        ("C64", "<c8", 8),
        ("BF16", "|V2", 2),
        ("F8_E4M3", "|V1", 1),
        ("F8_E5M2", "|V1", 1),
    ];
    let bytes = |size: usize| (0..6 * size).map(|byte| byte as u8 % 2).collect::<Vec<u8>>();
    let tensors = types.map(|(dtype, _, size)| (dtype, dtype, &[2, 3][..], bytes(size)));
    let file = crate::tensor_files::file_of(&tensors);
    place.write("m.safetensors", &file).succeeds(&["compress", "m.safetensors"]);
    for (dtype, descr, size) in types {
        place.succeeds(&["cat", "m.safetensors.znn", dtype, "-o", "t.npy", "-f"]);
        let npy = place.read("t.npy");
        let header = String::from_utf8_lossy(&npy[10..128]);
        let expected = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 3), }}");
        assert!(header.starts_with(&expected), "{header}");
        assert_eq!(npy[128..], bytes(size));
        let piped = place.run(&["cat", "m.safetensors.znn", dtype]);
        assert_eq!(piped.stdout, bytes(size), "bare bytes");
    }
    let file = crate::tensor_files::file_of(&[("q", "F4", &[8][..], vec![0; 4])]);
    place.write("q.safetensors", &file).succeeds(&["compress", "q.safetensors"]);
    let said = place.fails(1, &["cat", "q.safetensors.znn", "q", "-o", "q.npy"]);
    assert!(said.contains("NumPy has no type for F4"), "{said}");
    assert!(!place.exists("q.npy"));
}
