//! XXH3 of the crate `twox-hash`, which detects the processor's vector instructions at run time.

#[cfg(feature = "alloc")]
use twox_hash::xxhash3_64::{DEFAULT_SECRET_LENGTH, RawHasher, SecretBuffer};

/// The state of a checksum of bytes that arrive in parts, which allocates nothing.
#[cfg(feature = "alloc")]
pub(super) type State = RawHasher<&'static [u8; DEFAULT_SECRET_LENGTH]>;

/// Returns the state before the first byte.
#[cfg(feature = "alloc")]
pub(super) fn state() -> State {
    RawHasher::new(SecretBuffer::default())
}

/// Computes the checksum of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
