//! Streaming through `Write` and `Read` in bounded memory, and random access.

pub(crate) mod archive;
pub(crate) mod builder;
pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod mapped_base;
pub(crate) mod read_at;
pub(crate) mod read_base;

#[cfg(feature = "gpu")]
pub use archive::StoredPart;
pub use archive::{Archive, ArchiveError, Damage};
pub use builder::EncoderBuilder;
pub use decoder::{Decoder, DeltaDecoder};
pub use encoder::{DeltaEncoder, Encoder};
pub use read_at::ReadAt;
