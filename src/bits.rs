//! Readers and writers of bit strings.
//!
//! Writers append bits from the least significant bit of the first byte upwards. Readers of Huffman
//! and FSE streams start at an end mark and go backwards; readers of FSE table descriptions go
//! forwards.

/// Reads a bit string backwards (RFC 8878, section 4.1).
///
/// The highest set bit of the last byte is the end mark. The bits below it follow from high to low.
#[derive(Debug, Clone)]
pub(crate) struct BackwardReader<'a> {
    bytes: &'a [u8],
    /// Number of bits not read yet.
    left: usize,
}

impl<'a> BackwardReader<'a> {
    /// Creates a reader; returns `None` if there is no end mark.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let last = *bytes.last().filter(|&&last| last != 0)?;
        let left = bytes.len().checked_mul(8)? - last.leading_zeros() as usize - 1;
        Some(Self { bytes, left })
    }

    /// Creates a reader of a copy of `bytes` in `space`, if it leaves room for zeros after them.
    ///
    /// With them, reading near the end takes no longer than elsewhere.
    pub(crate) fn padded<const SPACE: usize>(
        bytes: &'a [u8],
        space: &'a mut [u8; SPACE],
    ) -> Option<Self> {
        let reader = Self::new(bytes)?;
        if bytes.len() + size_of::<u32>() > SPACE {
            return Some(reader);
        }
        space[..bytes.len()].copy_from_slice(bytes);
        Some(Self { bytes: space, ..reader })
    }

    /// Returns the number of bits not read yet.
    pub(crate) fn bits_left(&self) -> usize {
        self.left
    }

    /// Returns the next `count` bits (1 to 16) without consuming them, zero-padded at the end.
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

    /// Consumes `count` bits; returns `None` if there are fewer.
    pub(crate) fn skip(&mut self, count: u32) -> Option<()> {
        self.left = self.left.checked_sub(count as usize)?;
        Some(())
    }

    /// Reads the next `count` bits (0 to 16); returns `None` if there are fewer.
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

    /// Returns the next `count` bits (0 to 16) without consuming them, zero-padded at the end.
    pub(crate) fn peek(&self, count: u32) -> u32 {
        let mut window = [0; 4];
        for (to, &byte) in
            window.iter_mut().zip(self.bytes.get(self.used / 8..).unwrap_or_default())
        {
            *to = byte;
        }
        (u32::from_le_bytes(window) >> (self.used % 8)) & ((1 << count) - 1)
    }

    /// Consumes `count` bits; returns `None` if there are fewer.
    pub(crate) fn skip(&mut self, count: u32) -> Option<()> {
        let used = self.used + count as usize;
        (used <= self.bytes.len() * 8).then(|| self.used = used)
    }

    /// Returns the number of consumed bytes, including a partly consumed one.
    pub(crate) fn bytes_used(&self) -> usize {
        self.used.div_ceil(8)
    }
}

/// Writes bits from the least significant one of the first byte upwards.
#[derive(Debug)]
pub(crate) struct ForwardWriter<'a> {
    /// The memory after the finished bytes.
    room: &'a mut [u8],
    /// Length of the whole memory in bytes.
    capacity: usize,
    /// The bits after the finished bytes; the oldest bit is the lowest.
    pending: u64,
    pending_bits: u32,
}

impl<'a> ForwardWriter<'a> {
    pub(crate) fn new(room: &'a mut [u8]) -> Self {
        let capacity = room.len();
        Self { room, capacity, pending: 0, pending_bits: 0 }
    }

