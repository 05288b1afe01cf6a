//! Files: sequences of frames, with an optional index at the end.

pub(crate) mod check;
pub(crate) mod frames;
#[cfg(feature = "alloc")]
pub(crate) mod index;
#[cfg(feature = "alloc")]
pub mod push;
#[cfg(feature = "alloc")]
pub mod seek;
pub(crate) mod walk;

pub use frames::Frames;
#[cfg(feature = "alloc")]
pub use index::{Directory, DirectoryEntry};
pub use walk::FrameWalk;
