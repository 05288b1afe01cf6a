//! Reading what is left of files that were cut off, when the tensors inside them are compressed.

use std::io::Cursor;

use zipnn::Limits;
use zipnn::tensor::inside::TensorReader;

use crate::tensor_files::*;

/// A tensor of several chunks, one that is stored as it is, and a small one that is compressed.
fn source() -> Vec<u8> {
    let weights = |count: usize| -> Vec<u8> {
        (0..count).flat_map(|i| [((i * 31) >> 3) as u8, 0x3c + (i % 3) as u8]).collect()
    };
    let bytes = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    file_of(&[
        ("long", "BF16", &[400, 1000], weights(400_000)),
        ("plain", "U8", &[5000], bytes),
        ("short", "BF16", &[10, 1000], weights(10_000)),
    ])
}

/// The lengths at which a file is cut: around the ends of all tensors, and within them.
fn cuts(file: &[u8]) -> Vec<usize> {
    let layout = parse(file);
    let ends = layout.tensors().iter().flat_map(|tensor| {
        let (start, end) = (tensor.range.start as usize, tensor.range.end as usize);
        [start, start + 1, start + 40, start.midpoint(end), end - 1]
    });
    ends.collect()
}

#[test]
fn partial_readers_read_exactly_the_complete_tensors() {
    let source = source();
    let file = compress(&source, true);
    let all = tensors(&source);
    for cut in (0..file.len()).step_by(9973).chain(cuts(&file)) {
        let Ok(mut reader) =
            TensorReader::open_partial(Cursor::new(&file[..cut]), Limits::default())
        else {
            assert!((cut as u64) < parse(&file).data_start());
            continue;
        };
        assert!(reader.cut().is_some());
        for number in 0..all.len() {
            let (_, shape, bytes) = &all[&reader.tensors()[number].name];
            assert_eq!(reader.tensors()[number].shape, *shape);
            let mut decoded = Vec::new();
            let read = reader.read(number, &mut decoded);
            assert_eq!(read.is_ok(), reader.is_complete(number), "{cut}");
            assert!(read.is_err() || decoded == *bytes);
        }
    }
    let reader = TensorReader::open_partial(Cursor::new(&file), Limits::default()).unwrap();
    assert!(reader.cut().is_none());
}

/// Files that are cut off and damaged, in the header or behind it.
#[test]
fn partial_readers_survive_any_damage_and_return_no_wrong_byte() {
    let source = file_of(&[
        ("a", "BF16", &[30, 100], (0..6000).map(|i| [0, 0x3c][i % 2]).collect()),
        ("b", "I8", &[100], (0..100).collect()),
    ]);
    let file = compress(&source, true);
    let data_start = parse(&file).data_start() as usize;
    let all = tensors(&source);
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    for round in 0..4000 {
        let mut damaged = file[..file.len() - [0, next(file.len())][round % 2]].to_vec();
        let start = if round % 3 == 0 { 0 } else { data_start.min(damaged.len()) };
        if round % 4 < 3 && damaged.len() > start {
            let at = start + next(damaged.len() - start);
            damaged[at] ^= 1 << next(8);
        }
        let opened = TensorReader::open_partial(Cursor::new(&damaged[..]), Limits::default());
        let Ok(mut reader) = opened else { continue };
        let restored = reader.restored_header();
        assert!(restored.is_err() || restored.unwrap().order.len() <= reader.tensors().len());
        for number in 0..reader.tensors().len() {
            let tensor = reader.tensors()[number].clone();
            let len = (tensor.decoded_len as usize).min(1 << 16);
            let from = next(len + 1);
            let mut part = vec![0; len - from];
            let _ = reader.read_part_unverified(number, from as u64, &mut part);
            let read = reader.read_part(number, from as u64, &mut part);
            assert!(read.is_err() || reader.is_complete(number));
            let known = all.get(&tensor.name).filter(|(dtype, shape, _)| {
                start > 0 && (dtype, shape) == (&tensor.dtype, &tensor.shape)
            });
            if let (Ok(()), Some((_, _, bytes))) = (read, known) {
                assert!(part == bytes[from..len], "round {round}");
            }
            let _ = reader.verify_stored(number);
        }
    }
}
