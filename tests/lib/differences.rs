//! Differences in the extended profile: every kind of change round-trips with every reader.
//!
//! Damaged files return an error or, without checksums, other data, and never cause a panic.

use std::cell::Cell;
use std::io::{self, Cursor, Read, Write};

use allocation_counter::measure;
use data::Random;
use zipnn::delta::{
    self, BaseMap, Conversion, DeltaDecoder, DeltaEncoder, MapSegment, MapSource, MappedBase,
};
use zipnn::file::Frames;
use zipnn::frame::{DecodeScratch, Method};
use zipnn::io::ReadAt;
use zipnn::{Archive, DType, DecodeError, DecodeErrorKind, EncodeError, Limits, Options, Profile};

use crate::common::{data, root};

fn extended(dtype: DType) -> Options {
    Options::new(dtype).profile(Profile::Extended)
}

/// Calls `change` with each element as a number, and stores the result.
fn map_elements(data: &mut [u8], size: usize, mut change: impl FnMut(usize, u32) -> u32) {
    for (number, element) in data.chunks_exact_mut(size).enumerate() {
        let mut bytes = [0; 4];
        bytes[..size].copy_from_slice(element);
        let changed = change(number, u32::from_le_bytes(bytes)).to_le_bytes();
        element.copy_from_slice(&changed[..size]);
    }
}

/// Returns pairs of a base and data of the same length.
fn pairs(dtype: DType, len: usize) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let size = dtype.size();
    let base = data::weights(dtype, len, 3);
    let changed = |mut change: Box<dyn FnMut(usize, u32) -> u32>| {
        let mut new = base.clone();
        map_elements(&mut new, size, &mut *change);
        new
    };
    let sign = 1_u32 << (8 * size - 1);
    let infinity = match dtype {
        DType::F32 => 0x7f80_0000,
        DType::BF16 => 0x7f80,
        DType::F16 => 0x7c00,
        _ => 0x7c,
    };
    let [mut small, mut rare, mut wild, mut wide] =
        [1, 2, 3, 4].map(|seed| Random(len as u64 + seed));
    vec![
        ("equal", base.clone(), base.clone()),
        ("a row", base.clone(), {
            changed(Box::new(|number, bits| if number / 96 == 7 { bits ^ 3 } else { bits }))
        }),
        ("small", base.clone(), {
            changed(Box::new(move |_, bits| bits.wrapping_add(small.below(5) as u32)))
        }),
        ("rare", base.clone(), {
            changed(Box::new(move |_, bits| bits ^ u32::from(rare.below(200) == 0)))
        }),
        ("wild", base.clone(), {
            changed(Box::new(move |_, bits| bits ^ (wild.next() as u32) >> (bits % 29)))
        }),
        ("wide", base.clone(), {
            let most = 1 << (4 * size - 3);
            changed(Box::new(move |_, bits| bits.wrapping_add(wide.below(most) as u32)))
        }),
        ("signs", base.clone(), changed(Box::new(move |_, bits| bits ^ sign))),
        ("zeros", base.clone(), vec![0; len]),
        ("from zeros", vec![0; len], base.clone()),
        ("negative zeros", vec![0; len], {
            let mut new = vec![0; len];
            map_elements(&mut new, size, |number, _| if number % 3 == 0 { sign } else { 0 });
            new
        }),
        ("special values", base.clone(), {
            changed(Box::new(move |number, bits| match number % 7 {
                0 => infinity,
                1 => infinity | sign,
                2 => infinity | 1,
                3 => 1,
                4 => sign | 2,
                5 => sign - 1,
                _ => bits,
            }))
        }),
        ("unrelated", base.clone(), data::weights(dtype, len, 99)),
        ("noise", base.clone(), data::noise(len, 4)),
    ]
}

