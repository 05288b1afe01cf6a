//! The interface between a decoder and its table.

/// Offset of an entry's symbols in bits, the first symbol lowest.
///
/// The lower bits hold the length of the symbols in bits, because the next look-up waits for it.
pub(crate) const SYMBOLS_SHIFT: u32 = 8;

/// A decoding table.
///
/// An entry contains, from the lowest bit upwards, a number of bits, the symbols, and the number of
/// symbols. Both numbers have space for sums: the sum of the entries of a round contains its
/// numbers of bits and of symbols, with meaningless bits between them.
pub(crate) trait LookUp: Copy {
    /// Number of bits that select an entry.
    const BITS: u32;
    /// Offset of the number of symbols in an entry, in bits.
    const COUNT_SHIFT: u32;

    /// Writes the symbols of the lowest bits of `container` to `window` and returns their entry.
    ///
    /// The symbols start at `at`. Meaningless bytes may follow them.
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u64;
}
