//! Replaces the Zstandard decoder in builds without the feature `zstd`.

use crate::error::DecodeErrorKind;
use crate::format::method;

/// Rejects every plane.
#[derive(Debug, Default)]
pub(crate) struct Decoder {}

impl Decoder {
    pub(crate) fn decode(&mut self, _: &[u8], _: &mut [u8]) -> Result<(), DecodeErrorKind> {
        Err(DecodeErrorKind::UnsupportedMethod(method::ZSTD))
    }
}
