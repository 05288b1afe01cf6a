//! Adaptive binary arithmetic coding, for short descriptions that have no tables of their own.
//!
//! The coder keeps an interval of 32-bit numbers. A bit divides the interval in proportion to its
//! probability, and equal leading bytes of both ends are output. Each bit has a model, whose
//! probability follows the bits that it has coded.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Rate at which a model follows its bits: the probability moves by 1/16 of the distance.
const RATE: u32 = 4;

/// The probability that the next bit is 0, in units of 2^-16.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model(u16);

impl Model {
    /// A model for which 0 and 1 are equally likely.
    pub(crate) const NEW: Self = Self(1 << 15);

    fn update(&mut self, bit: bool) {
        // The probability stays between 15 and 2^16 - 15, so that neither bit is impossible.
        match bit {
            false => self.0 += (((1 << 16) - u32::from(self.0)) >> RATE) as u16,
            true => self.0 -= self.0 >> RATE,
        }
    }

    /// Returns the last number of the lower part of an interval, which stands for 0.
    fn middle(self, low: u32, high: u32) -> u32 {
        low + ((u64::from(high - low) * u64::from(self.0)) >> 16) as u32
    }
}

/// Encodes or decodes bits, so that one function describes both directions.
pub(crate) trait BitCoder {
    /// Encodes `bit`, or ignores it and decodes a bit. Returns the bit, and updates its model.
    fn bit(&mut self, model: &mut Model, bit: bool) -> bool;

    /// Codes the `count` lowest bits of a number, the highest bit first.
    ///
    /// Each bit has a model for each value of the bits before it; `N` is at least `2^count`.
    fn tree<const N: usize>(&mut self, models: &mut [Model; N], count: u32, number: u32) -> u32 {
        let mut node = 1;
        for place in (0..count).rev() {
            let bit = self.bit(&mut models[node as usize % N], number >> place & 1 == 1);
            node = node << 1 | u32::from(bit);
        }
        node - (1 << count)
    }

    /// Codes the `count` lowest bits of a number, which are equally likely.
    fn raw(&mut self, count: u32, number: u32) -> u32 {
        (0..count).rev().fold(0, |coded, place| {
            coded << 1 | u32::from(self.bit(&mut { Model::NEW }, number >> place & 1 == 1))
        })
    }
}

impl BitCoder for BitDecoder<'_> {
    fn bit(&mut self, model: &mut Model, _: bool) -> bool {
        self.decode(model)
    }

    fn raw(&mut self, count: u32, _: u32) -> u32 {
        (0..count).fold(0, |coded, _| coded << 1 | self.decode_even())
    }
}

#[cfg(feature = "alloc")]
impl BitCoder for BitEncoder {
    fn bit(&mut self, model: &mut Model, bit: bool) -> bool {
        self.encode(model, bit);
        bit
    }
}

/// Models of a signed number that is close to 0.
pub(crate) struct SignedModels {
    is_other: Model,
    is_negative: Model,
    lens: [Model; Self::MAX_LEN as usize + 1],
}

impl SignedModels {
    /// Largest length of a number in bits, without the highest bit.
    const MAX_LEN: u32 = 12;

    pub(crate) fn new() -> Self {
        Self { is_other: Model::NEW, is_negative: Model::NEW, lens: [Model::NEW; _] }
    }

    /// Codes a number whose magnitude is below `2^(MAX_LEN + 1)`.
    pub(crate) fn number(&mut self, coder: &mut impl BitCoder, number: i32) -> i32 {
        if !coder.bit(&mut self.is_other, number != 0) {
            return 0;
        }
        let is_negative = coder.bit(&mut self.is_negative, number < 0);
        let magnitude = self.magnitude(coder, number.unsigned_abs()) as i32;
        if is_negative { -magnitude } else { magnitude }
    }

    /// Codes a number from 1 to `2^(MAX_LEN + 1) - 1`.
    fn magnitude(&mut self, coder: &mut impl BitCoder, number: u32) -> u32 {
        let len = (u32::BITS - 1).saturating_sub(number.leading_zeros());
        let mut coded = 0;
        while coded < Self::MAX_LEN && coder.bit(&mut self.lens[coded as usize], coded < len) {
            coded += 1;
        }
        1 << coded | coder.raw(coded, number)
    }
}

/// Decodes bits.
#[derive(Debug, Clone)]
pub(crate) struct BitDecoder<'a> {
    rest: &'a [u8],
    low: u32,
    high: u32,
    /// The number in the interval that the next bytes of the input are.
    code: u32,
    /// Number of bytes taken after the end of the input.
    missing: usize,
}

