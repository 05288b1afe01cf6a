//! Comparison with expected checksums, which this repository's fuzz targets can turn off.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::checksum::backend::checksum;

/// Whether all checksums count as correct, so that altered files reach the decoder.
static IGNORED: AtomicBool = AtomicBool::new(false);

/// Makes all checksums count as correct, with the feature `__internal-fuzz` only.
pub(crate) fn ignore() {
    IGNORED.store(true, Ordering::Relaxed);
}

/// Returns whether all checksums count as correct.
pub(super) fn is_ignored() -> bool {
    cfg!(feature = "__internal-fuzz") && IGNORED.load(Ordering::Relaxed)
}

/// Returns whether the bytes have the expected checksum.
pub(crate) fn matches(bytes: &[u8], expected: u64) -> bool {
    is_ignored() || checksum(bytes) == expected
}
