//! Whole files decode as on the processor.

use std::fs;

use zipnn::io::ReadAt;
use zipnn::{Archive, Limits, Options, Profile, delta};
use zipnn_gpu::GpuError;

use crate::common::{golden, root, skipped};
use crate::device::gpu;

/// The offset of a word in a buffer, and one within a word.
const OFFSETS: [usize; 2] = [260, 1027];

/// Decodes all data of an archive into a buffer, with each decoder and at each offset.
fn decode_all<S: ReadAt, B: ReadAt>(
    archive: &Archive<S, B>,
    expected: &[u8],
    offsets: &[usize],
    name: &str,
) -> Result<(), GpuError> {
    let gpu = gpu();
    let len = archive.decoded_len();
    assert_eq!(len, expected.len() as u64, "{name}");
    let ways = gpu.decoders.iter().flat_map(|decoder| offsets.iter().map(move |&at| (decoder, at)));
    for (decoder, offset) in ways {
        let buffer = gpu.buffer(&vec![0x5a; expected.len() + 2000]);
        pollster::block_on(decoder.load_into(archive, 0..len, &buffer, offset as u64))?;
        let found = gpu.read(&buffer, expected.len() + 2000);
        let (before, rest) = found.split_at(offset);
        let (decoded, after) = rest.split_at(expected.len());
        let first = decoded.iter().zip(expected).position(|(a, b)| a != b);
        assert_eq!(first, None, "{name}: first wrong byte of {len}, {decoder:?}");
        assert!(
            before.iter().chain(after).all(|&byte| byte == 0x5a),
            "{name}: other bytes changed"
        );
    }
    Ok(())
}

#[test]
fn golden_files() {
    let mut seen = 0;
    for case in golden::cases().iter().filter(|case| case.is_current()) {
        let (file, original, limits) = (case.file(), case.original(), Limits::default());
        let result = match case.base() {
            Some(base) => {
                let archive = Archive::open_delta(&file, base, limits).unwrap();
                decode_all(&archive, &original, &OFFSETS, case.name())
            }
            None => {
                let archive = Archive::open(&file, limits).unwrap();
                decode_all(&archive, &original, &OFFSETS, case.name())
            }
        };
        result.unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        seen += 1;
    }
    assert!(seen > 200, "only {seen} files");
    println!("{seen} golden files");
}

/// Returns the files of models: the one in this repository, and the whole collection.
fn models() -> Vec<(String, Vec<u8>)> {
    let mut paths = vec![root().join("tests/data/minilm-slice.bf16.safetensors")];
    if let Some(folder) = skipped::shared("models") {
        paths.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    paths.sort();
    let is_model = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|extension| extension == "safetensors" || extension == "gguf")
    };
    let read = |path: &std::path::PathBuf| fs::read(path).unwrap();
    paths
        .iter()
        .filter(|path| is_model(path))
        .map(|path| (path.display().to_string(), read(path)))
        .collect()
}

#[test]
fn models_and_extended_models() {
    for (name, data) in models() {
        for profile in [Profile::Original, Profile::Extended] {
            let options = Options::auto().profile(profile).checksums(true);
            let file = zipnn::compress(&data, &options).unwrap();
            let archive = Archive::open(&file, Limits::default()).unwrap();
            decode_all(&archive, &data, &OFFSETS[..1], &name)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn differences_of_models() {
    let models: Vec<_> = models().into_iter().filter(|(name, _)| name.contains(".bf16.")).collect();
    let pairs = models.iter().zip(models.iter().skip(1)).filter(|(a, b)| a.1.len() == b.1.len());
    for ((_, base), (name, data)) in pairs {
        for profile in [Profile::Original, Profile::Extended] {
            let options = Options::auto().profile(profile).checksums(true);
            let file = delta::compress(data, base, &options).unwrap();
            let archive = Archive::open_delta(&file, base, Limits::default()).unwrap();
            decode_all(&archive, data, &OFFSETS[1..], name)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