/// Decodes a difference with every reader, which must agree.
fn decode(file: &[u8], base: &[u8], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    let decoded = delta::decompress(file, base, &limits);
    let mut streamed = Vec::new();
    let stream = DeltaDecoder::new(file, Cursor::new(base), limits)
        .and_then(|mut decoder| decoder.read_to_end(&mut streamed));
    assert_eq!(stream.ok().map(|_| streamed), decoded.clone().ok());
    let mut dst = vec![1; base.len() + 1];
    let into = delta::decompress_into(file, base, &mut dst, &limits, &mut DecodeScratch::new());
    assert_eq!(into.map(|len| dst[..len].to_vec()), decoded);
    decoded
}

fn counts(file: &[u8], method: Method) -> u64 {
    let counts = Frames::new(file).map(|frame| {
        frame.unwrap().index().method_counts().find(|(name, _)| *name == method).unwrap().1
    });
    counts.sum()
}

#[test]
fn all_changes_round_trip() {
    let mut coded = 0;
    for dtype in DType::ALL {
        for (len, chunk_log2) in [(0, 18), (1, 18), (7, 18), (1000, 8), (40_003, 14), (400_001, 18)]
        {
            for (kind, base, new) in pairs(dtype, len) {
                let what = format!("{kind}, {dtype:?}, {len} bytes");
                let options = extended(dtype).chunk_log2(chunk_log2);
                let file = delta::compress(&new, &base, &options).unwrap();
                assert!(decode(&file, &base, Limits::default()).as_ref() == Ok(&new), "{what}");
                coded += counts(&file, Method::Difference);

                let mut encoder =
                    DeltaEncoder::new(Vec::new(), Cursor::new(&base), options).unwrap();
                encoder.write_all(&new).unwrap();
                let file = encoder.finish().unwrap();
                assert!(decode(&file, &base, Limits::default()).as_ref() == Ok(&new), "{what}");
                let auto = Options::auto().profile(Profile::Extended).plain();
                let file = delta::compress(&new, &base, &auto).unwrap();
                assert!(decode(&file, &base, Limits::default()).as_ref() == Ok(&new), "{what}");
            }
        }
    }
    assert!(coded > 100, "{coded} planes");
}

#[test]
fn a_base_never_makes_a_file_much_larger() {
    for dtype in DType::ALL {
        for (kind, base, new) in pairs(dtype, 600_000) {
            let options = extended(dtype);
            let file = delta::compress(&new, &base, &options).unwrap();
            let alone = zipnn::compress(&new, &options).unwrap();
            let xor = delta::compress(&new, &base, &options.profile(Profile::Original)).unwrap();
            // The choice depends on samples, and the base is named by a record of 24 bytes.
            let most = alone.len().min(xor.len()) * 101 / 100 + 24;
            assert!(file.len() <= most, "{kind}, {dtype:?}: {} of {most}", file.len());
        }
    }
}

#[test]
fn ranges_need_only_their_chunks() {
    for dtype in DType::ALL {
        for (kind, base, new) in pairs(dtype, 300_000) {
            let file = delta::compress(&new, &base, &extended(dtype).chunk_log2(15)).unwrap();
            let archive = Archive::open_delta(&file, &base, Limits::default()).unwrap();
            for range in [0..1, 32_767..32_769, 100_000..180_000, 299_999..300_000, 0..300_000] {
                let mut part = vec![0; range.len()];
                archive.read_into(range.start as u64, &mut part).unwrap();
                assert!(part == new[range.clone()], "{kind}, {dtype:?}, {range:?}");
            }
        }
    }
}

/// A source that records how many bytes are read.
struct Counted<'s> {
    source: &'s [u8],
    read: Cell<u64>,
}

impl<'s> Counted<'s> {
    fn new(source: &'s [u8]) -> Self {
        Self { source, read: Cell::new(0) }
    }
}

impl ReadAt for Counted<'_> {
    fn size(&self) -> io::Result<u64> {
        self.source.size()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = self.source.read_at(buf, offset)?;
        self.read.set(self.read.get() + len as u64);
        Ok(len)
    }
}

