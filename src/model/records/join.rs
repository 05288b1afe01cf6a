//! Joins the low and high bits of weights, which some records store apart.
//!
//! Low bits are stored as pairs of four bits in a byte. The lower four bits of all bytes form one
//! part with their high bits, the upper four bits another. Eight bytes are processed at a time.

/// Where a record stores the low and the high bits of its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    /// `Q5_0` and `Q5_1`: the fifth bits as an integer of 32 bits, then 16 bytes of low bits. The
    /// lower half of the integer belongs to the lower four bits of the bytes.
    Q5,
    /// `Q5_K`: 32 bytes of fifth bits, then 128 bytes of low bits. Each two bits of a byte belong
    /// to one of the four bytes of low bits at the same offset modulo 32.
    Q5K,
    /// `Q6_K`: 128 bytes of low bits, then 64 bytes of two high bits each. Each half of the low
    /// bits has a half of the high bits. A byte of high bits belongs to the two bytes of low bits
    /// at the same offset modulo 32: first come the bits of their lower weights.
    Q6K,
}

/// Eight bytes.
type Word = [u8; 8];

/// Lowest bit of each byte of a word.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// Lower four bits of each byte of a word.
const LOW: u64 = ONES * 15;

impl Join {
    /// Returns the length of low and high bits in a record, in bytes.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Q5 => 4 + 16,
            Self::Q5K => 32 + 128,
            Self::Q6K => 128 + 64,
        }
    }

    /// Returns half the number of weights of a record.
    pub(super) const fn weights(self) -> usize {
        match self {
            Self::Q5 => 16,
            Self::Q5K | Self::Q6K => 128,
        }
    }

    /// Splits records into a part of all lower and a part of all upper weights.
    pub(super) fn split<'r>(
        self,
        records: impl Iterator<Item = &'r [u8]>,
        lower: &mut [u8],
        upper: &mut [u8],
    ) {
        let parts =
            lower.chunks_exact_mut(self.weights()).zip(upper.chunks_exact_mut(self.weights()));
        for (record, (lower, upper)) in records.zip(parts) {
            let (pairs, bits) = self.fields(record);
            let parts = words_mut(lower).iter_mut().zip(words_mut(upper));
            for (number, (pairs, (lower, upper))) in words(pairs).iter().zip(parts).enumerate() {
                let pairs = u64::from_le_bytes(*pairs);
                let [low, high] = self.high_bits(bits, number);
                *lower = (pairs & LOW | low << 4).to_le_bytes();
                *upper = (pairs >> 4 & LOW | high << 4).to_le_bytes();
            }
        }
    }

    /// Merges both parts into records. It reverses [`Self::split`].
    pub(super) fn merge<'r>(
        self,
        records: impl Iterator<Item = &'r mut [u8]>,
        lower: &[u8],
        upper: &[u8],
    ) {
        let parts = lower.chunks_exact(self.weights()).zip(upper.chunks_exact(self.weights()));
        for (record, (lower, upper)) in records.zip(parts) {
            let (pairs, bits) = self.fields_mut(record);
            bits.fill(0);
            let parts = words(lower).iter().zip(words(upper));
            for (number, (pairs, (lower, upper))) in
                words_mut(pairs).iter_mut().zip(parts).enumerate()
            {
                let [lower, upper] = [lower, upper].map(|part| u64::from_le_bytes(*part));
                *pairs = (lower & LOW | (upper & LOW) << 4).to_le_bytes();
                self.add_high_bits(bits, number, [lower >> 4 & LOW, upper >> 4 & LOW]);
            }
        }
    }

    /// Returns the fields of a record: the low bits of weights in pairs, and their high bits.
    fn fields(self, record: &[u8]) -> (&[u8], &[u8]) {
        match self {
            Self::Q5 | Self::Q5K => {
                let (bits, pairs) = record.split_at(self.len() - self.weights());
                (pairs, bits)
            }
            Self::Q6K => record.split_at(self.weights()),
        }
    }

    fn fields_mut(self, record: &mut [u8]) -> (&mut [u8], &mut [u8]) {
        match self {
            Self::Q5 | Self::Q5K => {
                let (bits, pairs) = record.split_at_mut(self.len() - self.weights());
                (pairs, bits)
            }
            Self::Q6K => record.split_at_mut(self.weights()),
        }
    }

    /// Returns the high bits of eight lower and eight upper weights, each in a byte.
    fn high_bits(self, bits: &[u8], number: usize) -> [u64; 2] {
        match self {
            Self::Q5 => [bits[number % 2], bits[2 + number % 2]].map(spread),
            Self::Q5K | Self::Q6K => {
                let Lanes { word, shifts, mask } = self.lanes(number);
                let bits = words(bits).get(word).map_or(0, |bits| u64::from_le_bytes(*bits));
                shifts.map(|shift| bits >> shift & mask)
            }
        }
    }

    /// Adds the high bits of eight lower and eight upper weights to the field.
    fn add_high_bits(self, bits: &mut [u8], number: usize, high: [u64; 2]) {
        match self {
            Self::Q5 => {
                [bits[number % 2], bits[2 + number % 2]] = high.map(collect);
            }
            Self::Q5K | Self::Q6K => {
                let Lanes { word, shifts, mask } = self.lanes(number);
                if let Some(bits) = words_mut(bits).get_mut(word) {
                    let [low, high] = [0, 1].map(|half| (high[half] & mask) << shifts[half]);
                    *bits = (u64::from_le_bytes(*bits) | low | high).to_le_bytes();
                }
            }
        }
    }

    /// Returns where the high bits of a word of low bits are.
    fn lanes(self, number: usize) -> Lanes {
        let (group, lane) = (number / 4, number % 4);
        match self {
            Self::Q6K => Lanes {
                word: group / 2 * 4 + lane,
                shifts: [group % 2 * 2, 4 + group % 2 * 2],
                mask: ONES * 3,
            },
            Self::Q5 | Self::Q5K => {
                Lanes { word: lane, shifts: [group % 4 * 2, group % 4 * 2 + 1], mask: ONES }
            }
        }
    }
}

