//! Which table decodes: the caller chooses between speed and memory.

use crate::entropy::huffman::decode;
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::entropy::huffman::table::single::SmallTable;
use crate::error::DecodeErrorKind;

/// A table that decodes Huffman codes: [`DecodeTable`] for speed, [`SmallTable`] for small
/// memories. What is decoded, and which errors are found, is the same; only the code of the one
/// that is used becomes part of a program.
pub trait Table: sealed::Decode {}

impl Table for DecodeTable {}
impl Table for SmallTable {}

impl sealed::Decode for DecodeTable {
    fn decode(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind> {
        decode::decode(src, dst, self)
    }
}

impl sealed::Decode for SmallTable {
    fn decode(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind> {
        self.decode_plane(src, dst)
    }
}

pub(crate) mod sealed {
    use super::DecodeErrorKind;

    pub trait Decode {
        /// Decodes a plane that is stored as Huffman codes. `dst` has the length of the plane.
        fn decode(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind>;
    }
}
