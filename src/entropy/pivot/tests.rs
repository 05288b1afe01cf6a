//! Tests every level against the reference, which works symbol by symbol.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::entropy::histogram::{self, StreamCounts};
use crate::entropy::huffman::weights::{self, CodeLengths};
use crate::entropy::pivot::decode::{ArrayMemory, decode_with};
use crate::entropy::pivot::encode::Plan;
use crate::entropy::pivot::tree;
use crate::entropy::pivot::tree::{Element, MAX_ELEMENTS, Tree};
use crate::entropy::{STREAMS, SYMBOLS};
use crate::error::DecodeErrorKind;
use crate::format::MAX_PIVOT_PLANE;
use crate::simd::Kernels;

/// Returns numbers without a pattern.
fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = 0x2545_f491_4f6c_dd1d ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Returns a complete code: splits the codewords of random symbols until there are enough.
fn code(symbols: usize, longest: u8, skew: u64, seed: u64) -> CodeLengths {
    let mut random = random(seed);
    let mut lengths = vec![1_u8, 1];
    while lengths.len() < symbols {
        let splittable: Vec<usize> =
            (0..lengths.len()).filter(|&at| lengths[at] < longest).collect();
        // The last codewords are the longest.
        let last = (0..=skew).map(|_| random() as usize % splittable.len()).max().unwrap();
        let at = splittable[last];
        lengths[at] += 1;
        let length = lengths[at];
        lengths.push(length);
    }
    let mut bits = [0; SYMBOLS];
    let mut free: Vec<usize> = (0..SYMBOLS).collect();
    for &length in &lengths {
        bits[free.swap_remove(random() as usize % free.len())] = length;
    }
    CodeLengths { bits, longest: lengths.iter().copied().max().unwrap().into() }
}

/// Returns a plane in which symbols are as frequent as their codewords are short, except those of
/// one length, which do not occur.
fn plane(code: &CodeLengths, len: usize, missing: u8, seed: u64) -> Vec<u8> {
    let symbols: Vec<u8> = (0..=255)
        .filter(|&symbol| ![0, missing].contains(&code.bits[usize::from(symbol)]))
        .flat_map(|symbol| {
            let cells = 1 << (code.longest - u32::from(code.bits[usize::from(symbol)]));
            core::iter::repeat_n(symbol, cells)
        })
        .collect();
    let mut random = random(seed);
    (0..len).map(|_| symbols[random() as usize % symbols.len()]).collect()
}

/// Encodes a plane symbol by symbol, as a reference.
fn encode_one_by_one(code: &CodeLengths, plane: &[u8]) -> Vec<u8> {
    let tree = Tree::new(code);
    let path_of = |symbol: u8| {
        let is_leaf_of = |element: &Element| match *element {
            Element::Leaf { bits, first } => tree.symbols(first)[..1 << bits].contains(&symbol),
            Element::Node { .. } => false,
        };
        let mut number = tree.elements().iter().position(is_leaf_of).unwrap();
        let Element::Leaf { bits, first } = tree.element(number) else { unreachable!() };
        let index = tree.symbols(first)[..1 << bits].iter().position(|&other| other == symbol);
        let mut path = vec![(number, index.unwrap())];
        while number > 0 {
            let is_parent = |element: &Element| match *element {
                Element::Leaf { .. } => false,
                Element::Node { left } => [left, left + 1].contains(&(number as u8)),
            };
            let parent = tree.elements().iter().position(is_parent).unwrap();
            let Element::Node { left } = tree.element(parent) else { unreachable!() };
            path.push((parent, number - usize::from(left)));
            number = parent;
        }
        path
    };
    let mut of_elements = vec![Vec::new(); tree.elements().len()];
    let mut paths = vec![None; SYMBOLS];
    for &symbol in plane {
        let path = paths[usize::from(symbol)].get_or_insert_with(|| path_of(symbol));
        for &mut (number, bits) in path {
            of_elements[number].push(bits);
        }
    }
    let mut stored: Vec<u8> = Vec::new();
    for (element, values) in tree.elements().iter().zip(of_elements) {
        let (mut bit, end) = match *element {
            Element::Node { .. } => (0, 1),
            Element::Leaf { bits, .. } => (0, u32::from(bits)),
        };
        if end >= 4 {
            stored.extend(pack(&values, 2, |value| value & 15));
            bit = 4;
        }
        for bit in bit..end {
            stored.extend(pack(&values, 8, |value| value >> bit & 1));
        }
    }
    stored
}

