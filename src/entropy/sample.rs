//! Samples planes: detects noise, and finds the symbols that are frequent.

use crate::entropy::SYMBOLS;

/// Counts of the symbols in some parts of a plane.
pub(crate) struct Sample {
    counts: [u16; SYMBOLS],
    total: u32,
}

impl Sample {
    /// Number of consecutive symbols that are counted.
    const RUN: usize = 32;

    /// Smallest number of counted symbols that can prove noise.
    const CERTAIN: u32 = 1024;

    /// Length of a plane in bytes from which on fewer symbols are sampled.
    const LONG: usize = 32 * 1024;

    /// Length of a plane in bytes from which on a sample can prove it to be noise.
    const SHORTEST: usize = 2 * 1024;

    /// Length of a plane in bytes from which on a sample can prove that it is uniform. Longer
    /// planes are never coded.
    const UNIFORM: usize = 128 * 1024;

    /// Counts 32 of every 929 symbols of a plane, or of every 227 if the plane is short.
    ///
    /// Primes that are not close to multiples of powers of two reach columns in all parts of matrices
    /// soon.
    pub(crate) fn new(plane: &[u8]) -> Self {
        let mut sample = Self::empty();
        match plane.len() {
            Self::LONG.. => sample.add::<929, 0, { Self::RUN }>(plane),
            _ => sample.add::<227, 0, { Self::RUN }>(plane),
        }
        sample
    }

    /// Samples a plane; returns `None` if the sample, or half of it, shows that the plane is noise.
    ///
    /// If half of it has 2,048 symbols, it decides, and the result is this half if `half_suffices`.
    pub(crate) fn unless_noise(plane: &[u8], half_suffices: bool) -> Option<Self> {
        if plane.len() < Self::LONG {
            return match Self::of_varied(plane) {
                Some(sample) => (!sample.is_noise()).then_some(sample),
                None => Some(Self::new(plane)),
            };
        }
        let mut sample = Self::empty();
        sample.add::<929, 0, { Self::RUN / 2 }>(plane);
        if sample.is_noise() {
            return None;
        }
        let is_decided = sample.total >= 2 * Self::CERTAIN;
        if half_suffices && is_decided {
            return Some(sample);
        }
        sample.add::<929, { Self::RUN / 2 }, { Self::RUN }>(plane);
        // The result is the same whether or not half suffices, so that all levels write the same.
        (is_decided || !sample.is_noise()).then_some(sample)
    }

    /// Samples a plane of less than [`Self::LONG`] bytes with enough symbols to prove that it is
    /// noise. Returns `None` if its first symbols show that it is not.
    fn of_varied(plane: &[u8]) -> Option<Self> {
        /// Of 32 symbols of noise, 30 differ on average, with a standard deviation of 1.3.
        const VARIED: usize = 25;
        let mut seen = [false; SYMBOLS];
        for &symbol in plane.first_chunk::<32>()? {
            seen[usize::from(symbol)] = true;
        }
        if plane.len() < Self::SHORTEST || seen.iter().filter(|&&seen| seen).count() < VARIED {
            return None;
        }
        let mut sample = Self::empty();
        match plane.len() {
            ..4096 => sample.add::<53, 0, { Self::RUN }>(plane),
            4096..8192 => sample.add::<109, 0, { Self::RUN }>(plane),
            _ => return Some(Self::new(plane)),
        }
        Some(sample)
    }

    fn empty() -> Self {
        Self { counts: [0; SYMBOLS], total: 0 }
    }

    /// Counts the symbols from `START` to `END` of every `DISTANCE`.
    fn add<const DISTANCE: usize, const START: usize, const END: usize>(&mut self, plane: &[u8]) {
        let mut odd = [0_u16; SYMBOLS];
        for part in plane.as_chunks::<DISTANCE>().0.iter().take(usize::from(u16::MAX) / Self::RUN) {
            for &[a, b] in part[START..END].as_chunks().0 {
                self.counts[usize::from(a)] += 1;
                odd[usize::from(b)] += 1;
            }
            self.total += (END - START) as u32;
        }
        for (count, odd) in self.counts.iter_mut().zip(odd) {
            *count += odd;
        }
    }

