//! Coders that see elements or records instead of byte planes.

pub(crate) mod records;
