#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// What belongs to a feature that is off has no page to link to.
#![cfg_attr(not(feature = "std"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod annex;
#[cfg(feature = "std")]
mod archive;
#[cfg(feature = "alloc")]
mod assemble;
mod bits;
mod checksum;
mod chunk;
#[cfg(feature = "alloc")]
pub mod delta;
#[cfg(feature = "alloc")]
mod directory;
mod dtype;
mod error;
#[cfg(feature = "alloc")]
pub mod estimate;
mod frame;
#[cfg(feature = "alloc")]
mod histogram;
mod huffman;
#[cfg(feature = "kernels")]
#[doc(hidden)]
pub mod kernels;
mod layout;
#[cfg(feature = "legacy")]
pub mod legacy;
mod limits;
#[cfg(feature = "alloc")]
mod memory;
#[cfg(feature = "alloc")]
mod oneshot;
#[cfg(feature = "alloc")]
mod options;
#[cfg(feature = "rayon")]
mod parallel;
mod plane;
#[cfg(feature = "safetensors")]
pub mod safetensors;
#[cfg(feature = "alloc")]
mod seek;
mod sequence;
#[cfg(feature = "std")]
mod stream;
#[cfg(feature = "alloc")]
mod typed;

#[cfg(feature = "alloc")]
pub use annex::PayloadCheck;
pub use annex::{Annex, BaseId, Footer};
#[cfg(feature = "std")]
pub use archive::{Archive, ArchiveError, Damage};
#[cfg(feature = "alloc")]
pub use assemble::Assembler;
#[cfg(feature = "alloc")]
pub use chunk::DecodeScratch;
#[cfg(feature = "alloc")]
pub use chunk::encode::{EncodeScratch, Profile};
pub use chunk::{Chunk, Method, Scratch};
#[cfg(feature = "alloc")]
pub use directory::{Directory, DirectoryEntry};
pub use dtype::DType;
pub use error::{DecodeError, DecodeErrorKind, EncodeError, Place};
pub use frame::{Delta, Form, Frame, FrameIndex, Frames, HEADER_LEN, Header, Shape};
#[cfg(feature = "alloc")]
pub use frame::{FramePosition, IndexBuf};
pub use huffman::{DecodeTable, SmallTable, Table};
pub use layout::FrameLayout;
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub use oneshot::{
    compress, compress_bound, compress_frame_into, compress_into, compress_tensor, decoded_len,
    decompress, decompress_into, verify,
};
#[cfg(feature = "alloc")]
pub use options::Options;
#[cfg(feature = "rayon")]
pub use parallel::{par_compress, par_compress_into, par_decompress, par_decompress_into};
#[cfg(feature = "alloc")]
pub use seek::{FramePart, Seeker};
pub use sequence::Sequence;
#[cfg(feature = "std")]
pub use stream::{Decoder, Encoder, EncoderBuilder};
#[cfg(feature = "alloc")]
pub use typed::{Element, compress_slice, decompress_slice, decompress_slice_into};
