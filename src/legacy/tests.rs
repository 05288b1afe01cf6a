//! Decodes small files of old releases of the original, both intact and damaged.

use std::vec::Vec;
use std::{format, vec};

use crate::chunk::decode::DecodeScratch;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::legacy::{Summary, summary};
use crate::limits::Limits;
use crate::oneshot::decompress_into;
use crate::{decompress, delta};

/// Release 0.1.1: 5,000 zeros.
const FIRST_ZSTD: &str = "5a4e000101000200000000000000000001010101130000000000000013000000000000001300000000000000\
     130000000000000028b52ffd60e2034d00001000000100ddfc000b28b52ffd60e2034d00001000000100ddfc\
     000b28b52ffd60e2034d00001000000100ddfc000b28b52ffd60e2034d00001000000100ddfc000b";
/// Release 0.1.1: 13 bytes, not compressed.
const FIRST_RAW: &str = "5a4e000101000200000000000000000000000000040000000000000003000000000000000300000000000000\
     0300000000000000b3c5a06ba7be23240b93bd3dbc";
/// Release 0.2.3: 400 zeros as float32.
const FLOATS_LZ4: &str = "5a4e000203dc0103010000000000120101010101220000000000000022000000000000002200000000000000\
     220000000000000004224d1868406400000000000000230b0000001f0001004b500000000000000000000422\
     4d1868406400000000000000230b0000001f0001004b5000000000000000000004224d186840640000000000\
     0000230b0000001f0001004b5000000000000000000004224d1868406400000000000000230b0000001f0001\
     004b50000000000000000000";
/// Release 0.2.3: 400 zeros as float32.
const FLOATS_SNAPPY: &str = "5a4e000203dc0104010000000000120101010101090000000000000009000000000000000900000000000000\
     0900000000000000640000fe01008a0100640000fe01008a0100640000fe01008a0100640000fe01008a0100";
/// Release 0.2.3: nine bytes as bfloat16.
const HALVES_ODD: &str = "5a4e0002030a0100010000000000120601010900000000000000040000000000000004000000000000000100\
     000000000000040000000000000004000000000000002bcb8ad979787a75";
/// Release 0.2.3: random bytes as bfloat16, cut after the fourth element.
const HALVES_PLAIN: &str = "5a4e0002030a010001000000000012060000b86866a5649ba7e5";
/// Release 0.2.3: integers of two bytes.
const INTEGERS_2: &str = "5a4e000203090000030000000000120f010104000800000000000000e76ef577feb0c3de";
/// Release 0.2.3: integers of four bytes.
const INTEGERS_4: &str =
    "5a4e000203ff0000030000000000120f010103000c000000000000006825d170e21c077a50c40bb4";
/// Release 0.2.4: 20,000 zeros as bfloat16.
const HALVES_REPEAT: &str = "5a4e0002040a01000100000000001206480000000101204e0000000000000100000000000000010000000000\
     00000100000000000000010000000000000001000000000000000000";
/// Release 0.3.0: 20,000 zeros as float32.
const FLOATS_ZSTD: &str = "5a4e000300dc0100010000000000120100000000000000009000000000000000010101011300000000000000\
     13000000000000001300000000000000130000000000000028b52ffd6088124d0000100000010083d3032c28\
     b52ffd6088124d0000100000010083d3032c28b52ffd6088124d0000100000010083d3032c28b52ffd608812\
     4d0000100000010083d3032c";
/// Release 0.3.1: two bytes as bfloat16, in today's layout.
const CHUNKS_EVEN: &str = "5a4e0003010a0100010000000000120602000000000000003400000000000000000001000000000000000100\
     000000000000ab3c";
/// Release 0.3.1: 33 bytes as bfloat16 in chunks of 16, the last of which is empty.
const CHUNKS_ODD: &str = "5a4e0003010a0100010000000000040621000000000000007600000000000000000000000000080000000000\
     0000100000000000000010000000000000000800000000000000100000000000000010000000000000002bcb\
     8ad9600a1f1af16c8c68bf819e1979787a75787a767878787779767a7979";