/// A base whose halves are in another order in its source, as wider floats.
#[test]
fn ranges_read_only_their_parts_of_file_and_base() {
    const HALF: usize = 200_000;
    let wide = data::weights(DType::F32, 4 * HALF, 8);
    let source = MapSource::new("wide", wide.len() as u64, [0; 16]);
    let mut map = BaseMap::new(2 * HALF as u64, vec![source]);
    for (start, offset) in [(0, 2 * HALF), (HALF, 0)] {
        let range = start as u64..(start + HALF) as u64;
        let segment = MapSegment::copy(range, 0, offset as u64);
        map.push(segment.converted(Conversion::F32ToBf16)).unwrap();
    }
    let mut base = vec![0; 2 * HALF];
    MappedBase::new(map.clone(), vec![&wide[..]]).unwrap().read_exact_at(&mut base, 0).unwrap();
    let mut new = base.clone();
    let mut random = Random(5);
    new.chunks_exact_mut(2).for_each(|element| element[0] ^= random.below(32) as u8);
    let file = delta::compress(&new, &base, &extended(DType::BF16).chunk_log2(15)).unwrap();

    let (counted_file, counted_wide) = (Counted::new(&file), Counted::new(&wide));
    let base = MappedBase::new(map, vec![&counted_wide]).unwrap();
    let archive = Archive::open_delta(&counted_file, base, Limits::default()).unwrap();
    for range in [0..1, 32_767..32_769, HALF - 1..HALF + 1, 2 * HALF - 9..2 * HALF] {
        let before = [counted_file.read.get(), counted_wide.read.get()];
        let mut part = vec![0; range.len()];
        archive.read_into(range.start as u64, &mut part).unwrap();
        assert!(part == new[range.clone()], "{range:?}");
        let file_read = counted_file.read.get() - before[0];
        let base_read = counted_wide.read.get() - before[1];
        assert!(file_read < file.len() as u64 / 4, "{range:?}: {file_read} of {}", file.len());
        // Two chunks at most, in elements that are twice as long.
        assert!(base_read <= 4 << 15, "{range:?}: {base_read} bytes of the base");
    }
}

#[test]
fn the_default_profile_does_not_use_the_code() {
    for dtype in DType::ALL {
        for (_, base, new) in pairs(dtype, 20_000) {
            let file = delta::compress(&new, &base, &Options::new(dtype)).unwrap();
            let is_extended = Frames::new(&file).any(|frame| frame.unwrap().index().is_extended());
            assert!(!is_extended);
        }
    }
}

/// A small difference in the code, and one whose chunk does not use the base.
fn samples() -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let mut samples = Vec::new();
    for dtype in DType::ALL {
        for (kind, base, new) in pairs(dtype, 3000) {
            if ["small", "special values", "unrelated", "rare"].contains(&kind) {
                let file = delta::compress(&new, &base, &extended(dtype)).unwrap();
                samples.push((file, base, new));
            }
        }
    }
    let coded: u64 = samples.iter().map(|(file, ..)| counts(file, Method::Difference)).sum();
    assert!(coded > 10);
    samples
}

#[test]
fn every_flip_is_detected() {
    for (mut file, base, new) in samples() {
        for at in 0..file.len() {
            for bit in [0, 3, 7] {
                file[at] ^= 1 << bit;
                let decoded = delta::decompress(&file, &base, &Limits::default());
                // The release of the writer and other bytes that readers ignore.
                assert!(decoded.is_err() || decoded.as_ref() == Ok(&new), "byte {at}, bit {bit}");
                file[at] ^= 1 << bit;
            }
        }
        for len in 0..file.len() {
            delta::decompress(&file[..len], &base, &Limits::default()).unwrap_err();
        }
    }
}

#[test]
fn damage_without_checksums_is_harmless() {
    let limits = Limits::default().verify(false);
    let mut rejected = 0;
    for (mut file, base, _) in samples() {
        let mut random = Random(file.len() as u64);
        for _ in 0..2000 {
            let changes = [(); 2].map(|()| (random.below(file.len()), random.below(255) as u8 + 1));
            changes.iter().for_each(|&(at, change)| file[at] ^= change);
            let mut decoded = None;
            let info = measure(|| decoded = Some(delta::decompress(&file, &base, &limits)));
            rejected += usize::from(decoded.is_some_and(|decoded| decoded.is_err()));
            assert!(info.bytes_max < 1 << 20, "{} bytes", info.bytes_max);
            changes.iter().rev().for_each(|&(at, change)| file[at] ^= change);
        }
    }
    assert!(rejected > 1000, "{rejected}");
}

