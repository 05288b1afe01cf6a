//! Planes as Zstandard frames (RFC 8878), a method of the extended profile that the original
//! rejects.
//!
//! The crate `zrip`, which contains no `unsafe` code either, decodes them. First, [`frame`] checks
//! that a frame decodes to no more than the plane.

pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod frame;
pub(crate) mod fse;
pub(crate) mod runs;
pub(crate) mod sequences;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