/// Returns the files and their decoded data.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let bfloat16 = "ab3c4bbc0abdd9ba603c0a3d1f3b1a3c71bc6c3c8cbbe83c3fbb01bd9ebc993c";
    vec![
        (FIRST_ZSTD, vec![0; 5000]),
        (FIRST_RAW, hex("b3a724bdc5be0b3da02393bc6b")),
        (FLOATS_LZ4, vec![0; 400]),
        (FLOATS_SNAPPY, vec![0; 400]),
        (HALVES_ODD, hex(&bfloat16[..16])),
        (HALVES_PLAIN, hex("38b4e652e44da7f2")),
        (INTEGERS_2, hex("e76e0000f5770000feb00000c3de0000")),
        (INTEGERS_4, hex("6825d170e21c077a50c40bb4")),
        (HALVES_REPEAT, vec![0; 20_000]),
        (FLOATS_ZSTD, vec![0; 20_000]),
        (CHUNKS_ODD, hex(bfloat16)),
    ]
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().as_chunks::<2>().0;
    let byte =
        |digits: &[u8; 2]| u8::from_str_radix(core::str::from_utf8(digits).unwrap(), 16).unwrap();
    digits.iter().map(byte).collect()
}

fn read(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    decompress(file, &Limits::default())
}

fn kind<T: core::fmt::Debug>(result: Result<T, DecodeError>) -> DecodeErrorKind {
    result.unwrap_err().kind()
}

fn describe(file: &[u8]) -> Summary {
    summary(file, &Limits::default()).unwrap()
}

#[test]
fn files_of_all_kinds_decode() {
    for (file, expected) in samples() {
        let file = hex(file);
        assert_eq!(read(&file).unwrap(), expected, "{file:?}");
        assert_eq!(describe(&file).decoded_len, expected.len() as u64);
        let mut dst = vec![1; expected.len() + 1];
        let (limits, mut scratch) = (Limits::default(), DecodeScratch::new());
        let len = decompress_into(&file, &mut dst, &limits, &mut scratch).unwrap();
        assert_eq!(dst[..len], expected);
    }
}

#[test]
fn truncated_files_are_rejected() {
    for (file, _) in samples() {
        if file == HALVES_PLAIN {
            // This file does not contain the length of its data.
            continue;
        }
        let file = hex(file);
        for len in 0..file.len() {
            assert!(read(&file[..len]).is_err(), "{len} bytes of {file:?}");
        }
    }
}

#[test]
fn mutated_files_never_panic() {
    for (file, _) in samples() {
        let file = hex(file);
        for at in 0..file.len() {
            let mut file = file.clone();
            for change in 1..=u8::MAX {
                file[at] ^= change;
                let _ = read(&file);
                file[at] ^= change;
            }
        }
    }
}

#[test]
fn frames_follow_each_other() {
    let file = hex(&format!("{HALVES_REPEAT}{HALVES_REPEAT}"));
    assert_eq!(read(&file).unwrap(), vec![0; 40_000]);
    assert_eq!(describe(&file).frames, 2);

    let mut file = hex(&format!("{FLOATS_ZSTD}{FLOATS_ZSTD}"));
    assert_eq!(read(&file).unwrap(), vec![0; 20_000], "frames that are not announced are ignored");
    file[13] = 128 + 14;
    assert_eq!(read(&file).unwrap(), vec![0; 40_000]);
    let limits = Limits::default().decoded_bytes(39_999);
    assert!(matches!(kind(decompress(&file, &limits)), DecodeErrorKind::LimitExceeded { .. }));
    file.pop();
    let error = read(&file).unwrap_err();
    assert_eq!(error.location().frame, Some(1));
    assert!(matches!(error.kind(), DecodeErrorKind::Truncated { .. }));
}

#[test]
fn an_odd_frame_behind_an_even_one_is_found() {
    let mut file = hex(&format!("{CHUNKS_EVEN}{CHUNKS_ODD}"));
    assert_eq!(read(&file).unwrap().len(), 2);
    file[13] = 128 + 4;
    assert_eq!(read(&file).unwrap().len(), 2 + 32);
    let summary = describe(&file);
    assert_eq!((summary.frames, summary.lost), (2, 1));
    assert_eq!((summary.version, summary.dtype), ([0, 3, 1], "bfloat16"));
}

