//! New headers for files whose list of compressed tensors is missing.

use crate::tensor_files::*;

#[test]
fn a_repaired_header_lists_all_compressed_tensors() {
    for (case, file, original) in golden("reference_damaged") {
        let name = case["name"].as_str().unwrap();
        let damaged = open(&file).unwrap();
        let header = damaged.repaired_header(false).unwrap();
        let data = &file[damaged.metadata().data_start() as usize..];
        let repaired = [&header[..], data].concat();
        let mut reader = open(&repaired).unwrap();
        assert!(reader.is_compressed() && !reader.is_list_lost(), "{name}");
        assert_eq!(reader.list_problem().map(ToString::to_string), None, "{name}");
        let expected = tensors(&original);
        for number in 0..reader.tensors().len() {
            let tensor = reader.tensors()[number].clone();
            if tensor.is_compressed {
                let mut decoded = Vec::new();
                reader.read(number, &mut decoded).unwrap();
                let (dtype, shape, bytes) = &expected[&tensor.name];
                assert_eq!((&tensor.dtype, &tensor.shape), (dtype, shape), "{name}");
                assert!(decoded == *bytes, "{name}: {}", tensor.name);
            }
        }
    }
}

#[test]
fn a_sound_header_stays_the_same() {
    for (case, file, original) in golden("safetensors") {
        for file in [file, original] {
            let reader = open(&file).unwrap();
            assert!(reader.repaired_header(false).unwrap() == reader.header(), "{case}");
        }
    }
}
