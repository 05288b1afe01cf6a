//! Gives the functions that decode whole files access to older layouts.

use alloc::vec::Vec;

use crate::base::Delta;
use crate::dtype::DType;
use crate::error::DecodeError;
use crate::legacy;
use crate::limits::Limits;

/// A file in an older layout that this build reads.
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

    /// Returns the decoded length in bytes, and the element type if this crate has that type.
    ///
    /// The function decodes the whole file, because the headers do not contain all lengths.
    pub(crate) fn content(self, limits: &Limits) -> Result<(u64, Option<DType>), DecodeError> {
        let summary = legacy::summary(self.0, limits)?;
        let dtype = DType::ALL.into_iter().find(|dtype| dtype.name() == summary.dtype);
        Ok((summary.decoded_len, dtype))
    }

    /// Decodes all frames. If the file holds a difference, the result is the difference.
    pub(crate) fn decode(self, limits: &Limits) -> Result<Vec<u8>, DecodeError> {
        legacy::decode(self.0, limits)
    }

    /// Decodes all frames into the beginning of `dst` and returns the decoded length in bytes.
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