    /// Returns the count of each symbol.
    pub(crate) fn counts(&self) -> &[u16; SYMBOLS] {
        &self.counts
    }

    /// Returns the number of symbols that are counted.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Returns the symbol of the sample if there is only one.
    pub(crate) fn only_symbol(&self) -> Option<u8> {
        let symbol = self.counts.iter().position(|&count| count > 0)?;
        (u32::from(self.counts[symbol]) == self.total).then_some(symbol as u8)
    }

    /// Returns whether [`Self::unless_noise`] detects noise, in less time for short planes.
    pub(crate) fn finds_noise(plane: &[u8]) -> bool {
        match plane.len() {
            Self::LONG.. => Self::unless_noise(plane, true).is_none(),
            _ => Self::of_varied(plane).is_some_and(|sample| sample.is_noise()),
        }
    }

    /// Returns whether a sample shows that no code saves a quarter of a per cent of a plane.
    ///
    /// Saving that requires Σp² ≥ 2^-7.98 = 1.014 / 256. Noise has 1 / 256, with a standard deviation
    /// of an eighth of a per cent of that in a sample of 16,384 symbols.
    pub(crate) fn finds_uniform(plane: &[u8]) -> bool {
        if plane.len() < Self::UNIFORM {
            return false;
        }
        let mut sample = Self::empty();
        sample.add::<227, 0, { Self::RUN }>(plane);
        sample.is_flat(1005)
    }

    /// Returns whether the sample shows that no code saves five per cent.
    ///
    /// Returns `false` if the sample is too small for a certain answer.
    ///
    /// No code is shorter than the entropy, which is at least the collision entropy, -log2 Σp².
    /// Saving five per cent of 8 bits per symbol requires Σp² ≥ 2^-7.6 = 1.32 / 256. Noise has
    /// 1 / 256, with a standard deviation of two per cent of that in a sample of 1,024 symbols, and of
    /// half a per cent in one of 4,096.
    fn is_noise(&self) -> bool {
        self.total >= Self::CERTAIN && self.is_flat(1150)
    }

    /// Returns whether the sum of the squares of probabilities is at most `most` thousandths of 1 / 256,
    /// the sum for noise.
    fn is_flat(&self, most: u64) -> bool {
        let counts = self.counts.iter().map(|&count| u64::from(count));
        let collisions: u64 = counts.map(|count| count * count).sum();
        let total = u64::from(self.total);
        (collisions - total) * SYMBOLS as u64 * 1000 <= total * total * most
    }
}

/// Symbols that are frequent in a sample.
#[derive(Clone, Copy)]
pub(crate) struct Frequent {
    symbols: [u8; MAX_FREQUENT],
    len: usize,
}

/// Maximum number of frequent symbols.
pub(crate) const MAX_FREQUENT: usize = 63;
/// Number of symbols that are counted in one pass over a plane.
pub(crate) const PASS: usize = 16;

impl Frequent {
    /// Returns the symbols for which counting in passes is faster than one by one.
    ///
    /// Returns `None` if they are less than half of the sample.
    pub(crate) fn of(sample: &Sample) -> Option<Self> {
        /// The share of the symbols for which a pass takes as long as counting them one by one.
        const SHARE: u32 = 24;
        let mut keys = [0; SYMBOLS];
        let mut present = 0;
        for (symbol, &count) in (0..).zip(&sample.counts) {
            let count = u32::from(count);
            keys[present % SYMBOLS] = count << 8 | symbol;
            present += usize::from(count * SHARE * PASS as u32 >= sample.total);
        }
        if present > 2 * MAX_FREQUENT {
            // Noise of a short plane, for which sorting would take longest.
            return None;
        }
        let keys = &mut keys[..present];
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let mut frequent = Self { symbols: [0; MAX_FREQUENT], len: 0 };
        let mut covered = 0;
        for keys in keys[..present.min(MAX_FREQUENT)].chunks(PASS) {
            let share: u32 = keys.iter().map(|key| key >> 8).sum();
            if share * SHARE < sample.total {
                break;
            }
            for (symbol, &key) in frequent.symbols[frequent.len..].iter_mut().zip(keys) {
                *symbol = key as u8;
            }
            frequent.len += keys.len();
            covered += share;
        }
        (covered * 2 >= sample.total && covered > 0).then_some(frequent)
    }

