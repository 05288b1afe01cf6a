//! Writes one of the four streams of a coded plane.

use crate::bits;
use crate::entropy::huffman::code::Codeword;

/// Writes a stream into memory of exactly its length.
///
/// Unlike [`ForwardWriter`](bits::ForwardWriter), it keeps the newest bits highest. To append is a
/// single shift by the length of the codeword, which does not wait for the number of pending bits.
#[derive(Default)]
pub(crate) struct StreamWriter<'a> {
    /// The memory after the finished bytes.
    room: &'a mut [u8],
    /// The bits after the finished bytes; the newest bit is the highest. Lower bits are
    /// meaningless.
    pending: u64,
    /// Number of pending bits.
    pending_bits: u8,
}

/// Maximum number of pending bits: the lowest six bits hold the length of the last codeword.
const CONTAINER_BITS: u8 = 64 - 6;

/// The parts of a writer: the memory after the finished bytes, the pending bits, of which the
/// oldest is the lowest, and their number, at most 7.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
pub(crate) type Parts<'a> = (&'a mut [u8], u64, u64);

/// Appends up to 56 bits to the parts of a writer.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn append((room, pending, pending_len): Parts<'_>, bits: u64, len: u64) -> Parts<'_> {
    let pending = pending | bits.wrapping_shl(pending_len as u32);
    let len = pending_len + len;
    let room = bits::store(room, pending.to_le_bytes(), (len / 8 % 8) as usize);
    (room, pending.wrapping_shr(len as u32 & 56), len % 8)
}

impl<'a> StreamWriter<'a> {
    /// Begins a stream that fills `room`.
    pub(crate) fn new(room: &'a mut [u8]) -> Self {
        Self { room, pending: 0, pending_bits: 0 }
    }

    /// Returns the bytes that are not written yet.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    pub(crate) fn room_len(&self) -> usize {
        self.room.len()
    }

    /// Continues a stream: `room` is the memory after `len` (0 to 7) bits, the lowest of `bits`.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    pub(crate) fn from_parts(room: &'a mut [u8], bits: u64, len: u64) -> Self {
        Self { room, pending: bits.rotate_right(len as u32), pending_bits: len as u8 }
    }

    /// Returns the memory after the finished bytes, and the pending bits and their number.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    pub(crate) fn into_parts(self) -> Parts<'a> {
        let len = u32::from(self.pending_bits);
        let bits = self.pending.rotate_left(len) & ((1 << len) - 1);
        (self.room, bits, len.into())
    }

    /// Appends a codeword; at most [`CONTAINER_BITS`] may be pending at the next flush.
    #[inline(always)]
    fn push(&mut self, codeword: Codeword) {
        self.pending = self.pending >> codeword.len() | codeword.0;
        self.pending_bits += codeword.0 as u8;
    }

    /// Moves complete bytes to the output.
    #[inline(always)]
    fn flush(&mut self) {
        let finished = (self.pending_bits / 8) as usize;
        let bytes = (self.pending >> (self.pending_bits.wrapping_neg() % 64)).to_le_bytes();
        let room = core::mem::take(&mut self.room);
        // The memory is passed instead of the writer, so that the writer can stay in registers.
        self.room = bits::store(room, bytes, finished);
        self.pending_bits %= 8;
    }

    /// Encodes a run of units, last first.
    ///
    /// It appends all codewords before it checks whether they fit into the container. If they do
    /// not, it starts again and flushes after each codeword.
    #[inline(always)]
    pub(crate) fn write<const UNIT: usize, const RUN: usize>(
        &mut self,
        run: &[[u8; UNIT]; RUN],
        codeword: impl Fn([u8; UNIT]) -> Codeword,
    ) {
        let (mut pending, mut pending_bits) = (self.pending, u64::from(self.pending_bits));
        for &unit in run.iter().rev() {
            let codeword = codeword(unit);
            pending = pending >> codeword.len() | codeword.0;
            pending_bits = pending_bits.wrapping_add(codeword.0);
        }
        let pending_bits = pending_bits as u8;
        if pending_bits <= CONTAINER_BITS {
            (self.pending, self.pending_bits) = (pending, pending_bits);
            self.flush();
        } else {
            // The writer is moved instead of borrowed, so that it can stay in registers in the
            // common case.
            *self = core::mem::take(self).write_one_by_one(run, codeword);
        }
    }

    /// Encodes units, last first, and flushes after each.
    #[cold]
    #[inline(never)]
    pub(crate) fn write_one_by_one<const UNIT: usize>(
        mut self,
        units: &[[u8; UNIT]],
        codeword: impl Fn([u8; UNIT]) -> Codeword,
    ) -> Self {
        for &unit in units.iter().rev() {
            self.push(codeword(unit));
            self.flush();
        }
        self
    }

    /// Writes the end mark.
    pub(crate) fn finish(mut self) {
        self.push(Codeword::new(1, 1));
        self.flush();
        let unfinished = usize::from(self.pending_bits > 0);
        debug_assert_eq!(unfinished, self.room.len(), "a stream has its planned length");
    }
}
