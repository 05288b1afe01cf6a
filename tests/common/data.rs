//! Test data, the same in every run.
#![allow(dead_code, reason = "no program of tests uses everything")]

use zipnn::DType;

/// A simple generator of pseudorandom numbers (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Returns a number between 0 and 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }
}

/// Returns `len` bytes of normally distributed numbers around zero, like weights.
pub fn weights(dtype: DType, len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(len + 4);
    while bytes.len() < len {
        let number = ((0..6).map(|_| random.unit()).sum::<f32>() - 3.0) / 20.0;
        match dtype {
            DType::F32 => bytes.extend(number.to_le_bytes()),
            DType::BF16 => bytes.extend(half::bf16::from_f32(number).to_le_bytes()),
            DType::F16 => bytes.extend(half::f16::from_f32(number).to_le_bytes()),
            // The upper half of a half is an e5m2 number, and e4m3 has the same skew.
            _ => bytes.push(half::f16::from_f32(number).to_le_bytes()[1]),
        }
    }
    bytes.truncate(len);
    bytes
}

/// Returns `len` random bytes.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.next() as u8).collect()
}

/// Returns shuffled bytes in which symbol *i* occurs `counts[i]` times.
pub fn with_counts(counts: &[usize], seed: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0_u8..=255)
        .zip(counts)
        .flat_map(|(symbol, &count)| std::iter::repeat_n(symbol, count))
        .collect();
    shuffle(&mut bytes, seed);
    bytes
}

fn shuffle(bytes: &mut [u8], seed: u64) {
    let mut random = Random(seed);
    for end in (1..bytes.len()).rev() {
        bytes.swap(end, random.below(end + 1));
    }
}

/// Returns the counts 1, 1, 2, 3, 5, …, which have the longest Huffman codes.
pub fn fibonacci(symbols: usize) -> Vec<usize> {
    let mut counts = vec![1, 1];
    while counts.len() < symbols {
        counts.push(counts[counts.len() - 1] + counts[counts.len() - 2]);
    }
    counts.truncate(symbols);
    counts
}

/// Returns counts, each `ratio` times the one before but at least 1.
pub fn geometric(symbols: usize, first: usize, ratio: f64) -> Vec<usize> {
    std::iter::successors(Some(first as f64), |count| Some(count * ratio))
        .map(|count| (count as usize).max(1))
        .take(symbols)
        .collect()
}
