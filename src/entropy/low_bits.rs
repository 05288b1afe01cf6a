//! Bits that are stored as they are, from the lowest bit of the first byte upwards.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Reads numbers of up to 32 bits.
pub(crate) struct LowBits<'a> {
    rest: &'a [u8],
    /// Bits that have been read ahead, of which `count` are valid.
    ahead: u64,
    count: u32,
    /// Whether more bits were requested than exist.
    is_short: bool,
}

impl<'a> LowBits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, ahead: 0, count: 0, is_short: false }
    }

    /// Reads ahead at least 32 bits, unless the input ends.
    #[inline(always)]
    fn refill(&mut self) {
        if let Some(next) = self.rest.first_chunk() {
            self.ahead |= u64::from_le_bytes(*next) << self.count;
            let bytes = (63 - self.count) / 8;
            self.rest = &self.rest[bytes as usize..];
            self.count += 8 * bytes;
        } else {
            self.refill_at_end();
        }
    }

    #[cold]
    fn refill_at_end(&mut self) {
        while self.count <= 56
            && let Some((&byte, rest)) = self.rest.split_first()
        {
            self.ahead |= u64::from(byte) << self.count;
            self.count += 8;
            self.rest = rest;
        }
    }

    /// Reads the next `count` bits, at most 32. After the end of the input, they are zeros.
    #[inline(always)]
    pub(crate) fn take(&mut self, count: u32) -> u32 {
        if self.count < count {
            // Bits above `count` may have been read ahead without being counted.
            self.ahead &= (1 << self.count) - 1;
            self.refill();
            if self.count < count {
                self.is_short = true;
                return 0;
            }
        }
        let bits = self.ahead & ((1 << count) - 1);
        self.ahead >>= count;
        self.count -= count;
        bits as u32
    }

    /// Returns whether exactly all bits have been read, except zeros in the last byte.
    pub(crate) fn is_at_end(&self) -> bool {
        let is_zero = self.ahead & ((1_u64 << self.count.min(63)) - 1) == 0;
        !self.is_short && self.rest.is_empty() && self.count < 8 && is_zero
    }
}

/// Writes numbers of up to 32 bits.
#[cfg(feature = "alloc")]
#[derive(Debug, Default)]
pub(crate) struct LowBitsWriter {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

#[cfg(feature = "alloc")]
impl LowBitsWriter {
    /// Removes all bits and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.pending, self.count) = (0, 0);
    }

    /// Appends the `count` lowest bits of a number, at most 32. Its higher bits are 0.
    #[inline(always)]
    pub(crate) fn put(&mut self, count: u32, bits: u32) {
        self.pending |= u64::from(bits) << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.count -= 32;
        }
    }

    /// Completes the last byte, and returns all bytes.
    pub(crate) fn finish(&mut self) -> &[u8] {
        let len = self.count.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..len]);
        (self.pending, self.count) = (0, 0);
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_restored() {
        let numbers = || (0..2000_u32).map(|i| (i % 33, i.wrapping_mul(0x9e37_79b9)));
        let low = |count: u32, bits: u32| bits & ((1_u64 << count) - 1) as u32;
        for len in [0, 1, 2, 5, 13, 40, 2000] {
            let mut writer = LowBitsWriter::default();
            for (count, bits) in numbers().take(len) {
                writer.put(count, low(count, bits));
            }
            let bytes = writer.finish();
            let mut reader = LowBits::new(bytes);
            for (count, bits) in numbers().take(len) {
                assert_eq!(reader.take(count), low(count, bits));
            }
            assert!(reader.is_at_end());
            assert_eq!(reader.take(8), 0);
            assert!(!reader.is_at_end());
        }
    }

    #[test]
    fn leftover_bits_are_detected() {
        let mut reader = LowBits::new(&[0, 0]);
        reader.take(8);
        assert!(!reader.is_at_end());
        let mut reader = LowBits::new(&[0x10]);
        reader.take(4);
        assert!(!reader.is_at_end());
    }
}
