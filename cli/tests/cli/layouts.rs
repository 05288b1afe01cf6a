//! Compressing safetensors files from disk and pipes, with any header and number of threads.

use data::{Random, noise, weights};
use program::{Place, text};
use zipnn::DType;

use crate::common::data;
use crate::program;
use crate::tensor_files::file;

/// Norms in between matrices, and a tensor of more than a frame.
fn model() -> Vec<u8> {
    let parts = [
        ("I64", 8, (0..500_u64).flat_map(u64::to_le_bytes).collect::<Vec<_>>()),
        ("BF16", 2, weights(DType::BF16, 600_002, 1)),
        ("F32", 4, weights(DType::F32, 30_000, 2)),
        ("BF16", 2, weights(DType::BF16, 5_000_000, 3)),
        ("U8", 1, weights(DType::F32, 400_000, 4)),
    ];
    let (mut members, mut bytes) = (Vec::new(), Vec::new());
    for (number, (dtype, size, part)) in parts.into_iter().enumerate() {
        let (start, count) = (bytes.len(), part.len() / size);
        bytes.extend(part);
        let end = bytes.len();
        members.push(format!(
            r#""{number}":{{"dtype":"{dtype}","shape":[{count}],"data_offsets":[{start},{end}]}}"#
        ));
    }
    file(&format!("{{{}}}", members.join(",")), &bytes)
}

fn comes_back(place: &Place, data: &[u8]) -> Vec<u8> {
    place.write("in", data).succeeds(&["compress", "in", "--force", "-o", "out.znn"]);
    place.succeeds(&["verify", "--quiet", "out.znn"]);
    place.succeeds(&["decompress", "--force", "out.znn", "-o", "again"]);
    assert!(place.read("again") == data);
    place.read("out.znn")
}

#[test]
fn results_are_the_same_for_pipes_and_threads() {
    let place = Place::new();
    for data in [model(), [&noise(3, 1)[..], &weights(DType::F32, 9_000_000, 5)].concat()] {
        let file = comes_back(&place, &data);
        for threads in ["1", "4"] {
            let arguments = ["compress", "-", "--threads", threads];
            let piped = place.run_with_input(&arguments, &data);
            assert!(piped.status.success(), "{}", text(&piped.stderr));
            assert!(piped.stdout == file);
        }
    }
}

#[test]
fn restores_files_with_wrong_headers() {
    let place = Place::new();
    let model = model();
    let good = comes_back(&place, &model).len();
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{offsets}]}}}}"#)
    };
    let data = weights(DType::BF16, 300_000, 6);
    let mut files = vec![
        model[..9].to_vec(),
        model[..100].to_vec(),
        // All but the end, more than the end, and two in a row.
        model[..model.len() - 70_001].to_vec(),
        [&model[..], &data].concat(),
        model.repeat(2),
        file("{}", &data),
        file("", &data),
        file("{", &data),
        file(&"{\"a\":".repeat(10_000), &data),
        file(&tensor("BF16", "150000", "0,299999"), &data),
        file(&tensor("BF16", "150000", "1,300001"), &data),
        file(&tensor("BF16", "18446744073709551615,2", "0,300000"), &data),
        file(&tensor("X", "1", "0,18446744073709551000"), &data),
        [&u64::MAX.to_le_bytes()[..], b"{}", &data].concat(),
        [&99_999_999_u64.to_le_bytes()[..], b"{}", &data].concat(),
        [&0_u64.to_le_bytes()[..], b"{}", &data].concat(),
    ];
    let mut random = Random(8);
    for _ in 0..20 {
        let mut damaged = model[..400_000].to_vec();
        damaged[random.below(400)] = random.next() as u8;
        files.push(damaged);
    }
    for (number, file) in files.iter().enumerate().step_by(program::CASE_STEP) {
        let compressed = comes_back(&place, file);
        assert!(compressed.len() < file.len() * 98 / 100 + 900, "{number}");
        let piped = place.run_with_input(&["compress", "-"], file);
        assert!(piped.stdout == compressed, "{number}: {}", text(&piped.stderr));
    }
    assert!(good < model.len() * 7 / 10);
}

#[test]
fn restores_differences_of_safetensors_files() {
    let place = Place::new();
    let base = model();
    let mut tuned = base.clone();
    let mut random = Random(9);
    for _ in 0..100_000 {
        let at = 1000 + random.below(tuned.len() - 1000);
        tuned[at] ^= 1 << random.below(3);
    }
    place.write("base", &base).write("tuned", &tuned);
    place.succeeds(&["compress", "--delta", "base", "tuned"]);
    let size = place.read("tuned.znn").len();
    assert!(size < tuned.len() / 4, "{size}");
    place.succeeds(&["verify", "--quiet", "--delta", "base", "tuned.znn"]);
    place.succeeds(&["decompress", "--delta", "base", "tuned.znn", "-o", "again"]);
    assert!(place.read("again") == tuned);
}
