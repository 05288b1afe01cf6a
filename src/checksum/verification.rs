//! Compares checksums. The fuzz targets of this repository can turn the comparison off.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::checksum::backend::checksum;

/// Whether every checksum counts as correct, so that files altered by a fuzzer reach the decoder.
static IGNORED: AtomicBool = AtomicBool::new(false);

/// Makes every checksum count as correct; has no effect without the feature `__internal-fuzz`.
pub(crate) fn ignore() {
    IGNORED.store(true, Ordering::Relaxed);
}

/// Returns whether every checksum counts as correct.
pub(super) fn is_ignored() -> bool {
    cfg!(feature = "__internal-fuzz") && IGNORED.load(Ordering::Relaxed)
}

/// Returns whether `bytes` has the expected checksum.
pub(crate) fn matches(bytes: &[u8], expected: u64) -> bool {
    is_ignored() || checksum(bytes) == expected
}