#[test]
fn differences_need_their_base() {
    let mut file = hex(FLOATS_ZSTD);
    let base = vec![7; 20_000];
    assert_eq!(
        kind(delta::decompress(&file, &base, &Limits::default())),
        DecodeErrorKind::NotADelta
    );
    file[9] = 1;
    assert_eq!(kind(read(&file)), DecodeErrorKind::BaseRequired);
    assert!(describe(&file).delta);
    assert_eq!(delta::decompress(&file, &base, &Limits::default()).unwrap(), base);
    assert_eq!(
        kind(delta::decompress(&file, &base[1..], &Limits::default())),
        DecodeErrorKind::BaseLength { expected: 20_000, found: 19_999 }
    );
}

#[test]
fn limits_hold() {
    for (file, decoded) in samples() {
        let file = hex(file);
        let most = decoded.len() as u64 - 1;
        let limits = Limits::default().decoded_bytes(most);
        let kind_of_excess = kind(decompress(&file, &limits));
        assert!(
            matches!(kind_of_excess, DecodeErrorKind::LimitExceeded { limit, .. } if limit == most),
            "{kind_of_excess:?} for {file:?}"
        );
        let limits = Limits::default().expansion(0);
        assert!(matches!(kind(decompress(&file, &limits)), DecodeErrorKind::LimitExceeded { .. }));
        let mut dst = vec![0; decoded.len() - 1];
        let scratch = &mut DecodeScratch::new();
        let result = decompress_into(&file, &mut dst, &Limits::default(), scratch);
        assert!(matches!(kind(result), DecodeErrorKind::OutputTooSmall { .. }));
    }
}

/// Returns a file of release 0.1.1 that is compressed as a whole.
fn blob(codec: u8, content: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 16];
    file[..5].copy_from_slice(&[b'Z', b'N', 0, 1, codec]);
    file.extend_from_slice(content);
    file
}

#[test]
fn cut_inputs_that_are_compressed_as_a_whole_are_rejected() {
    let zstd = &hex(FIRST_ZSTD)[16 + 4 + 32..][..19];
    let lz4 = &hex(FLOATS_LZ4)[16 + 4 + 32..][..34];
    let snappy = &hex(FLOATS_SNAPPY)[16 + 4 + 32..][..9];
    for (codec, content, len) in [(1, zstd, 1250), (2, lz4, 100), (3, snappy, 100)] {
        assert_eq!(read(&blob(codec, content)).unwrap(), vec![0; len]);
        for cut in 0..content.len() {
            assert!(read(&blob(codec, &content[..cut])).is_err(), "{cut} bytes, codec {codec}");
        }
        let longer = [content, &[0]].concat();
        assert_eq!(kind(read(&blob(codec, &longer))), DecodeErrorKind::CorruptStream);
    }
}

#[test]
fn unknown_codes_are_named() {
    let changed = |file: &str, at: usize, code: u8| {
        let mut file = hex(file);
        file[at] = code;
        kind(read(&file))
    };
    assert_eq!(changed(FIRST_ZSTD, 4, 9), DecodeErrorKind::UnsupportedMethod(9));
    assert_eq!(changed(FIRST_ZSTD, 6, 1), DecodeErrorKind::UnsupportedByteGroup(1));
    assert_eq!(changed(FLOATS_LZ4, 7, 2), DecodeErrorKind::UnsupportedMethod(2));
    assert_eq!(changed(FLOATS_LZ4, 15, 3), DecodeErrorKind::UnsupportedDType(3));
    assert_eq!(changed(FLOATS_LZ4, 8, 4), DecodeErrorKind::UnsupportedForm(4));
    assert_eq!(changed(FLOATS_ZSTD, 7, 1), DecodeErrorKind::UnsupportedMethod(1));
    assert_eq!(changed(INTEGERS_2, 5, 10), DecodeErrorKind::UnsupportedByteGroup(10));
}
