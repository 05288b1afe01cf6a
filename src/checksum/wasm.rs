//! XXH3 of the crate `xxhash-rust`, which uses WebAssembly's vector instructions.

pub(super) use xxhash_rust::xxh3::Xxh3 as State;
pub(crate) use xxhash_rust::xxh3::xxh3_64 as checksum;

/// Returns the state before the first byte.
#[cfg(feature = "alloc")]
pub(super) fn state() -> State {
    State::new()
}
