//! Compresses and decompresses the difference between an input and a base.
//!
//! The difference is the exclusive or of two inputs of equal length, such as a fine-tuned model and
//! its base model.
//!
//! With checksums, which are the default, the file identifies its base, and readers reject any
//! other base. [Plain](crate::Options::plain) files and files of the original do not identify it:
//! with another base of the same length, they decode to wrong data.
//!
//! ```
//! use zipnn::{DType, Limits, Options, delta};
//!
//! let base = vec![0x3f; 10_000];
//! let mut tuned = base.clone();
//! tuned[1234] = 0x3e;
//!
//! let file = delta::compress(&tuned, &base, &Options::new(DType::BF16))?;
//! assert!(file.len() < 1000);
//! assert_eq!(delta::decompress(&file, &base, &Limits::default())?, tuned);
//! assert!(delta::decompress(&file, &tuned, &Limits::default()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "alloc")]
mod map_frame;
#[cfg(feature = "alloc")]
mod oneshot;
#[cfg(feature = "alloc")]
mod update;

#[cfg(feature = "alloc")]
pub use oneshot::{compress, compress_frame_into, decompress, decompress_into};
#[cfg(feature = "alloc")]
pub use update::{Update, UpdateEncoder, UpdatedTensor};

#[cfg(feature = "alloc")]
pub use crate::base::map::{BaseMap, Conversion, MapSegment, MapSource, MapTensor};
pub use crate::base::{BaseId, Delta, apply};
#[cfg(feature = "std")]
pub use crate::io::mapped_base::MappedBase;
#[cfg(feature = "std")]
pub use crate::io::{DeltaDecoder, DeltaEncoder};
