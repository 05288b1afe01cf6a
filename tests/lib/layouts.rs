//! Frames suit the content of a file.
//!
//! Plans cover every byte once and in order. Samples find layouts and the offsets of elements, and
//! take little time.

use std::io::Write;
use std::time::{Duration, Instant};

use data::{Random, noise, weights};
use zipnn::frame::{EncodeScratch, Header, PlaneLayout};
use zipnn::io::EncoderBuilder;
use zipnn::layout_search::Segment;
use zipnn::tensor::Metadata;
use zipnn::tensor::plan;
use zipnn::{DType, Limits, Options, compress_bound, delta, layout_search};

use crate::common::{data, skipped};

fn options(layout: PlaneLayout) -> Options {
    Options::new(layout.dtype()).plain().layout(layout)
}

fn size(data: &[u8], layout: PlaneLayout) -> usize {
    let file = zipnn::compress(data, &options(layout)).unwrap();
    assert!(zipnn::decompress(&file, &Limits::default()).unwrap() == data);
    file.len()
}

/// Returns a `.safetensors` file of these tensors, given their types and bytes.
fn safetensors(tensors: &[(&str, usize, Vec<u8>)]) -> Vec<u8> {
    let mut members = Vec::new();
    let mut end = 0;
    for (number, (dtype, element, bytes)) in tensors.iter().enumerate() {
        let (start, count) = (end, bytes.len() / element);
        end += bytes.len();
        members.push(format!(
            r#""{number}":{{"dtype":"{dtype}","shape":[{count}],"data_offsets":[{start},{end}]}}"#
        ));
    }
    let header = format!("{{{}}}", members.join(","));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    tensors.iter().for_each(|(_, _, bytes)| file.extend_from_slice(bytes));
    file
}

const TYPES: [(&str, usize); 8] = [
    ("BF16", 2),
    ("F16", 2),
    ("F32", 4),
    ("F64", 8),
    ("I64", 8),
    ("U8", 1),
    ("F8_E4M3", 1),
    ("UNHEARD_OF", 1),
];

#[test]
fn layouts_other_than_that_of_the_type_come_back() {
    for dtype in DType::ALL {
        for layout in PlaneLayout::ALL {
            for len in [0, 1, 3, 4096, 300_003] {
                let data = weights(dtype, len, 1);
                let file =
                    zipnn::compress(&data, &Options::new(dtype).plain().layout(layout)).unwrap();
                assert!(zipnn::decompress(&file, &Limits::default()).unwrap() == data);
                let header = Header::parse(&file).unwrap();
                assert_eq!(header.layout(), layout);
                let same_planes = dtype.size() == layout.planes();
                assert_eq!(header.dtype, if same_planes { dtype } else { layout.dtype() });
            }
        }
    }
}

#[test]
fn plans_cover_files_of_any_tensors() {
    let mut random = Random(3);
    for _ in 0..300 {
        let tensors: Vec<_> = (0..random.below(30))
            .map(|_| {
                let (dtype, element) = TYPES[random.below(TYPES.len())];
                let bound = [1, 10, 300, 5000, 200_000][random.below(5)];
                (dtype, element, vec![0; random.below(bound) * element])
            })
            .collect();
        let file = safetensors(&tensors);
        let layout = Metadata::parse(&file, file.len() as u64).unwrap();
        assert_eq!(Metadata::parse_header(&file), Ok(layout.clone()));
        let frame_len = [1, 8, 1000, 4096, 1 << 20, 4 << 20][random.below(6)];
        let mut end = 0;
        for part in plan(&layout, frame_len) {
            assert_eq!(part.range.start, end);
            end = part.range.end;
            assert!(part.range.start < end && end - part.range.start <= frame_len.max(8));
            // Frames of large tensors consist of whole elements.
            for tensor in layout.tensors().iter().filter(|tensor| tensor.len() > 4096) {
                if tensor.range.contains(&part.range.start) {
                    let element = tensor.element_bits().unwrap_or(8) / 8;
                    assert_eq!((part.range.start - tensor.range.start) % element, 0);
                    assert_eq!(
                        part.layout.is_none(),
                        tensor.element_bits().is_none() || tensor.dtype == "U8"
                    );
                }
                // A frame that begins before such a tensor contains nothing large before it.
                if part.range.contains(&tensor.range.start) {
                    let planes = part.layout.map_or(1, PlaneLayout::planes) as u64;
                    assert_eq!((tensor.range.start - part.range.start) % planes, 0);
                }
            }
        }
        assert_eq!(end, file.len() as u64);
        assert_eq!(
            plan(&layout, frame_len).next().unwrap().range,
            0..layout.data_start().min(frame_len.max(8) / 8 * 8)
        );
    }
}

