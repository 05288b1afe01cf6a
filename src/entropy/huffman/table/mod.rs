//! Decoding tables: they map the next bits of a stream to symbols.

pub(crate) mod adaptive;
pub(crate) mod choice;
pub(crate) mod look_up;
pub(crate) mod multi;
pub(crate) mod pair;
pub(crate) mod single;

pub use adaptive::DecodeTable;
pub use choice::Table;
pub use single::SmallTable;
