//! What a decoder sees of a table.

/// Where in an entry the symbols begin, first in the lowest byte. Below them is the number of bits
/// that they take, on which the next look-up waits.
pub(crate) const SYMBOLS_SHIFT: u32 = 8;

/// A table that decodes.
///
/// An entry has the number of bits lowest, then the symbols, and the number of symbols highest,
/// with room for sums: the entries of a round add up to the bits and the symbols of all of them,
/// whatever becomes of the symbols in between.
pub(crate) trait LookUp: Copy {
    /// Bits that a look-up sees.
    const BITS: u32;
    /// Where in an entry the number of symbols begins.
    const COUNT_SHIFT: u32;

    /// Writes the symbols that the lowest bits of `container` stand for to `window`, from `at` on,
    /// perhaps with meaningless bytes behind them. Returns their entry.
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u64;
}
