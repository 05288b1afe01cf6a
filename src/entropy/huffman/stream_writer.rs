//! Writes one of the four streams of a coded plane.

use crate::bits;
use crate::entropy::huffman::code::Symbols;

/// A stream that is being written.
#[derive(Default)]
pub(crate) struct StreamWriter<'a> {
    /// Where finished bytes go: exactly the room that the stream takes.
    room: &'a mut [u8],
    /// Bits that are not in the output yet, the oldest lowest, the last one highest. The bits below
    /// them are meaningless.
    pending: u64,
    /// How many.
    pending_bits: u32,
}

/// Pending bits that fit beside meaningless ones: the length of the last code.
const CONTAINER_BITS: u32 = 64 - 6;

/// Most bits that [`StreamWriter::write_bits`] accepts. Up to seven may be pending before.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
pub(crate) const MAX_UNIT_BITS: u64 = 64 - 7;

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

    /// Appends a code. At most [`CONTAINER_BITS`] may be pending when they are flushed.
    #[inline(always)]
    fn push(&mut self, code: Symbols) {
        self.pending = self.pending >> code.len() | code.0;
        self.pending_bits += code.len();
    }

    /// Moves the finished bytes to the output.
    #[inline(always)]
    fn flush(&mut self) {
        let finished = (self.pending_bits / 8) as usize;
        let bytes = (self.pending >> (self.pending_bits.wrapping_neg() % 64)).to_le_bytes();
        let room = core::mem::take(&mut self.room);
        // Only the rare case is left to another function, which takes the room instead of the writer,
        // so that the writer can live in registers.
        self.room = match room.first_chunk_mut() {
            Some(window) => {
                *window = bytes;
                &mut room[finished..]
            }
            None => bits::store(room, bytes, finished).unwrap_or_default(),
        };
        self.pending_bits %= 8;
    }

    /// Writes the highest `len` of `bits`: 1 to [`MAX_UNIT_BITS`], and zeros below them.
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    #[inline(always)]
    pub(crate) fn write_bits(&mut self, bits: u64, len: u64) {
        self.pending = self.pending >> (len % 64) | bits;
        self.pending_bits += len as u32;
        self.flush();
    }

    /// Writes the codes of a run of units, last first.
    ///
    /// Writes them at once if they fit into the container together.
    #[inline(always)]
    pub(crate) fn write<const UNIT: usize, const RUN: usize>(
        &mut self,
        run: &[[u8; UNIT]; RUN],
        code: impl Fn([u8; UNIT]) -> Symbols,
    ) {
        let (mut pending, mut pending_bits) = (self.pending, u64::from(self.pending_bits));
        for &unit in run.iter().rev() {
            let code = code(unit);
            pending = pending >> code.len() | code.0;
            pending_bits = pending_bits.wrapping_add(code.0);
        }
        let pending_bits = u32::from(pending_bits as u8);
        if pending_bits <= CONTAINER_BITS {
            (self.pending, self.pending_bits) = (pending, pending_bits);
            self.flush();
        } else {
            // The writer is moved and not borrowed, so that it can live in registers elsewhere.
            *self = core::mem::take(self).write_one_by_one(run, code);
        }
    }

    /// Writes the codes of units, last first, without expecting several to fit into the container.
    #[cold]
    #[inline(never)]
    pub(crate) fn write_one_by_one<const UNIT: usize>(
        mut self,
        units: &[[u8; UNIT]],
        code: impl Fn([u8; UNIT]) -> Symbols,
    ) -> Self {
        for &unit in units.iter().rev() {
            self.push(code(unit));
            self.flush();
        }
        self
    }

    /// Writes the end mark.
    pub(crate) fn finish(mut self) {
        self.push(Symbols::new(1, 1));
        self.flush();
        let unfinished = usize::from(self.pending_bits > 0);
        debug_assert_eq!(unfinished, self.room.len(), "a plan knows the size of each stream");
    }
}
