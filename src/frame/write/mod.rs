//! Writes frames.

pub(crate) mod annex;
pub(crate) mod body;
pub(crate) mod draft;
pub(crate) mod envelope;
pub(crate) mod geometry;
#[cfg(all(feature = "safetensors", feature = "std"))]
pub(crate) mod parts;
mod room;
pub(crate) mod tables;
