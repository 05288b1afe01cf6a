//! Coders that see elements or records instead of byte planes.

pub(crate) mod difference;
pub(crate) mod element;
pub(crate) mod groups;
pub(crate) mod records;
pub(crate) mod scales;
