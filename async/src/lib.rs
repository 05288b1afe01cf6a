//! Asynchronous reading and writing of files that [`zipnn`] compresses, for any runtime.
//!
//! | type | |
//! |---|---|
//! | [`Archive`] | reads any part of a file from an [`AsyncReadAt`], such as HTTP or an object store |
//! | [`Decoder`] | decompresses from an [`AsyncRead`](futures_io::AsyncRead) |
//! | [`Encoder`] | compresses into an [`AsyncWrite`](futures_io::AsyncWrite) |
//!
//! Nothing here starts a task or a thread. Decoding and encoding run where the future is polled: at
//! about 1 GB/s, 4 MiB take a few milliseconds. To keep an executor responsive, poll them from a
//! thread for blocking work.

mod archive;
mod decoder;
mod encoder;
mod fetch;
mod limiter;
mod source;
#[cfg(feature = "safetensors")]
mod tensors;

pub use archive::Archive;
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use source::AsyncReadAt;
pub use zipnn::ArchiveError;

/// Compiles the example of the README.
#[cfg(all(doctest, feature = "safetensors"))]
#[doc = include_str!("../README.md")]
struct Readme;
