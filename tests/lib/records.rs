//! Records of quantised tensors, which the extended profile splits into their fields.

use zipnn::frame::{Frame, Method, Record};
use zipnn::parallel::par_compress;
use zipnn::{Limits, Options, Profile, compress, compressed_len, decompress};

use crate::common::golden;

const NAMES: [&str; 8] = ["Q4_0", "Q4_1", "Q5_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "MXFP4"];

/// Returns records with low entropy in every field, and `rest` more bytes.
fn data(record: Record, count: usize, rest: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..count * record.len() + rest)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let spread = at % record.len() % 3 + 2;
            (0..spread)
                .fold(0, |sum: u8, shift| sum.wrapping_add((state >> (8 * shift)) as u8 & 15))
        })
        .collect()
}

fn options(record: Record) -> Options {
    Options::bytes().record(record).profile(Profile::Extended)
}

fn methods(file: &[u8]) -> Vec<Method> {
    let frame = Frame::parse(file).unwrap();
    frame.index().chunks().flat_map(|chunk| chunk.methods().collect::<Vec<_>>()).collect()
}

#[test]
fn records_of_all_types_and_lengths_are_restored() {
    for name in NAMES {
        let record = Record::from_name(name).unwrap();
        for (count, rest) in [(0, 1), (1, 0), (2, record.len() - 1), (60, 5), (20_000, 3)] {
            let data = data(record, count, rest);
            for options in
                [options(record), options(record).chunk_log2(11), options(record).plain()]
            {
                let file = compress(&data, &options).unwrap();
                assert!(decompress(&file, &Limits::default()).unwrap() == data, "{name} {count}");
                assert_eq!(file, par_compress(&data, &options).unwrap(), "{name} {count}");
                let mut scratch = zipnn::frame::EncodeScratch::new();
                let len = compressed_len(&data, &options, &mut scratch).unwrap();
                assert_eq!(len, file.len(), "{name} {count}");
            }
        }
    }
}

#[test]
fn files_are_as_specified() {
    let folder = crate::common::root().join("tests/data/records");
    let cases = golden::cases_in(&folder);
    assert_eq!(cases.len(), 3);
    for case in cases {
        let record = Record::from_name(case.text("dtype").unwrap()).unwrap();
        let (file, original) = (case.file(), case.original());
        assert!(methods(&file).contains(&Method::Records), "{}", case.name());
        assert!(decompress(&file, &Limits::default()).unwrap() == original, "{}", case.name());
        let written = compress(&original, &options(record)).unwrap();
        assert!(written == file, "{}: other bytes are written", case.name());
    }
}

#[test]
fn records_are_split_only_where_that_is_smaller() {
    let record = Record::from_name("Q8_0").unwrap();
    let data = data(record, 10_000, 0);
    let file = compress(&data, &options(record)).unwrap();
    assert!(methods(&file).iter().all(|&method| method == Method::Records));
    let bytes = Options::bytes().profile(Profile::Extended);
    assert!(file.len() < compress(&data, &bytes).unwrap().len());
    let noise = crate::common::data::noise(data.len(), 3);
    let file = compress(&noise, &options(record)).unwrap();
    assert!(methods(&file).iter().all(|&method| method == Method::Raw));
    // Other profiles do not split records.
    let original = Options::bytes().record(record);
    assert_eq!(compress(&data, &original), compress(&data, &Options::bytes()));
}

#[test]
fn damage_is_detected_and_never_panics() {
    let record = Record::from_name("Q5_0").unwrap();
    let data = data(record, 400, 7);
    let file = compress(&data, &options(record)).unwrap();
    let unverified = compress(&data, &options(record).plain()).unwrap();
    assert!(methods(&file).contains(&Method::Records));
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut bad = file.clone();
            bad[at] ^= 1 << bit;
            let decoded = decompress(&bad, &Limits::default());
            assert!(decoded.is_err() || decoded.unwrap() == data, "{at} {bit}");
        }
    }
    for at in 0..unverified.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bad = unverified.clone();
            bad[at] = value;
            let _ = decompress(&bad, &Limits::default());
        }
        assert!(decompress(&unverified[..at], &Limits::default()).is_err());
    }
}

#[test]
fn quantised_models_shrink() {
    for (name, most) in [("q8_0", 0.945), ("q4_0", 0.92), ("q5_0", 0.93)] {
        let path = format!("models/minilm-part.{name}.gguf");
        let Some(path) = crate::common::skipped::shared(&path) else { return };
        let model = std::fs::read(path).unwrap();
        let metadata = zipnn::tensor::Metadata::parse(&model, model.len() as u64).unwrap();
        let mut compressed = 0;
        for frame in zipnn::tensor::plan(&metadata, Options::DEFAULT_FRAME_LEN as u64) {
            let range = frame.range.start as usize..frame.range.end as usize;
            let options = match (frame.record, frame.layout) {
                (Some(record), _) => options(record),
                (None, Some(layout)) => Options::bytes().layout(layout),
                (None, None) => Options::auto(),
            };
            let options = options.profile(Profile::Extended);
            let file = compress(&model[range.clone()], &options).unwrap();
            assert!(decompress(&file, &Limits::default()).unwrap() == model[range]);
            compressed += file.len();
        }
        let ratio = compressed as f64 / model.len() as f64;
        println!("{name}: {:.2} %", ratio * 100.0);
        assert!(ratio <= most, "{name}: {ratio}");
    }
}
