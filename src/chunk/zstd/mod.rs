//! Planes that are stored as Zstandard frames (RFC 8878): only where a writer was asked for the
//! extended profile, as the original refuses them.
//!
//! Decoding is left to `zrip`, which like this crate is without `unsafe`. What it is given has been
//! checked by [`frame`], so that it is asked for no more than the plane.

pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod frame;
pub(crate) mod fse;
pub(crate) mod runs;
pub(crate) mod sequences;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
