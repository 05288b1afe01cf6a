//! This repository's crate.

use zipnn::frame::{DecodeScratch, EncodeScratch};
use zipnn::{DType, Limits, Options, Profile};

use super::{Codec, Failure};

/// `zipnn`: one frame a piece.
pub struct ZipNn {
    name: &'static str,
    options: Options,
    encode_scratch: EncodeScratch,
    decode_scratch: DecodeScratch,
}

impl ZipNn {
    /// For numbers of this type.
    pub fn new(dtype: DType, name: &'static str, profile: Profile) -> Self {
        Self {
            name,
            // As the original writes frames: without checksums.
            options: Options::new(dtype).plain().profile(profile),
            encode_scratch: EncodeScratch::new(),
            decode_scratch: DecodeScratch::new(),
        }
    }
}

impl Codec for ZipNn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, Failure> {
        Ok(zipnn::compress_into(src, dst, &self.options, &mut self.encode_scratch)?)
    }

    fn decompress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), Failure> {
        zipnn::decompress_into(src, dst, &Limits::default(), &mut self.decode_scratch)?;
        Ok(())
    }
}