#[test]
fn another_base_is_detected() {
    for (file, mut base, _) in samples() {
        base[100] ^= 1;
        let error = delta::decompress(&file, &base, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::WrongBase);
        let archive = Archive::open_delta(&file, &base, Limits::default()).unwrap();
        let mut all = vec![0; base.len()];
        let result = archive.read_into(0, &mut all);
        assert!(result.is_err() || counts(&file, Method::Difference) == 0);
        base.pop();
        let error = delta::decompress(&file, &base, &Limits::default()).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::BaseLength { .. }));
    }
    let error = delta::compress(&[0; 4], &[0; 5], &extended(DType::BF16)).unwrap_err();
    assert_eq!(error, EncodeError::BaseLength { expected: 4, found: 5 });
}

#[test]
fn without_its_base_a_chunk_cannot_be_decoded() {
    let (_, base, new) = pairs(DType::BF16, 20_000).swap_remove(2);
    let file = delta::compress(&new, &base, &extended(DType::BF16)).unwrap();
    let frame = Frames::new(&file).next().unwrap().unwrap();
    let chunk = frame.chunk(0).unwrap();
    assert!(chunk.requires_base());
    let mut scratch = DecodeScratch::new();
    let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
    let error = frame.decode_chunk(0, &mut vec![0; 20_000], &mut scratch).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::BaseRequired);
    assert_eq!(zipnn::verify(&file, &Limits::default()), Ok(20_000));
}

/// Returns a pair with unchanged elements, changes of many sizes, and special values.
fn mixed_pair(dtype: DType) -> (Vec<u8>, Vec<u8>) {
    let pairs = pairs(dtype, 6003);
    let base = pairs[0].1.clone();
    let mut new = base.clone();
    let parts = [("wide", 0..2400), ("special values", 2400..2456), ("wide", 4000..6003)];
    for (kind, part) in parts {
        let (.., changed) = pairs.iter().find(|(name, ..)| *name == kind).unwrap();
        new[part.clone()].copy_from_slice(&changed[part]);
    }
    (base, new)
}

/// The folder of files that show how differences are stored.
fn golden() -> std::path::PathBuf {
    root().join("tests/data/differences")
}

fn golden_options(dtype: DType) -> Options {
    extended(dtype).threshold(1.0)
}

#[test]
fn golden_differences_are_written_and_read() {
    for dtype in DType::ALL {
        let (base, new) = mixed_pair(dtype);
        let file = std::fs::read(golden().join(format!("{dtype}.znn"))).unwrap();
        assert!(decode(&file, &base, Limits::default()).as_ref() == Ok(&new), "{dtype}");
        assert!(file == delta::compress(&new, &base, &golden_options(dtype)).unwrap(), "{dtype}");
        assert!(counts(&file, Method::Difference) > 0, "{dtype}");
    }
}

/// Writes the golden files anew, after a change of the format.
#[test]
#[ignore = "overwrites files of the repository"]
fn write_golden_differences() {
    let mut cases = Vec::new();
    for dtype in DType::ALL {
        let (base, new) = mixed_pair(dtype);
        let file = delta::compress(&new, &base, &golden_options(dtype)).unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(golden().join(name), bytes).unwrap();
        write(&format!("{dtype}.znn"), &file);
        write(&format!("{dtype}.base"), &base);
        write(&format!("{dtype}.data"), &new);
        cases.push(format!(
            r#"    {{"file": "{dtype}.znn", "original": "{dtype}.data", "delta": "{dtype}.base", "original_len": {}}}"#,
            new.len()
        ));
    }
    let manifest =
        format!("{{\n  \"cases\": [],\n  \"synthetic\": [\n{}\n  ]\n}}\n", cases.join(",\n"));
    std::fs::write(golden().join("manifest.json"), manifest).unwrap();
}
