//! Frames, the parts of a file that are decoded independently of one another.
//!
//! A frame has a header, a shape if it holds a tensor or an array, an index, the payload, and an
//! annex with checksums. [`Frame`] reads a frame that is completely in memory. [`FrameOpener`]
//! opens a frame from any source without reading its payload: the caller reads the chunks that it
//! needs, in any order and on any thread, and decodes them with [`Chunk::decode`].
//! [`FrameWalk`](crate::file::FrameWalk) follows the frames of a file.

pub(crate) mod annex;
pub(crate) mod header;
pub(crate) mod index;
pub(crate) mod open;
pub(crate) mod shape;
pub(crate) mod whole;
#[cfg(feature = "alloc")]
pub(crate) mod write;

#[cfg(feature = "alloc")]
pub use annex::PayloadCheck;
pub use annex::{Annex, Footer};
pub use header::{Form, Header};
pub use index::FrameIndex;
#[cfg(feature = "alloc")]
pub use open::{FrameOpener, OpenedFrame};
pub use open::{Keep, OpenOptions};
pub use shape::Shape;
pub use whole::Frame;
#[cfg(feature = "alloc")]
pub use write::envelope::FramePosition;

#[cfg(feature = "alloc")]
pub use crate::chunk::decode::DecodeScratch;
pub use crate::chunk::decode::{Chunk, Method, Scratch};
#[cfg(feature = "alloc")]
pub use crate::chunk::encode::EncodeScratch;
pub use crate::entropy::huffman::table::{DecodeTable, SmallTable, Table};
pub use crate::format::{HEADER_LEN, MAGIC};
pub use crate::model::records::Record;
#[cfg(feature = "alloc")]
pub use crate::oneshot::compress_frame_into;
pub use crate::plane_layout::PlaneLayout;