impl<'a> BitDecoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { rest: bytes, low: 0, high: u32::MAX, code: 0, missing: 0 };
        for _ in 0..4 {
            decoder.take_byte();
        }
        decoder
    }

    /// Appends the next byte of the input to the code. After the end, the bytes are zeros.
    fn take_byte(&mut self) {
        let byte = match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                byte
            }
            None => {
                self.missing += 1;
                0
            }
        };
        self.code = self.code << 8 | u32::from(byte);
    }

    fn decode(&mut self, model: &mut Model) -> bool {
        let middle = model.middle(self.low, self.high);
        let bit = self.code > middle;
        match bit {
            false => self.high = middle,
            true => self.low = middle + 1,
        }
        model.update(bit);
        self.take_bytes();
        bit
    }

    /// Decodes a bit that is as likely 0 as 1, without a branch that could not be predicted.
    fn decode_even(&mut self) -> u32 {
        let middle = self.low + ((self.high - self.low) >> 1);
        let bit = u32::from(self.code > middle);
        let mask = 0_u32.wrapping_sub(bit);
        self.low ^= (self.low ^ middle.wrapping_add(1)) & mask;
        self.high ^= (self.high ^ middle) & !mask;
        self.take_bytes();
        bit
    }

    /// Takes a byte for each leading byte that both ends of the interval share.
    fn take_bytes(&mut self) {
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            self.take_byte();
        }
    }

    /// Returns whether the decoder has read the whole input, and no more than it has looked ahead.
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty() && self.missing <= 4
    }
}

/// Encodes bits.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub(crate) struct BitEncoder {
    bytes: Vec<u8>,
    low: u32,
    high: u32,
}

#[cfg(feature = "alloc")]
impl BitEncoder {
    /// Creates an encoder that reuses memory.
    pub(crate) fn new(mut memory: Vec<u8>) -> Self {
        memory.clear();
        Self { bytes: memory, low: 0, high: u32::MAX }
    }

    fn encode(&mut self, model: &mut Model, bit: bool) {
        let middle = model.middle(self.low, self.high);
        match bit {
            false => self.high = middle,
            true => self.low = middle + 1,
        }
        model.update(bit);
        while (self.low ^ self.high) >> 24 == 0 {
            self.bytes.push((self.low >> 24) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
        }
    }

    /// Returns the bytes, followed by the fewest bytes that determine the last bits.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        // The decoder reads zeros after the end.
        let last = (0..4)
            .map(|len| {
                let below = u32::MAX.checked_shr(8 * len).unwrap_or(0);
                (len, self.low.checked_add(below).map(|number| number & !below))
            })
            .find_map(|(len, number)| Some((len, number.filter(|&number| number <= self.high)?)));
        let (len, number) = last.unwrap_or((4, self.low));
        self.bytes.extend_from_slice(&number.to_be_bytes()[..len as usize]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Returns bits with different frequencies of ones.
    fn bits() -> Vec<(usize, bool)> {
        let mut state = 1_u32;
        (0..20_000)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (i % 3, (state >> 24) < [2, 128, 250][i % 3])
            })
            .collect()
    }

    #[test]
    fn bits_are_restored() {
        let bits = bits();
        for len in [0, 1, 2, 3, 7, 100, 20_000] {
            let mut models = [Model::NEW; 3];
            let mut encoder = BitEncoder::new(Vec::new());
            for &(model, bit) in &bits[..len] {
                encoder.bit(&mut models[model], bit);
            }
            let bytes = encoder.finish();
            let mut models = [Model::NEW; 3];
            let mut decoder = BitDecoder::new(&bytes);
            for &(model, bit) in &bits[..len] {
                assert_eq!(decoder.bit(&mut models[model], false), bit);
            }
            assert!(decoder.is_at_end(), "{len} bits in {} bytes", bytes.len());
            if len == 20_000 {
                assert!(bytes.len() < 20_000 / 8 * 2 / 4, "{}", bytes.len());
            }
        }
    }

    #[test]
    fn numbers_are_restored() {
        let mut models = [Model::NEW; 16];
        let mut encoder = BitEncoder::new(Vec::new());
        for number in 0..100 {
            encoder.tree(&mut models, 4, number % 16);
            encoder.raw(7, number);
        }
        let bytes = encoder.finish();
        let mut models = [Model::NEW; 16];
        let mut decoder = BitDecoder::new(&bytes);
        for number in 0..100 {
            assert_eq!(decoder.tree(&mut models, 4, 0), number % 16);
            assert_eq!(decoder.raw(7, 0), number);
        }
    }

    #[test]
    fn any_bytes_decode_to_bits() {
        for byte in 0..=255 {
            let bytes = [byte; 5];
            let mut models = [Model::NEW; 2];
            let mut decoder = BitDecoder::new(&bytes);
            let ones = (0..1000).filter(|i| decoder.bit(&mut models[i % 2], false)).count();
            assert_eq!(ones == 0, byte == 0);
        }
    }
}