#[test]
fn plans_of_impossible_lengths_are_not_collected() {
    let len = u64::MAX / 2;
    let header =
        format!(r#"{{"a":{{"dtype":"F8_E4M3","shape":[{len}],"data_offsets":[0,{len}]}}}}"#);
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    // The number of bits overflows 64 bits; the type need not be known.
    let unknown = String::from_utf8(file).unwrap().replace("F8_E4M3", "UNKNOWN");
    let layout = Metadata::parse_header(unknown.as_bytes()).unwrap();
    let parts: Vec<_> = plan(&layout, 4 << 20).take(1000).collect();
    assert_eq!(parts.len(), 1000);
}

#[test]
fn small_tensors_share_frames_and_large_ones_do_not() {
    let file = safetensors(&[
        ("I64", 8, vec![0; 8]),
        ("F32", 4, vec![0; 4096]),
        ("F32", 4, vec![0; 1024]),
        ("BF16", 2, vec![0; 100_000]),
        ("I64", 8, vec![0; 8]),
        ("BF16", 2, vec![0; 100_000]),
        ("BF16", 2, vec![0; 1 << 20]),
        ("BF16", 2, vec![0; 5 << 20]),
        ("BF16", 2, vec![0; 10]),
    ]);
    let layout = Metadata::parse(&file, file.len() as u64).unwrap();
    let parts: Vec<_> = plan(&layout, 4 << 20).collect();
    let lens: Vec<_> = parts[1..].iter().map(|part| part.range.end - part.range.start).collect();
    assert_eq!(lens, [8, 5120, 200_008, 1 << 20, 4 << 20, 1 << 20, 10]);
    assert_eq!(parts[3].layout, Some(PlaneLayout::TWO_ROTATED));
}

/// Returns data of many kinds and the layout that its type has.
fn kinds() -> Vec<(&'static str, PlaneLayout, Vec<u8>)> {
    const LEN: usize = 1 << 20;
    let mut random = Random(11);
    let mut kinds = Vec::new();
    for dtype in DType::ALL {
        kinds.push((dtype.name(), PlaneLayout::of(dtype), weights(dtype, LEN, 5)));
        kinds.push(("declared as bytes", PlaneLayout::ONE, weights(dtype, LEN, 6)));
    }
    let f32s = weights(DType::F32, LEN, 7);
    let numbers = || f32s.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    let f64s = numbers().zip(1..).flat_map(|(x, i)| (f64::from(x) / f64::from(i)).to_le_bytes());
    kinds.push(("f64", PlaneLayout::FOUR_ROTATED, f64s.collect()));
    let f64s = numbers().flat_map(|x| f64::from(x).to_le_bytes());
    kinds.push(("f32 in f64", PlaneLayout::FOUR_ROTATED, f64s.collect()));
    let halves = numbers().flat_map(|x| half::bf16::from_f32(x).to_f32().to_le_bytes());
    kinds.push(("bf16 in f32", PlaneLayout::FOUR_ROTATED, halves.collect()));
    let halves = numbers().flat_map(|x| half::f16::from_f32(x).to_f32().to_le_bytes());
    kinds.push(("f16 in f32", PlaneLayout::FOUR_ROTATED, halves.collect()));
    kinds.push(("f32 as bf16", PlaneLayout::TWO_ROTATED, f32s.clone()));
    kinds.push(("bf16 as f32", PlaneLayout::FOUR_ROTATED, weights(DType::BF16, LEN, 8)));
    let mut ids = |bound: usize| {
        let below = random.below(bound) + 1;
        random.below(below) as u64
    };
    let wide: Vec<u8> = (0..LEN / 8).flat_map(|_| ids(30_000).to_le_bytes()).collect();
    kinds.push(("i64", PlaneLayout::FOUR, wide.clone()));
    kinds.push(("i64 as bytes", PlaneLayout::ONE, wide));
    let bits: Vec<u8> = (0..LEN).map(|_| u8::from(ids(10) == 0)).collect();
    kinds.push(("bool", PlaneLayout::ONE, bits));
    // Zeros with a rare other value, whose planes look constant in samples.
    for chance in [100, 1000, 5000, 100_000] {
        let rare: Vec<u8> = (0..LEN).map(|_| u8::from(ids(chance) == 1)).collect();
        for layout in PlaneLayout::ALL {
            kinds.push(("rarely anything", layout, rare.clone()));
        }
    }
    kinds.push(("noise", PlaneLayout::TWO_ROTATED, noise(LEN, 9)));
    kinds.push(("zeros", PlaneLayout::FOUR_ROTATED, vec![0; LEN]));
    let half_zeros = [vec![0; LEN / 2], weights(DType::BF16, LEN / 2, 12)].concat();
    kinds.push(("half zeros", PlaneLayout::TWO_ROTATED, half_zeros));
    kinds.push(("text", PlaneLayout::ONE, include_bytes!("layouts.rs").repeat(30)));
    kinds
}

#[test]
fn samples_choose_well_and_never_badly() {
    for (name, declared, whole) in kinds() {
        for len in [whole.len(), 100_001, 20_000, 3000, 700, 100] {
            let data = &whole[..len.min(whole.len())];
            let chosen = layout_search::layout(data, None, declared);
            let (found, by_type) = (size(data, chosen), size(data, declared));
            assert!(
                found as f64 <= by_type as f64 * 1.0005,
                "{name}, {len}: {declared:?} {by_type}, {chosen:?} {found}"
            );
            if len == whole.len() {
                let best = PlaneLayout::ALL.map(|layout| size(data, layout)).into_iter().min();
                let best = best.unwrap() as f64;
                assert!(found as f64 <= best * 1.015 + 400.0, "{name}: {chosen:?} {found}, {best}");
            }
        }
    }
}

/// Compresses data with automatic layouts.
fn auto_compressed(data: &[u8]) -> Vec<u8> {
    let builder = EncoderBuilder::new(Options::auto());
    let mut encoder = builder.build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    let file = encoder.finish().unwrap();
    assert!(zipnn::decompress(&file, &Limits::default()).unwrap() == data);
    file
}

#[test]
fn elements_are_found_at_any_offset() {
    const LEN: usize = 3 << 20;
    for dtype in [DType::F32, DType::BF16] {
        let data = weights(dtype, LEN, 21);
        let aligned = size(&data, PlaneLayout::of(dtype));
        for shift in 0..9 {
            let shifted = [&noise(shift, 1)[..], &data].concat();
            let found = auto_compressed(&shifted).len();
            assert!(found < aligned + 700, "{dtype:?}, {shift}: {found}, {aligned}");
            let segments = layout_search::segments(&shifted, None);
            let last = segments.last().unwrap();
            assert_eq!(last.layout, PlaneLayout::of(dtype));
            assert_eq!((last.range.start + 8 - shift) % dtype.size(), 0, "{shift}");
        }
    }
}

#[test]
fn segments_are_contiguous_and_follow_changes() {
    // As in an ONNX file: raw data behind a few bytes of description.
    let mut random = Random(4);
    let (mut file, mut best) = (Vec::new(), 0);
    for number in 0..12 {
        file.extend(noise(random.below(50), number));
        let dtype = [DType::F32, DType::BF16, DType::F8E4M3][random.below(3)];
        let data = weights(dtype, (300_000 + random.below(900_000)) / 4 * 4, number);
        best += size(&data, PlaneLayout::of(dtype));
        file.extend(data);
    }
    let found = auto_compressed(&file).len();
    let whole = PlaneLayout::ALL.map(|layout| size(&file, layout)).into_iter().min().unwrap();
    assert!(found < whole, "{found}, {whole}");
    assert!(found < best * 102 / 100, "{found}, {best}");
    for len in [0, 1, 3, 200, 260, 261, 1000, 70_001, 263_000, file.len()] {
        let mut end = 0;
        for Segment { range, .. } in layout_search::segments(&file[..len], None) {
            assert_eq!(range.start, end);
            assert!(len == 0 || range.end > end);
            end = range.end;
        }
        assert_eq!(end, len);
    }
}

#[test]
fn unknown_data_is_never_much_larger_than_as_bytes() {
    for (name, _, data) in kinds() {
        let found = auto_compressed(&data).len();
        let bytes = size(&data, PlaneLayout::ONE);
        // Checksums, index, and a frame of the first bytes take a few hundred bytes.
        assert!(found < bytes + bytes / 2000 + 800, "{name}: {found}, {bytes}");
    }
}

#[test]
fn differences_are_judged_instead_of_data() {
    // The difference is noise in one byte of four.
    let base = noise(1 << 20, 1);
    let mut data = base.clone();
    for (byte, noise) in data.iter_mut().step_by(4).zip(noise(1 << 18, 2)) {
        *byte ^= noise;
    }
    assert_eq!(layout_search::layout(&data, None, PlaneLayout::ONE), PlaneLayout::ONE);
    assert_eq!(layout_search::layout(&data, Some(&base), PlaneLayout::ONE), PlaneLayout::FOUR);
    let segments = layout_search::segments(&data, Some(&base));
    assert_eq!(segments, [Segment { range: 0..data.len(), layout: PlaneLayout::FOUR }]);
    let mut encoder = EncoderBuilder::new(Options::auto().plain())
        .build_delta(Vec::new(), std::io::Cursor::new(&base))
        .unwrap();
    encoder.write_all(&data).unwrap();
    let file = encoder.finish().unwrap();
    assert!(file.len() < data.len() * 26 / 100, "{}", file.len());
    assert!(delta::decompress(&file, &base, &Limits::default()).unwrap() == data);
}

#[test]
fn real_models() {
    // The lengths of the results of the original's release 0.5.4, in one frame.
    for (name, original) in [
        ("minilm-part.bf16", 7_052_918),
        ("minilm-part.f32", 16_792_931),
        ("minilm-part.f8e4m3", 4_010_214),
        ("minilm-part.mixed", 7_079_921),
        ("minilm-part.tuned.bf16", 7_053_032),
        ("wordllama-part.f16", 5_249_384),
    ] {
        let Some(path) = skipped::shared(&format!("models/{name}.safetensors")) else { return };
        let file = std::fs::read(path).unwrap();
        // As data of an unknown type.
        let unknown = auto_compressed(&file).len();
        assert!(unknown < original + original / 1000, "{name}: {unknown}, {original}");
        let layout = Metadata::parse(&file, file.len() as u64).unwrap();
        let planned: usize = plan(&layout, 4 << 20)
            .flat_map(|part| {
                let data = &file[part.range.start as usize..part.range.end as usize];
                let segments = match part.layout {
                    None => layout_search::segments(data, None),
                    Some(declared) => {
                        let layout = layout_search::layout(data, None, declared);
                        Vec::from([Segment { range: 0..data.len(), layout }])
                    }
                };
                segments.into_iter().map(move |Segment { range, layout }| {
                    let options = options(layout).checksums(true);
                    zipnn::compress(&data[range], &options).unwrap().len()
                })
            })
            .sum();
        assert!(planned < original, "{name}: {planned}, {original}");
    }
}

/// Returns the shortest time of several runs, to which other programs add little.
fn shortest(mut call: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        call();
        start.elapsed()
    };
    (0..15).map(time).min().unwrap()
}

#[test]
fn samples_take_little_time() {
    for dtype in DType::ALL {
        let data = weights(dtype, 4 << 20, 2);
        let options = Options::new(dtype).plain();
        let mut scratch = EncodeScratch::new();
        let mut frame = vec![0; compress_bound(data.len(), &options)];
        let compress = shortest(|| {
            zipnn::compress_into(&data, &mut frame, &options, &mut scratch).unwrap();
        });
        let declared = PlaneLayout::of(dtype);
        let known = shortest(|| assert_eq!(layout_search::layout(&data, None, declared), declared));
        let unknown = shortest(|| assert_eq!(layout_search::segments(&data, None).len(), 1));
        println!("{dtype:?}: compressing {compress:?}, samples {known:?}, unknown {unknown:?}");
        // Several times the usual time, because machines are busy.
        assert!(known * 8 < compress && unknown * 5 < compress, "{dtype:?}");
    }
}
