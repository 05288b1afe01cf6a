//! The checksum of the format's annexes: XXH3-64 with seed 0 (Yann Collet, xxHash 0.8).
//!
//! Computing it takes a small fraction of the time of decoding.

#[cfg_attr(target_family = "wasm", path = "wasm.rs")]
#[cfg_attr(not(target_family = "wasm"), path = "native.rs")]
mod backend;
#[cfg(feature = "alloc")]
mod hasher;
mod verification;

pub(crate) use backend::checksum;
#[cfg(feature = "alloc")]
pub(crate) use hasher::Hasher;
pub(crate) use verification::{ignore, matches};

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with values of the reference implementation.
    #[test]
    fn checksums_are_xxh3() {
        assert_eq!(checksum(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(checksum(b"abc"), 0x78af_5f94_892f_3950);
        assert!(matches(b"abc", 0x78af_5f94_892f_3950) && !matches(b"abd", 0x78af_5f94_892f_3950));
    }

    #[test]
    fn parts_have_the_checksum_of_the_whole() {
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.checksum(), checksum(b"abc"));
        assert!(hasher.matches(checksum(b"abc")) && !hasher.matches(0));
    }
}