/// Where the high bits of eight bytes of low bits are: in the same word, for both halves.
struct Lanes {
    word: usize,
    shifts: [usize; 2],
    mask: u64,
}

fn words(bytes: &[u8]) -> &[Word] {
    bytes.as_chunks().0
}

fn words_mut(bytes: &mut [u8]) -> &mut [Word] {
    bytes.as_chunks_mut().0
}

/// Spreads the bits of a byte over the bytes of a word, the lowest bit to the first byte.
fn spread(bits: u8) -> u64 {
    /// Bit *k* in byte *k*.
    const BITS: u64 = u64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]);
    let selected = (u64::from(bits) * ONES) & BITS;
    // Adding 127 sets the highest bit of each byte with a selected bit.
    (selected + ONES * 127) >> 7 & ONES
}

/// Collects the lowest bit of each byte of a word. It reverses [`spread`].
fn collect(word: u64) -> u8 {
    /// Moves the bit of byte *k* to bit *k* of the highest byte.
    const MOVE: u64 = u64::from_le_bytes([128, 64, 32, 16, 8, 4, 2, 1]);
    ((word & ONES).wrapping_mul(MOVE) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn random(len: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn bits_are_spread_and_collected() {
        for bits in 0..=u8::MAX {
            let word = spread(bits);
            for (position, byte) in word.to_le_bytes().into_iter().enumerate() {
                assert_eq!(byte, bits >> position & 1);
            }
            assert_eq!(collect(word), bits);
        }
    }

    /// Returns both parts, one weight at a time, from the definition of the structs.
    fn split_slowly(join: Join, record: &[u8]) -> [Vec<u8>; 2] {
        let (pairs, bits) = join.fields(record);
        let fifth = u32::from_le_bytes(*bits.first_chunk().unwrap());
        let weight = |byte: usize, half: usize| {
            let low = pairs[byte] >> (4 * half) & 15;
            let (group, lane) = (byte / 32, byte % 32);
            let high = match join {
                Join::Q5 => (fifth >> (byte + 16 * half) & 1) as u8,
                Join::Q5K => bits[lane] >> (2 * group + half) & 1,
                Join::Q6K => bits[group / 2 * 32 + lane] >> (4 * half + group % 2 * 2) & 3,
            };
            low | high << 4
        };
        [0, 1].map(|half| (0..join.weights()).map(|byte| weight(byte, half)).collect())
    }

    #[test]
    fn weights_are_joined_as_the_structs_define() {
        for join in [Join::Q5, Join::Q5K, Join::Q6K] {
            let records = random(join.len() * 20);
            for record in records.chunks(join.len()) {
                let [mut lower, mut upper] = [0, 1].map(|_| alloc::vec![0; join.weights()]);
                join.split([record].into_iter(), &mut lower, &mut upper);
                assert_eq!([lower, upper], split_slowly(join, record), "{join:?}");
            }
        }
    }
}
