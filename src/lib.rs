//! Lossless compression of AI model weights, in safe Rust.
//!
//! The weights of a model look random, but their exponents take few values. This crate splits
//! elements into byte planes, codes the planes that become smaller, and stores the others raw. bfloat16
//! weights shrink to two thirds of their size, and come back identical to the last bit. Files have
//! the extension `.znn`. [ZipNN](https://github.com/zipnn/zipnn), "the original" in these pages,
//! reads and writes them too.
//!
//! ```
//! use zipnn::{DType, Limits, Options};
//!
//! let weights = [0.02_f32, -0.5, 0.125].map(f32::to_le_bytes).concat().repeat(1000);
//! let file = zipnn::compress(&weights, &Options::new(DType::F32))?;
//! assert!(file.len() < weights.len() / 2);
//! assert_eq!(zipnn::decompress(&file, &Limits::default())?, weights);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to use when
//!
//! | you want to | use |
//! |---|---|
//! | compress or decompress a whole input | [`compress`], [`decompress`] |
//! | compress and decompress many inputs, and reuse memory | [`compress_into`] or [`compress_append`], [`decompress_into`] |
//! | use all cores | [`parallel::par_compress`], [`parallel::par_decompress`] |
//! | pass numbers instead of bytes | [`typed::compress_slice`], [`typed::decompress_slice`] |
//! | keep the shape of a tensor | [`compress_tensor`], [`decompress_tensor`] |
//! | stream data of any length through [`Write`](std::io::Write) and [`Read`](std::io::Read) | [`Encoder`], [`Decoder`] |
//! | decode input that arrives in parts, such as from a socket | [`push::PushDecoder`] |
//! | read one tensor, or any range of a file | [`Archive`] |
//! | do the same over HTTP, or from another source without `Read` | [`seek::Seeker`] |
//! | compress the tensors inside a safetensors file | [`tensor::inside::TensorWriter`], [`tensor::inside::TensorReader`] |
//! | store a fine-tuned model as the difference to its base | [`delta::compress`], [`delta::DeltaEncoder`] |
//! | check a file | [`verify`] |
//! | decode untrusted input | [`Limits`] |
//! | decode on a GPU | the crate `zipnn-gpu`, or [`gpu::Plan`] |
//! | decode without an allocator | [`frame::Frame::decode_into`] |
//!
//! # Choosing options
//!
//! [`Options`] control how data is compressed. Use [`Options::new`] for elements of a [`DType`],
//! [`Options::auto`] for data of unknown type, and [`Options::bytes`] for bytes that are not
//! numbers. All options work for any bytes: a wrong choice costs space, never data.
//!
//! By default, the original reads the result. [`Options::profile`] chooses files that it cannot
//! read: [`Profile::Extended`] decompresses up to three times as fast, and [`Profile::Max`] writes
//! the smallest files.
//!
//! # Reusing memory
//!
//! The system clears each page of fresh memory on first use, which can take more time than the
//! codec. Keep output buffers and scratch memory from call to call: then calls do not allocate.
//!
//! ```
//! use zipnn::frame::{DecodeScratch, EncodeScratch};
//! use zipnn::{DType, Limits, Options};
//!
//! let (options, limits) = (Options::new(DType::BF16), Limits::default());
//! let (mut encode, mut decode) = (EncodeScratch::new(), DecodeScratch::new());
//! let (mut file, mut weights) = (Vec::new(), vec![0; 4096]);
//! for tensor in [[0x3f; 4096], [0x3e; 4096]] {
//!     file.clear();
//!     zipnn::compress_append(&tensor, &mut file, &options, &mut encode)?;
//!     zipnn::decompress_into(&file, &mut weights, &limits, &mut decode)?;
//!     assert_eq!(weights, tensor);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Streams
//!
//! An [`Encoder`] writes one frame for every 4 MiB of data, and an index of the frames at the end.
//! Always call [`finish`](Encoder::finish): readers report a file without its index as truncated.
//!
//! ```
//! use std::io::{Read, Write};
//! use zipnn::{Decoder, Encoder, Limits, Options};
//!
//! let mut encoder = Encoder::new(Vec::new(), Options::auto())?;
//! encoder.write_all(&1.5_f32.to_le_bytes().repeat(1000))?;
//! let file = encoder.finish()?;
//!
//! let mut first = [0; 4];
//! Decoder::new(&file[..], Limits::default())?.read_exact(&mut first)?;
//! assert_eq!(f32::from_le_bytes(first), 1.5);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Errors
//!
//! Functions that compress return an [`EncodeError`]. Functions that decode return a
//! [`DecodeError`] that names the frame, the chunk and the plane. Readers and writers wrap both in
//! an [`io::Error`](std::io::Error), whose [`downcast`](std::io::Error::downcast) unwraps them.
//! Decoding never panics and never returns data that does not match its checksum.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `std` | yes | [`Encoder`], [`Decoder`], [`Archive`]; implies `alloc` |
//! | `alloc` | yes | functions that return [`Vec`](alloc::vec::Vec), and compression |
//! | `rayon` | yes | [`parallel`] |
//! | `simd` | yes | vector instructions for splitting and merging planes |
//! | `dispatch` | yes | kernels for AVX2 and AVX-512, chosen at run time; implies `std` and `simd` |
//! | `safetensors` | yes | [`tensor`]: safetensors headers, and tensors compressed inside safetensors files |
//! | `extended` | yes | [`Profile::Extended`] and [`Profile::Max`] |
//! | `zstd` | yes | Zstandard planes of these profiles; implies `alloc` and `extended` |
//! | `gpu` | no | [`gpu`]: plans and shaders for decoding on a GPU |
//! | `legacy` | no | [`legacy`]: files of releases 0.1.1 to 0.3.4 of the original |
//!
//! Without any feature, the crate decodes on `core` alone, into memory of the caller. No feature
//! changes the bytes that are written. Only the functions in [`parallel`] and methods whose names
//! begin with `par_` use other threads.
//!
//! The crate needs Rust 1.89 and no C compiler. It contains no `unsafe` code.
//! [`half`](https://docs.rs/half/2) and [`bytemuck`](https://docs.rs/bytemuck/1) are public
//! dependencies: [`typed::Element`] uses their types and traits.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Items of disabled features have no page to link to.
#![cfg_attr(
    not(all(
        feature = "gpu",
        feature = "legacy",
        feature = "rayon",
        feature = "safetensors",
        feature = "zstd"
    )),
    allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links)
)]
// Modules hold items that only some features use. The build with all features detects dead code.
#![cfg_attr(
    not(all(
        feature = "dispatch",
        feature = "__internal-fuzz",
        feature = "gpu",
        feature = "legacy",
        feature = "rayon",
        feature = "safetensors",
        feature = "zstd"
    )),
    allow(dead_code, unused_imports)
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod base;
mod bits;
mod checksum;
mod chunk;
pub mod delta;
mod dtype;
mod entropy;
mod error;
pub mod file;
mod format;
pub mod frame;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "std")]
pub mod io;
#[cfg(feature = "__internal-kernels")]
#[doc(hidden)]
pub mod kernels;
#[cfg(feature = "alloc")]
pub mod layout_search;
#[cfg(feature = "legacy")]
pub mod legacy;
#[cfg(all(feature = "alloc", not(feature = "legacy")))]
#[path = "no_legacy.rs"]
mod legacy;
mod limits;
mod model;
#[cfg(feature = "alloc")]
mod older_file;
#[cfg(feature = "alloc")]
mod oneshot;
#[cfg(feature = "alloc")]
mod options;
#[cfg(feature = "rayon")]
pub mod parallel;
mod plane;
mod plane_layout;
mod prefetch;
#[cfg(feature = "alloc")]
mod profile;
pub mod simd;
#[cfg(feature = "safetensors")]
pub mod tensor;
#[cfg(feature = "alloc")]
mod try_alloc;
#[cfg(feature = "alloc")]
pub mod typed;

pub use dtype::{DType, ParseDTypeError};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, Location};
#[cfg(feature = "alloc")]
#[doc(inline)]
pub use file::{push, seek};
#[cfg(feature = "std")]
#[doc(inline)]
pub use io::{Archive, ArchiveError, Decoder, Encoder};
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub use oneshot::{
    Tensor, compress, compress_append, compress_bound, compress_into, compress_tensor,
    compressed_len, decoded_len, decompress, decompress_into, decompress_tensor, verify,
};
#[cfg(feature = "alloc")]
pub use options::Options;
#[cfg(feature = "alloc")]
pub use profile::{PlaneCode, Profile};

/// Runs the examples of the documents as tests.
#[cfg(all(doctest, feature = "std", feature = "safetensors", feature = "rayon"))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/rust.md")]
    struct Library;
    #[doc = include_str!("../docs/embedded.md")]
    struct Embedded;
    #[doc = include_str!("../docs/storage-engines.md")]
    struct StorageEngines;
}
