//! The codecs that are compared, behind one interface.

mod grouped;
mod lz4;
mod pcodec;
mod ruzstd;
mod zipnn;
mod zstd;

use std::error::Error;

use ::zipnn::{DType, Profile};

/// What may go wrong in any of them.
pub type Failure = Box<dyn Error>;

/// Compresses and decompresses pieces of data, with memory that it keeps.
pub trait Codec {
    /// What tables call it.
    fn name(&self) -> &'static str;

    /// Compresses `src` to the beginning of `dst`, which is long enough for anything, and returns
    /// how long the result is.
    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, Failure>;

    /// Decompresses `src` to exactly `dst`.
    fn decompress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), Failure>;
}

/// All codecs, for numbers of this type.
pub fn all(dtype: DType) -> Result<Vec<Box<dyn Codec>>, Failure> {
    Ok(vec![
        Box::new(zipnn::ZipNn::new(dtype, "zipnn", Profile::Original)),
        Box::new(zipnn::ZipNn::new(dtype, "zipnn --extended", Profile::Extended)),
        Box::new(zipnn::ZipNn::new(dtype, "zipnn --max", Profile::Max)),
        Box::new(zstd::Zstd::new("zstd -1", 1)?),
        Box::new(zstd::Zstd::new("zstd -3", 3)?),
        Box::new(zstd::Zstd::new("zstd -19", 19)?),
        Box::new(ruzstd::RuZstd::default()),
        pcodec::new(dtype),
        Box::new(lz4::Lz4::default()),
        Box::new(grouped::Grouped::default()),
    ])
}
