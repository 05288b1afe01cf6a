//! XXH3 of the crate `twox-hash`, which detects the processor's vector instructions at run time.

#[cfg(feature = "alloc")]
pub(super) use twox_hash::xxhash3_64::Hasher as State;

/// Computes the checksum of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