/// Packs parts of values into bytes, the first one into the lowest bits.
fn pack(
    values: &[usize],
    per_byte: usize,
    part: impl Fn(usize) -> usize,
) -> impl Iterator<Item = u8> {
    values.chunks(per_byte).map(move |values| {
        let shifts = (0..8).step_by(8 / per_byte);
        values.iter().zip(shifts).map(|(&value, shift)| part(value) << shift).sum::<usize>() as u8
    })
}

/// Encodes a plane with all levels, which must write the same bytes.
fn encode(code: &CodeLengths, plane: &[u8]) -> Option<Vec<u8>> {
    let mut description = [0; weights::MAX_SIZE];
    let len = weights::write(code, &mut description)?;
    weights::read(&description).ok()?;
    let mut counts: StreamCounts = [[0; SYMBOLS]; STREAMS];
    histogram::count(plane, &mut counts);
    let plan = Plan::new(code, &description[..len], &counts);
    let mut expected = description[..len].to_vec();
    expected.extend(encode_one_by_one(code, plane));
    assert_eq!(plan.size(), expected.len());
    let mut memory = Vec::new();
    for (level, kernels) in Kernels::all() {
        let mut coded = vec![0xff; plan.size()];
        plan.encode_with(kernels, plane, &mut coded, &mut memory);
        assert!(coded == expected, "{level}, {} symbols", plane.len());
        memory.fill(0xee);
    }
    Some(expected)
}

/// Decodes symbol by symbol, and checks that all levels return the same.
fn decode(coded: &[u8], len: usize) -> Result<Vec<u8>, DecodeErrorKind> {
    let mut expected = vec![0x55; len];
    let expectation = decode_with(Kernels::Scalar, coded, &mut expected, None, true, |_, _| {});
    let mut memory = ArrayMemory::default();
    let both = |(level, kernels)| [(level, kernels, true), (level, kernels, false)];
    for (level, kernels, keep) in Kernels::all().flat_map(both) {
        let mut decoded = vec![0xaa; len];
        let mut parts = Vec::new();
        let use_part = |range: Range<usize>, part: &[u8]| {
            assert_eq!((range.start, range.len()), (parts.len(), part.len()));
            parts.extend_from_slice(part);
        };
        let memory = Some(&mut memory);
        let result = decode_with(kernels, coded, &mut decoded, memory, keep, use_part);
        assert_eq!(result, expectation, "{level}, {len} symbols");
        assert!(result.is_err() || parts == expected, "{level}, {len} symbols");
        assert!(result.is_err() || !keep || decoded == expected, "{level}, {len} symbols");
    }
    expectation.map(|()| expected)
}

const ALPHABETS: [(usize, u8, u64); 13] = [
    (2, 12, 0),
    (3, 12, 0),
    (4, 2, 0),
    (5, 12, 9),
    (13, 12, 50),
    (16, 4, 0),
    (20, 12, 3),
    (33, 6, 0),
    (64, 6, 0),
    (70, 12, 1),
    (128, 9, 0),
    (255, 12, 2),
    (256, 12, 0),
];

#[test]
fn all_levels_agree() {
    let lens = [0, 1, 2, 7, 8, 9, 63, 64, 65, 127, 128, 129, 500, 1000, 4096, 10_007];
    for (alphabet, (symbols, longest, skew)) in (0..).zip(ALPHABETS) {
        let code = code(symbols, longest, skew, alphabet);
        for (seed, len) in (0..).zip(lens) {
            let missing = if seed % 3 == 2 { code.longest as u8 } else { 0 };
            if symbols == 1 << code.longest && missing > 0 {
                continue;
            }
            let plane = plane(&code, len, missing, seed);
            let Some(coded) = encode(&code, &plane) else { continue };
            assert!(decode(&coded, len).as_ref() == Ok(&plane), "{symbols} symbols, {len}");
        }
    }
}

#[test]
fn the_longest_planes_are_decoded() {
    for (alphabet, (symbols, longest, skew)) in (20..).zip(ALPHABETS) {
        let code = code(symbols, longest, skew, alphabet);
        let plane = plane(&code, MAX_PIVOT_PLANE as usize - alphabet as usize % 2, 0, alphabet);
        let Some(coded) = encode(&code, &plane) else { continue };
        assert!(decode(&coded, plane.len()).as_ref() == Ok(&plane), "{symbols} symbols");
    }
}

