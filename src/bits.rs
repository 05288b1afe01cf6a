//! Bit strings in bytes: written forwards, least significant bit first; read backwards from an
//! end mark, as Huffman and FSE streams are, or forwards, as FSE's probability table is.

/// Reads a backward bit string: the highest set bit of the last byte is the end mark, and the bits
/// below it come out from high to low (RFC 8878, section 4.1).
#[derive(Debug, Clone)]
pub(crate) struct BackwardReader<'a> {
    bytes: &'a [u8],
    /// Bits that have not been read.
    left: usize,
}

impl<'a> BackwardReader<'a> {
    /// `None` if there is no end mark.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let last = *bytes.last().filter(|&&last| last != 0)?;
        let left = bytes.len().checked_mul(8)? - last.leading_zeros() as usize - 1;
        Some(Self { bytes, left })
    }

    /// A reader with `left` bits to go, below an end mark that was found before.
    pub(crate) fn with_bits_left(bytes: &'a [u8], left: usize) -> Self {
        debug_assert!(left <= bytes.len() * 8);
        Self { bytes, left }
    }

    pub(crate) fn bits_left(&self) -> usize {
        self.left
    }

    /// The next `count` bits (1 to 16), zero-filled past the end, without using them up.
    pub(crate) fn peek(&self, count: u32) -> usize {
        let wanted = count as usize;
        let (from, missing) = match self.left.checked_sub(wanted) {
            Some(from) => (from, 0),
            None => (0, wanted - self.left),
        };
        let behind = self.bytes.get(from / 8..).unwrap_or_default();
        let window = behind.first_chunk().copied().unwrap_or_else(|| {
            let mut window = [0; 4];
            window[..behind.len()].copy_from_slice(behind);
            window
        });
        let above = u32::from_le_bytes(window) >> (from % 8);
        let kept = wanted - missing;
        (above as usize & ((1 << kept) - 1)) << missing
    }

    /// Uses up `count` bits; `None` if there are fewer.
    pub(crate) fn skip(&mut self, count: u32) -> Option<()> {
        self.left = self.left.checked_sub(count as usize)?;
        Some(())
    }

    /// The next `count` bits (0 to 16); `None` if there are fewer.
    pub(crate) fn read(&mut self, count: u32) -> Option<usize> {
        let value = if count == 0 { 0 } else { self.peek(count) };
        self.skip(count)?;
        Some(value)
    }
}

/// Reads bits from the least significant one of the first byte upwards.
#[derive(Debug, Clone)]
pub(crate) struct ForwardReader<'a> {
    bytes: &'a [u8],
    used: usize,
}

impl<'a> ForwardReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, used: 0 }
    }

    /// The next `count` bits (0 to 16), zero-filled past the end, without using them up.
    pub(crate) fn peek(&self, count: u32) -> u32 {
        let mut window = [0; 4];
        for (to, &byte) in
            window.iter_mut().zip(self.bytes.get(self.used / 8..).unwrap_or_default())
        {
            *to = byte;
        }
        (u32::from_le_bytes(window) >> (self.used % 8)) & ((1 << count) - 1)
    }

    /// Uses up `count` bits; `None` if there are fewer.
    pub(crate) fn skip(&mut self, count: u32) -> Option<()> {
        let used = self.used + count as usize;
        (used <= self.bytes.len() * 8).then(|| self.used = used)
    }

    /// The bytes that have been begun.
    pub(crate) fn bytes_used(&self) -> usize {
        self.used.div_ceil(8)
    }
}

/// Writes bits from the least significant one of the first byte upwards.
#[derive(Debug)]
pub(crate) struct ForwardWriter<'a> {
    bytes: &'a mut [u8],
    len: usize,
    pending: u64,
    pending_bits: u32,
}

impl<'a> ForwardWriter<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0, pending: 0, pending_bits: 0 }
    }

    /// Appends the low `count` bits (0 to 32) of `value`; `None` if there is no room.
    pub(crate) fn write(&mut self, value: u32, count: u32) -> Option<()> {
        let value = u64::from(value) & ((1 << count) - 1);
        self.pending |= value << self.pending_bits;
        self.pending_bits += count;
        while self.pending_bits >= 8 {
            self.push_byte()?;
        }
        Some(())
    }

    /// Pads with zeros to a whole byte and returns the number of bytes.
    pub(crate) fn finish(mut self) -> Option<usize> {
        if self.pending_bits > 0 {
            self.push_byte()?;
        }
        Some(self.len)
    }

    fn push_byte(&mut self) -> Option<()> {
        *self.bytes.get_mut(self.len)? = self.pending as u8;
        self.len += 1;
        self.pending >>= 8;
        self.pending_bits = self.pending_bits.saturating_sub(8);
        Some(())
    }
}
