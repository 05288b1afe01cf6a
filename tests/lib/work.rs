//! Decoding takes time in proportion to the bytes of input and output, whatever they contain.
//!
//! `tests/work.sh` runs this program to count instructions for the files that take the most work.

use zipnn::{DType, Limits, Options};

use crate::common::data;

/// Returns a file of a kind that takes much work.
fn file(kind: &str) -> Vec<u8> {
    const LEN: usize = 1 << 16;
    let compress = |data: &[u8], dtype, chunk_log2| {
        zipnn::compress(data, &Options::new(dtype).plain().chunk_log2(chunk_log2)).unwrap()
    };
    match kind {
        "weights" => compress(&data::weights(DType::BF16, LEN, 1), DType::BF16, 18),
        // Every few symbols need a new table.
        "tables" => {
            let symbols = data::noise(LEN, 2).iter().map(|byte| byte % 2).collect::<Vec<_>>();
            let file = compress(&symbols, DType::F8E4M3, 5);
            assert!(file.len() < LEN, "not coded");
            file
        }
        // Codes of many lengths, in the longest descriptions.
        "trees" => {
            let data = data::with_counts(&data::geometric(200, 60, 0.98), 3);
            compress(&data.repeat(20), DType::F8E4M3, 12)
        }
        "repeats" => compress(&vec![7; 64 * LEN], DType::BF16, 18),
        "index" => compress(&vec![7; LEN], DType::F32, 2),
        "raw" => compress(&data::noise(LEN, 4), DType::F32, 3),
        // A damaged stream returns nothing, after much of it is decoded.
        "damaged" => {
            let mut file = file("weights");
            *file.last_mut().unwrap() = 0;
            file
        }
        _ => panic!("no such kind: {kind}"),
    }
}

#[test]
fn files_of_every_kind_are_as_intended() {
    for kind in ["weights", "tables", "trees", "repeats", "index", "raw", "damaged"] {
        let decoded = zipnn::decompress(&file(kind), &Limits::default());
        assert_eq!(decoded.is_ok(), kind != "damaged", "{kind}");
    }
}

#[test]
#[ignore = "tests/work.sh counts what it does"]
fn decodes_repeatedly() {
    let file = file(&std::env::var("KIND").unwrap());
    let times: usize = std::env::var("TIMES").unwrap().parse().unwrap();
    let limits = Limits::default();
    for _ in 0..times {
        let _ = std::hint::black_box(zipnn::decompress(&file, &limits));
    }
    let bytes = file.len() as u64 + zipnn::decoded_len(&file, &limits).unwrap();
    println!("\nbytes {bytes}");
}
