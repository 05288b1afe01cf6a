//! The smallest files: matrices that are stored relative to the scales of rows and columns.

use std::cell::Cell;
use std::io::{self, Read, Write};

use data::Random;
use zipnn::frame::{EncodeScratch, Frame, Method};
use zipnn::io::{EncoderBuilder, ReadAt};
use zipnn::{
    Archive, DType, Decoder, Encoder, Limits, Options, Profile, compress, compress_into,
    compressed_len, decompress,
};

use crate::common::{data, golden, root};

fn max(dtype: DType) -> Options {
    Options::new(dtype).profile(Profile::Max)
}

fn methods(file: &[u8]) -> Vec<Method> {
    let frame = Frame::parse(file).unwrap();
    frame.index().chunks().flat_map(|chunk| chunk.methods().collect::<Vec<_>>()).collect()
}

/// Returns a number that is distributed nearly as a normal one.
fn normal(random: &mut Random) -> f32 {
    (0..6).map(|_| random.below(1 << 16) as f32 / 65536.0 - 0.5).sum::<f32>() * 1.4
}

/// Returns the bytes of a number of a type.
fn bytes_of(dtype: DType, number: f32) -> Vec<u8> {
    let half = half::f16::from_f32(number);
    match dtype {
        DType::F32 => number.to_le_bytes().to_vec(),
        DType::BF16 => half::bf16::from_f32(number).to_le_bytes().to_vec(),
        DType::F16 => half.to_le_bytes().to_vec(),
        DType::F8E5M2 => vec![(half.to_bits() >> 8) as u8],
        DType::F8E4M3 => {
            let bits = number.to_bits();
            let magnitude = (bits & 0x7fff_ffff).saturating_sub(120 << 23) >> 20;
            vec![(bits >> 31 << 7) as u8 | magnitude.min(0x7e) as u8]
        }
        _ => unreachable!("there are five types"),
    }
}

/// Returns a matrix whose rows and columns have scales of their own. If `similar` is set, rows
/// resemble the rows 7 before them.
fn matrix(dtype: DType, rows: usize, columns: usize, similar: bool) -> Vec<u8> {
    let mut random = Random((rows * columns) as u64);
    let scales: Vec<f32> = (0..columns).map(|_| (2.0 * normal(&mut random)).exp2() * 0.1).collect();
    let mut before: Vec<Vec<f32>> = Vec::new();
    let mut bytes = Vec::new();
    for number in 0..rows {
        let scale = normal(&mut random).exp2();
        let mut row: Vec<f32> = (0..columns).map(|_| normal(&mut random)).collect();
        if similar && number >= 7 {
            let sign = if number % 3 == 0 { -1.0 } else { 1.0 };
            let other = &before[number - 7];
            row.iter_mut().zip(other).for_each(|(x, y)| *x = 0.4 * *x + sign * 0.9 * y);
        }
        for (x, column) in row.iter().zip(&scales) {
            bytes.extend(bytes_of(dtype, x * column * scale));
        }
        before.push(row);
    }
    bytes
}

/// Changes some elements to special values.
fn add_special_values(dtype: DType, data: &mut [u8]) {
    let size = dtype.size();
    let mut random = Random(5);
    for element in data.chunks_exact_mut(size) {
        match random.below(40) {
            0 => element.fill(0),
            1 => element.fill(0xff),
            2 => element.copy_from_slice(&bytes_of(dtype, f32::INFINITY)),
            3 => element.iter_mut().for_each(|byte| *byte = random.next() as u8),
            _ => {}
        }
    }
}