    /// Appends the `count` bits of `value`; at most 56 bits may be appended between two flushes.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: u32, count: u32) {
        self.pending |= u64::from(value) << (self.pending_bits % u64::BITS);
        self.pending_bits += count;
    }

    /// Appends the `count` bits (0 to 32) of `value` and flushes; returns `None` without room.
    pub(crate) fn write(&mut self, value: u32, count: u32) -> Option<()> {
        self.push(value, count);
        self.flush()
    }

    /// Moves complete bytes to the output; returns `None` if there is no room.
    #[inline(always)]
    pub(crate) fn flush(&mut self) -> Option<()> {
        let finished = self.pending_bits / 8;
        if finished as usize > self.room.len() {
            return None;
        }
        let room = core::mem::take(&mut self.room);
        self.room = store(room, self.pending.to_le_bytes(), finished as usize);
        self.pending = self.pending.checked_shr(finished * 8).unwrap_or_default();
        self.pending_bits %= 8;
        Some(())
    }

    /// Pads the last byte with zeros and returns the length in bytes; `None` if there is no room.
    pub(crate) fn finish(mut self) -> Option<usize> {
        self.pending_bits = self.pending_bits.next_multiple_of(8);
        self.flush()?;
        Some(self.capacity - self.room.len())
    }
}

/// Writes the first `len` bytes of `bytes` and returns the rest of the memory.
///
/// It also writes the remaining bytes where there is room, because a store of fixed length is
/// faster. The caller overwrites or ignores them.
#[inline(always)]
pub(crate) fn store(room: &mut [u8], bytes: [u8; 8], len: usize) -> &mut [u8] {
    match room.first_chunk_mut() {
        Some(window) => {
            *window = bytes;
            &mut room[len..]
        }
        None => store_at_end(room, bytes, len),
    }
}

#[cold]
fn store_at_end(room: &mut [u8], bytes: [u8; 8], len: usize) -> &mut [u8] {
    for (to, byte) in room.iter_mut().zip(bytes) {
        *to = byte;
    }
    room.get_mut(len..).unwrap_or_default()
}

/// Returns a number in groups of seven bits, the lowest first, and the bytes after it.
pub(crate) fn number_at(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (place, &byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            let number = u32::try_from(number).ok()?;
            return Some((number as usize, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers and their widths in bits, 77 bits in total.
    const NUMBERS: [(u32, u32); 6] =
        [(5, 3), (0, 0), (0xffff, 16), (0x1234_5678, 32), (1, 9), (7, 17)];

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let mut bytes = [0xaa; 20];
        let mut writer = ForwardWriter::new(&mut bytes);
        for (value, count) in NUMBERS {
            writer.write(value, count).unwrap();
        }
        assert_eq!(writer.finish(), Some(10));
        let mut reader = ForwardReader::new(&bytes[..10]);
        for (value, count) in NUMBERS.into_iter().filter(|&(_, count)| count <= 16) {
            if value == 1 {
                reader.skip(32).unwrap();
            }
            assert_eq!(reader.peek(count), value);
            reader.skip(count).unwrap();
        }
        assert_eq!(reader.bytes_used(), 8);
    }

    #[test]
    fn backward_readers_return_the_last_number_first() {
        let mut bytes = [0; 12];
        let mut writer = ForwardWriter::new(&mut bytes);
        for (value, count) in [(0x5a5, 11), (3, 2), (0, 0), (0x7ffe, 15), (1, 1)] {
            writer.write(value, count).unwrap();
        }
        let len = writer.finish().unwrap();
        let mut reader = BackwardReader::new(&bytes[..len]).unwrap();
        assert_eq!(reader.bits_left(), 28);
        assert_eq!([15, 0, 2].map(|count| reader.read(count)), [Some(0x7ffe), Some(0), Some(3)]);
        assert_eq!(reader.peek(13), 0x5a5 << 2, "zeros follow the last bit");
        assert_eq!(reader.read(12), None);
        assert_eq!(reader.read(11), Some(0x5a5));
        assert!(BackwardReader::new(&[1, 0]).is_none() && BackwardReader::new(&[]).is_none());
    }

    #[test]
    fn writers_need_room_for_finished_bytes_only() {
        for room in 0..20 {
            let mut bytes = [0x55; 20];
            let mut writer = ForwardWriter::new(&mut bytes[..room]);
            let written = NUMBERS.iter().try_for_each(|&(value, count)| writer.write(value, count));
            let len = written.and_then(|()| writer.finish());
            assert_eq!(len, (room >= 10).then_some(10), "{room}");
            assert_eq!(bytes[room..], [0x55; 20][room..]);
        }
    }
}
