//! Stores planes as Zstandard frames (RFC 8878), a method of the extended profile.
//!
//! The original rejects this method.
//!
//! The crate `zrip`, which contains no `unsafe` code, decodes the frames. Before that, [`frame`]
//! checks that the header declares no content longer than the plane.

pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod frame;
pub(crate) mod fse;
pub(crate) mod runs;
pub(crate) mod sequences;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
