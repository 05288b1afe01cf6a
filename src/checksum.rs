//! The checksum of the format's annexes: XXH3-64 with seed 0 (Yann Collet, xxHash 0.8), which costs
//! a small part of what decoding costs.

#[cfg(not(target_family = "wasm"))]
use twox_hash::XxHash3_64;
#[cfg(all(not(target_family = "wasm"), feature = "alloc"))]
use twox_hash::xxhash3_64::Hasher as Streaming;
#[cfg(all(target_family = "wasm", feature = "alloc"))]
use xxhash_rust::xxh3::Xxh3 as Streaming;
#[cfg(target_family = "wasm")]
use xxhash_rust::xxh3::xxh3_64;

/// The checksum of these bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    #[cfg(not(target_family = "wasm"))]
    return XxHash3_64::oneshot(bytes);
    #[cfg(target_family = "wasm")]
    return xxh3_64(bytes);
}

/// Whether the bytes have the checksum. While fuzzing they always do: what is changed in a file has
/// to reach the decoder behind.
pub(crate) fn matches(bytes: &[u8], expected: u64) -> bool {
    cfg!(fuzzing) || checksum(bytes) == expected
}

/// The checksum of bytes that come in parts.
#[cfg(feature = "alloc")]
#[derive(Clone, Default)]
pub(crate) struct Hasher(Streaming);

#[cfg(feature = "alloc")]
impl Hasher {
    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        core::hash::Hasher::write(&mut self.0, bytes);
    }

    /// The checksum of the bytes so far.
    pub(crate) fn checksum(&self) -> u64 {
        core::hash::Hasher::finish(&self.0)
    }

    /// Whether the bytes so far have the checksum.
    pub(crate) fn matches(&self, expected: u64) -> bool {
        cfg!(fuzzing) || self.checksum() == expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the reference implementation for `b""` and `b"abc"`.
    #[test]
    fn is_xxh3() {
        assert_eq!(checksum(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(checksum(b"abc"), 0x78af_5f94_892f_3950);
    }
}
