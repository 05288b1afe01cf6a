//! Planes that are stored as Zstandard frames (RFC 8878): only where a writer was asked for the
//! extended profile, as the original refuses them.
//!
//! Decoding is left to `zrip`, which like this crate is without `unsafe`. What it is given has been
//! checked by [`frame`], so that it is asked for no more than the plane.

mod bit_writer;
mod decoder;
mod encoder;
mod frame;
mod fse;
mod runs;
mod sequences;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;
