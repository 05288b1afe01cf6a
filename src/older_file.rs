//! Files of older layouts, in functions that decode whole files.

use alloc::vec::Vec;

use crate::base::Delta;
use crate::dtype::DType;
use crate::error::DecodeError;
use crate::legacy;
use crate::limits::Limits;

/// A file of an older layout, which this build reads.
#[derive(Clone, Copy)]
pub(crate) struct OlderFile<'a>(&'a [u8]);

impl<'a> OlderFile<'a> {
    /// Returns the file if it has an older layout and this build reads it.
    pub(crate) fn probe(src: &'a [u8]) -> Option<Self> {
        legacy::is_legacy(src).then_some(Self(src))
    }

    pub(crate) fn delta(self) -> Delta {
        if legacy::is_delta(self.0) { Delta::Bytes } else { Delta::None }
    }

    /// Returns the decoded length and the type of the elements, if the file states one. The whole
    /// file is decoded to find out.
    pub(crate) fn content(self, limits: &Limits) -> Result<(u64, Option<DType>), DecodeError> {
        let summary = legacy::summary(self.0, limits)?;
        let dtype = DType::ALL.into_iter().find(|dtype| dtype.name() == summary.dtype);
        Ok((summary.decoded_len, dtype))
    }

    /// Decodes all frames; of a difference, the difference.
    pub(crate) fn decode(self, limits: &Limits) -> Result<Vec<u8>, DecodeError> {
        legacy::decode(self.0, limits)
    }

    /// Decodes all frames into the beginning of `dst`.
    pub(crate) fn decode_into(self, dst: &mut [u8], limits: &Limits) -> Result<usize, DecodeError> {
        let have = dst.len() as u64;
        let is_limited_by_room = have <= limits.decoded_bytes;
        let decoded = self.decode(&limits.decoded_bytes(have.min(limits.decoded_bytes))).map_err(
            |error| {
                if is_limited_by_room { error.as_output_too_small(have) } else { error }
            },
        )?;
        dst[..decoded.len()].copy_from_slice(&decoded);
        Ok(decoded.len())
    }
}