#[test]
fn truncated_planes_are_errors() {
    for (alphabet, (symbols, longest, skew)) in (40..).zip(ALPHABETS) {
        let code = code(symbols, longest, skew, alphabet);
        let plane = plane(&code, 700, 0, alphabet);
        let Some(mut coded) = encode(&code, &plane) else { continue };
        for len in 0..coded.len() {
            assert!(decode(&coded[..len], 700).is_err(), "{symbols} symbols, {len} bytes");
        }
        coded.push(0);
        assert_eq!(decode(&coded, 700), Err(DecodeErrorKind::CorruptStream));
    }
}

#[test]
fn damaged_planes_are_errors_or_other_planes() {
    let (mut errors, mut planes) = (0, 0);
    for (alphabet, (symbols, longest, skew)) in (60..).zip(ALPHABETS) {
        let code = code(symbols, longest, skew, alphabet);
        let plane = plane(&code, 301, 0, alphabet);
        let Some(coded) = encode(&code, &plane) else { continue };
        for at in 0..coded.len() {
            for flip in [1, 8, 0x80, 0xff] {
                let mut damaged = coded.clone();
                damaged[at] ^= flip;
                match decode(&damaged, 301) {
                    Ok(_) => planes += 1,
                    Err(_) => errors += 1,
                }
            }
        }
    }
    assert!(errors > 1000 && planes > 1000, "{errors} errors, {planes} other planes");
}

#[test]
fn padding_must_be_zero() {
    // One leaf of 32 symbols: nibbles, then a plane. Three symbols leave padding in both.
    let mut bits = [0; SYMBOLS];
    bits[..32].fill(5);
    let code = CodeLengths { bits, longest: 5 };
    let plane = [31, 0, 17];
    let coded = encode(&code, &plane).unwrap();
    let description = coded.len() - 3;
    assert_eq!(coded[description..], [0x0f, 0x01, 0b101]);
    assert_eq!(decode(&coded, 3).unwrap(), plane);
    for (at, bit) in [(1, 0x10), (1, 0x80), (2, 0b1000), (2, 0x80)] {
        let mut damaged = coded.clone();
        damaged[description + at] |= bit;
        assert_eq!(decode(&damaged, 3), Err(DecodeErrorKind::CorruptStream), "byte {at}, {bit}");
    }
}

#[test]
fn leaves_are_as_large_as_the_lengths_allow() {
    // Three symbols of two bits: two form a leaf. Two of three bits form a leaf.
    let mut bits = [0; SYMBOLS];
    bits[10..13].fill(2);
    bits[20..22].fill(3);
    let tree = Tree::new(&CodeLengths { bits, longest: 3 });
    assert_eq!(
        tree.elements(),
        [
            Element::Node { left: 1 },
            Element::Leaf { bits: 1, first: 0 },
            Element::Node { left: 3 },
            Element::Leaf { bits: 1, first: 2 },
            Element::Leaf { bits: 0, first: 4 },
        ]
    );
    assert_eq!(tree.symbols(0)[..5], [10, 11, 20, 21, 12]);
    assert!(tree.levels().eq([0..1, 1..3, 3..5]));
    // The example of the specification.
    let code = CodeLengths { bits, longest: 3 };
    let coded = encode(&code, &[10, 12, 21, 10, 11]).unwrap();
    assert_eq!(coded[coded.len() - 4..], [0x06, 0x04, 0x01, 0x01]);
}

#[test]
fn trees_are_small() {
    let mut largest = 0;
    for seed in 0..300 {
        let symbols = 2 + (seed as usize * 37) % 255;
        let code = code(symbols, 12, seed % 7, seed);
        let tree = Tree::new(&code);
        largest = largest.max(tree.elements().len());
        let leaves: usize = tree
            .elements()
            .iter()
            .map(|element| match element {
                Element::Leaf { bits, .. } => 1 << bits,
                Element::Node { .. } => 0,
            })
            .sum();
        assert_eq!(leaves, symbols);
        assert!(tree.levels().len() <= tree::MAX_LEVELS);
    }
    assert!(largest < MAX_ELEMENTS, "{largest}");
}
