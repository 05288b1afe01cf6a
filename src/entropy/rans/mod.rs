//! Range asymmetric numeral systems (rANS) with static tables.
//!
//! A state is a number of 32 bits. A table gives each symbol a part of `2^log` slots. Decoding a
//! symbol takes the lowest `log` bits of the state, the slot, from which the table finds the symbol,
//! its frequency and the offset of the slot in its part. The state becomes `frequency * (state >>
//! log) + offset`. If it is then below 2^16, it becomes `state << 16 | word`, with the next 16-bit
//! word of the stream.
//!
//! Eight states take turns, so that a processor works on eight symbols at the same time. The
//! encoder works backwards, from the last symbol to the first, and each of its states begins with
//! 2^16. So the states of the decoder end with 2^16, which detects most damage.

pub(crate) mod decode;
pub(crate) mod description;
#[cfg(feature = "alloc")]
pub(crate) mod encode;
#[cfg(feature = "alloc")]
pub(crate) mod frequencies;

/// Number of states that take turns.
pub(crate) const LANES: usize = 8;
/// The state of the encoder before the last symbol, and the smallest state between symbols.
pub(crate) const FIRST_STATE: u32 = 1 << 16;
