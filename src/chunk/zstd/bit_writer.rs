//! Bits of FSE-coded sequences: least significant bit first.

/// Writes to memory that has some room to spare behind what is written.
pub(super) struct BitWriter<'a> {
    room: &'a mut [u8],
    /// Bytes that are finished.
    len: usize,
    /// Bits that are not in `room` yet, the oldest lowest.
    pending: u64,
    pending_bits: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        Self { room, len: 0, pending: 0, pending_bits: 0 }
    }

    /// Appends a number of so many bits. Between two flushes there may be 56 bits.
    #[inline(always)]
    pub(super) fn push(&mut self, value: u32, bits: u32) {
        self.pending |= u64::from(value) << (self.pending_bits % u64::BITS);
        self.pending_bits += bits;
    }

    /// Moves the finished bytes to the output; `None` if there is no room.
    #[inline(always)]
    pub(super) fn flush(&mut self) -> Option<()> {
        *self.room.get_mut(self.len..)?.first_chunk_mut()? = self.pending.to_le_bytes();
        let finished = self.pending_bits / 8;
        self.len += finished as usize;
        self.pending = self.pending.checked_shr(finished * 8).unwrap_or_default();
        self.pending_bits %= 8;
        Some(())
    }

    /// Pads with zeros to a whole byte, and returns the number of bytes.
    pub(super) fn finish(self) -> Option<usize> {
        let len = self.len + usize::from(self.pending_bits > 0);
        (len <= self.room.len()).then_some(len)
    }
}
