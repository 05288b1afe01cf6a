//! Files: frames in a row, and what ties them together.

pub(crate) mod check;
pub(crate) mod frames;
#[cfg(feature = "alloc")]
pub(crate) mod index;
#[cfg(feature = "alloc")]
pub mod push;
#[cfg(feature = "alloc")]
pub mod seek;

pub use check::FileCheck;
pub use frames::Frames;
#[cfg(feature = "alloc")]
pub use index::{Directory, DirectoryEntry};
