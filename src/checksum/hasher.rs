//! Computes checksums of bytes that arrive in parts.

use crate::checksum::backend::{self, State};
use crate::checksum::verification::is_ignored;

/// Computes the checksum of bytes that arrive in parts.
#[derive(Clone)]
pub(crate) struct Hasher(State);

impl Default for Hasher {
    fn default() -> Self {
        Self(backend::state())
    }
}

impl Hasher {
    /// Adds the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        core::hash::Hasher::write(&mut self.0, bytes);
    }

    /// Returns the checksum of the bytes so far.
    pub(crate) fn checksum(&self) -> u64 {
        core::hash::Hasher::finish(&self.0)
    }

    /// Returns whether the bytes so far have the expected checksum.
    pub(crate) fn matches(&self, expected: u64) -> bool {
        is_ignored() || self.checksum() == expected
    }
}
