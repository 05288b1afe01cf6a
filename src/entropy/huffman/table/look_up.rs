//! The interface between a decoder and its table.

/// Offset of an entry's symbols in bits, the first symbol lowest.
///
/// Below is their length in bits, because the next look-up waits for it.
pub(crate) const SYMBOLS_SHIFT: u32 = 8;

/// A decoding table.
///
/// An entry holds a number of bits lowest, then symbols, and the number of symbols highest. The
/// numbers have room for sums: adding the entries of a round gives its numbers of bits and symbols,
/// with meaningless bits between them.
pub(crate) trait LookUp: Copy {
    /// Bits that select an entry.
    const BITS: u32;
    /// Offset of the number of symbols in an entry.
    const COUNT_SHIFT: u32;

    /// Writes the symbols of the lowest bits of `container` to `window` and returns their entry.
    ///
    /// The symbols start at `at`. Meaningless bytes may follow them.
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u64;
}