    /// Returns the symbols, most frequent first.
    pub(crate) fn symbols(&self) -> &[u8] {
        &self.symbols[..self.len]
    }

    /// Returns the position of each symbol in [`Self::symbols`], or `other` if it is not there.
    pub(crate) fn ranks(&self, other: u8) -> [u8; SYMBOLS] {
        let mut ranks = [other; SYMBOLS];
        for (rank, &symbol) in (0..).zip(self.symbols()) {
            ranks[usize::from(symbol)] = rank;
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Returns symbols below `span`, of which lower ones are more frequent if `skewed`.
    fn plane(span: u32, skewed: bool) -> Vec<u8> {
        let hash = |i: u32| (i ^ i >> 15).wrapping_mul(0x9e37_79b9) >> 8;
        let symbol = |i| match skewed {
            true => (hash(i) % span).min(hash(i + 1) % span).min(hash(i + 7) % span),
            false => hash(i) % span,
        };
        (0..131_072).map(|i| symbol(i) as u8).collect()
    }

    #[test]
    fn symbols_are_frequent_while_they_save_time() {
        let frequent =
            |span, skewed| Frequent::of(&Sample::new(&plane(span, skewed))).map(|found| found.len);
        assert_eq!(frequent(1, false), Some(1));
        assert_eq!(frequent(16, false), Some(16));
        assert_eq!(frequent(100, false), Some(MAX_FREQUENT));
        assert_eq!(frequent(256, false), None);
        let skewed = frequent(64, true);
        assert!(skewed > Some(PASS) && skewed < Some(60), "{skewed:?}");
    }

    #[test]
    fn planes_are_uniform_only_if_no_symbol_is_more_frequent() {
        let noise = |len: u32, span: u32| -> Vec<u8> {
            let mixed = |i: u32| (i ^ i >> 15).wrapping_mul(0x2c1b_3c6d);
            let number = |i: u32| mixed(mixed(i.wrapping_mul(0x9e37_79b9))) >> 16;
            (0..len).map(|i| ((number(i) * span) >> 16) as u8).collect()
        };
        const LEN: u32 = Sample::UNIFORM as u32;
        assert!(Sample::finds_uniform(&noise(LEN, 256)));
        assert!(!Sample::finds_uniform(&noise(LEN, 252)));
        assert!(!Sample::finds_uniform(&noise(LEN - 1, 256)));
        // The second half of each row is zero.
        let mut rows = noise(LEN, 256);
        rows.chunks_mut(512).for_each(|row| row[256..].fill(0));
        assert!(!Sample::finds_uniform(&rows));
    }

    #[test]
    fn noise_is_detected_in_planes_of_2_kib() {
        let (noise, skewed) = (plane(256, false), plane(256, true));
        for len in [0, 1, 64, 1000, 2047, 2048, 3000, 4096, 8191, 8192, 32_767, 32_768, 131_072] {
            for (plane, is_noise) in [(&noise, len >= 2048), (&skewed, false)] {
                let plane = &plane[..len];
                assert_eq!(Sample::finds_noise(plane), is_noise, "{len} bytes");
                for half in [false, true] {
                    let found = Sample::unless_noise(plane, half).is_none();
                    assert_eq!(found, is_noise, "{len} bytes");
                }
            }
        }
        assert!(Frequent::of(&Sample::new(&[])).is_none());
    }

    #[test]
    fn columns_of_matrices_are_not_noise() {
        for row_len in [31, 33, 64, 85, 93, 128, 255, 256, 512] {
            for len in [2048, 4096, 8192, 16_384, 65_536, 131_072] {
                // One half of each row is zero.
                for zeros in [0..row_len / 2, row_len / 2..row_len] {
                    let mut plane = plane(256, false);
                    plane.truncate(len);
                    for row in plane.chunks_exact_mut(row_len) {
                        row[zeros.clone()].fill(0);
                    }
                    assert!(!Sample::finds_noise(&plane), "{len} bytes in rows of {row_len}");
                }
            }
        }
    }
}