#[test]
fn matrices_of_all_types_and_sizes_are_restored() {
    for dtype in DType::ALL {
        let size = dtype.size();
        for (rows, columns, similar, rest) in [
            (300, 64, false, 0),
            (300, 64, true, 1),
            (70, 1040, true, 0),
            (90, 200, true, 7),
            (20_000, 8, false, 3),
            (1, 9000, false, 0),
            (500, 96, true, 5),
        ] {
            let mut data = matrix(dtype, rows, columns, similar);
            data.extend((0..rest).map(|byte| byte as u8 + 1));
            // A frame may begin inside a row.
            for start in [0, 32 * size * (columns / 64), 8 * size, 24] {
                let data = &data[start.min(data.len())..];
                let file = compress(data, &max(dtype)).unwrap();
                let name = format!("{dtype} {rows} x {columns} from {start}");
                assert!(decompress(&file, &Limits::default()).unwrap() == data, "{name}");
                let len = compressed_len(data, &max(dtype), &mut EncodeScratch::new()).unwrap();
                assert_eq!(len, file.len(), "{name}");
                #[cfg(feature = "rayon")]
                assert!(
                    zipnn::parallel::par_compress(data, &max(dtype)).unwrap() == file,
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn special_values_are_restored() {
    for dtype in DType::ALL {
        for similar in [false, true] {
            let mut data = matrix(dtype, 400, 128, similar);
            add_special_values(dtype, &mut data);
            let file = compress(&data, &max(dtype)).unwrap();
            assert!(decompress(&file, &Limits::default()).unwrap() == data, "{dtype}");
        }
    }
}

#[test]
fn files_are_never_larger_than_of_other_profiles() {
    let contents = |dtype: DType| {
        let mut special = matrix(dtype, 300, 64, false);
        add_special_values(dtype, &mut special);
        vec![
            matrix(dtype, 300, 64, false),
            matrix(dtype, 300, 64, true),
            special,
            data::weights(dtype, 50_000, 3),
            data::noise(50_000, 1),
            vec![0; 50_000],
            (0..50_000).map(|at| (at / 100) as u8).collect(),
            b"text, which is not numbers".repeat(1000),
            Vec::new(),
        ]
    };
    for dtype in DType::ALL {
        for (number, data) in contents(dtype).into_iter().enumerate() {
            let file = compress(&data, &max(dtype)).unwrap();
            assert!(decompress(&file, &Limits::default()).unwrap() == data);
            for profile in [Profile::Original, Profile::Extended] {
                let other = compress(&data, &Options::new(dtype).profile(profile)).unwrap();
                assert!(file.len() <= other.len(), "{dtype}, {number}: {profile:?}");
            }
        }
    }
}

/// A sample of long data decides only which frame is written first.
#[test]
fn a_sample_does_not_change_the_result() {
    let mut random = Random(9);
    let mut element = |at: usize| match at % (1 << 15) {
        ..2048 => 0.0,
        _ => normal(&mut random) * (at as f32 % 128.0 / 8.0).exp2(),
    };
    let data: Vec<u8> = (0..1 << 20).flat_map(|at| bytes_of(DType::BF16, element(at))).collect();
    let mut scratch = EncodeScratch::new();
    for chunk_log2 in [18, 11, 5] {
        let options = max(DType::BF16).chunk_log2(chunk_log2);
        let file = compress(&data, &options).unwrap();
        assert!(methods(&file).contains(&Method::Scales), "{chunk_log2}");
        assert!(decompress(&file, &Limits::default()).unwrap() == data, "{chunk_log2}");
        assert_eq!(compressed_len(&data, &options, &mut scratch), Ok(file.len()));
        let mut exact = vec![0; file.len()];
        let len = compress_into(&data, &mut exact, &options, &mut scratch);
        assert_eq!(len, Ok(file.len()), "{chunk_log2}");
        assert!(exact == file, "{chunk_log2}");
    }
}

#[test]
fn matrices_become_smaller() {
    for dtype in DType::ALL {
        let len = |data: &[u8], profile| {
            compress(data, &Options::new(dtype).profile(profile)).unwrap().len()
        };
        let data = matrix(dtype, 1000, 128, false);
        let plain = len(&data, Profile::Max);
        assert!(plain < len(&data, Profile::Extended) * 97 / 100, "{dtype}");
        let file = compress(&data, &max(dtype)).unwrap();
        assert!(methods(&file).iter().all(|&method| method == Method::Scales), "{dtype}");
        if dtype.size() > 1 {
            let data = matrix(dtype, 1000, 128, true);
            assert!(len(&data, Profile::Max) < plain - data.len() / 100, "{dtype}: references");
        }
    }
}

#[test]
fn files_are_as_specified() {
    let cases = golden::cases_in(&root().join("tests/data/max"));
    assert_eq!(cases.len(), 7);
    for case in cases {
        let dtype =
            DType::ALL.into_iter().find(|dtype| case.text("dtype") == Some(dtype.name())).unwrap();
        let (file, original) = (case.file(), case.original());
        assert!(methods(&file).contains(&Method::Scales), "{}", case.name());
        assert!(decompress(&file, &Limits::default()).unwrap() == original, "{}", case.name());
        let written = compress(&original, &max(dtype)).unwrap();
        assert!(written == file, "{}: other bytes are written", case.name());
    }
}

#[test]
fn streams_and_archives_hold_units() {
    let data = matrix(DType::BF16, 25_000, 128, false);
    let mut encoder = Encoder::new(Vec::new(), max(DType::BF16)).unwrap();
    encoder.write_all(&data).unwrap();
    let file = encoder.finish().unwrap();
    let mut decoded = Vec::new();
    Decoder::new(&file[..], Limits::default()).unwrap().read_to_end(&mut decoded).unwrap();
    assert!(decoded == data);
    let builder = EncoderBuilder::new(Options::auto().profile(Profile::Max)).frame_len(300_000);
    let mut encoder = builder.build(Vec::new()).unwrap();
    encoder.write_all(&data).unwrap();
    let short = encoder.finish().unwrap();
    for file in [&file, &short] {
        let archive = Archive::open(&file[..], Limits::default()).unwrap();
        for range in [0..10, 4_194_200..4_194_400, 300_001..700_000] {
            let mut part = vec![0; (range.end - range.start) as usize];
            archive.read_into(range.start, &mut part).unwrap();
            assert!(part == data[range.start as usize..range.end as usize]);
        }
    }
}

/// A file that counts the bytes that are read.
struct Counted<'f>(&'f [u8], Cell<u64>);

impl ReadAt for Counted<'_> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = self.0.read_at(buf, offset)?;
        self.1.set(self.1.get() + len as u64);
        Ok(len)
    }
}

#[test]
fn one_matrix_is_read_without_its_neighbours() {
    let len = 384 * 384 * 2;
    let data = matrix(DType::BF16, 384 * 12, 384, false);
    let builder = EncoderBuilder::new(max(DType::BF16)).frame_len(len);
    let mut encoder = builder.build(Vec::new()).unwrap();
    encoder.write_all(&data).unwrap();
    let file = encoder.finish().unwrap();
    let compressed = file.len() / 12;
    let archive = Archive::open(Counted(&file, Cell::new(0)), Limits::default()).unwrap();
    let mut part = vec![0; len];
    archive.read_into(5 * len as u64, &mut part).unwrap();
    assert!(part == data[5 * len..6 * len]);
    let read = archive.get_ref().1.get() as usize;
    assert!(read < 2 * compressed + (256 << 10), "{read} bytes of {compressed}");
}

#[test]
fn damage_is_detected_and_never_panics() {
    for (dtype, similar) in [(DType::BF16, true), (DType::F8E4M3, false), (DType::F32, false)] {
        let mut data = matrix(dtype, 100, 96, similar);
        data.push(7);
        let file = compress(&data, &max(dtype)).unwrap();
        let unverified = compress(&data, &max(dtype).plain()).unwrap();
        assert!(methods(&file).contains(&Method::Scales), "{dtype}");
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1 << (at % 8);
            let decoded = decompress(&bad, &Limits::default());
            assert!(decoded.is_err() || decoded.unwrap() == data, "{dtype} {at}");
        }
        for at in 0..unverified.len() {
            let mut bad = unverified.clone();
            bad[at] = [0, 1, 0x7f, 0xff][at % 4];
            let _ = decompress(&bad, &Limits::default());
            if at % 8 == 0 {
                assert!(decompress(&unverified[..at], &Limits::default()).is_err());
            }
        }
    }
}

#[test]
fn models_shrink() {
    for (name, most) in [
        ("minilm-part.bf16", 0.652),
        ("wordllama-part.f16", 0.842),
        ("minilm-part.f8e4m3", 0.75),
        ("minilm-part.f32", 0.79),
    ] {
        let path = format!("models/{name}.safetensors");
        let Some(path) = crate::common::skipped::shared(&path) else { return };
        let model = std::fs::read(path).unwrap();
        let metadata = zipnn::tensor::Metadata::parse(&model, model.len() as u64).unwrap();
        let mut compressed = 0;
        for frame in zipnn::tensor::plan(&metadata, Options::DEFAULT_FRAME_LEN as u64) {
            let range = frame.range.start as usize..frame.range.end as usize;
            let options = match frame.layout {
                Some(layout) => Options::bytes().layout(layout),
                None => Options::auto(),
            };
            let file = compress(&model[range.clone()], &options.profile(Profile::Max)).unwrap();
            assert!(decompress(&file, &Limits::default()).unwrap() == model[range]);
            compressed += file.len();
        }
        let ratio = compressed as f64 / model.len() as f64;
        println!("{name}: {:.2} %", ratio * 100.0);
        assert!(ratio <= most, "{name}: {ratio}");
    }
}

/// Writes the files of `tests/data/max` again.
#[test]
#[ignore = "writes files of the repository"]
fn write_files() {
    let folder = root().join("tests/data/max");
    std::fs::create_dir_all(&folder).unwrap();
    let mut cases = Vec::new();
    let kinds = DType::ALL.map(|dtype| (dtype, dtype.name(), 140, false));
    // The first one is long enough for the tables of all contexts. The other one has tables of its
    // own, because its elements are not normally distributed.
    let similar = [(DType::BF16, "references", 850, true), (DType::BF16, "tables", 140, true)];
    for (dtype, name, rows, similar) in kinds.into_iter().chain(similar) {
        let mut data = matrix(dtype, rows, 64, similar);
        if name == "tables" {
            data.iter_mut().step_by(2).for_each(|byte| *byte &= 0x9f);
        }
        data[1000..1010].fill(0);
        data.push(3);
        std::fs::write(folder.join(format!("{name}.data")), &data).unwrap();
        std::fs::write(folder.join(format!("{name}.znn")), compress(&data, &max(dtype)).unwrap())
            .unwrap();
        let len = data.len();
        cases.push(format!(
            r#"    {{"file": "{name}.znn", "original": "{name}.data", "original_len": {len}, "dtype": "{}"}}"#,
            dtype.name()
        ));
    }
    let manifest =
        format!("{{\n  \"cases\": [\n{}\n  ],\n  \"synthetic\": []\n}}\n", cases.join(",\n"));
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
}

/// Every chunk that is long enough to be encoded is restored, whatever it contains.
#[test]
fn codes_of_chunks_are_restored_at_any_length() {
    for dtype in DType::ALL {
        for len in (8192..8300).chain([9001, 12_345, 16_385, 70_001]) {
            for data in [data::noise(len, 5), data::weights(dtype, len, 3)[..len].to_vec()] {
                let code = zipnn::kernels::encode_scales(dtype, &data);
                let mut decoded = vec![0; len];
                assert!(zipnn::kernels::decode_scales(&code, &mut decoded), "{dtype}, {len}");
                assert!(decoded == data, "{dtype}, {len}");
            }
        }
    }
}
