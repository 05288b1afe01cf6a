//! Replaces the module `legacy` in builds without that feature: no file has an older layout.

use alloc::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits::Limits;

pub(crate) struct Summary {
    pub(crate) dtype: &'static str,
    pub(crate) decoded_len: u64,
}

pub(crate) fn is_legacy(_: &[u8]) -> bool {
    false
}

pub(crate) fn is_delta(_: &[u8]) -> bool {
    false
}

pub(crate) fn decode(_: &[u8], _: &Limits) -> Result<Vec<u8>, DecodeError> {
    Err(DecodeErrorKind::BadMagic.into())
}

pub(crate) fn summary(_: &[u8], _: &Limits) -> Result<Summary, DecodeError> {
    Err(DecodeErrorKind::BadMagic.into())
}
