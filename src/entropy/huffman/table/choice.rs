//! The choice of a decoding table, between speed and memory.

use crate::entropy::huffman::decode;
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::entropy::huffman::table::single::SmallTable;
use crate::error::DecodeErrorKind;

/// Decodes Huffman codes: [`DecodeTable`] fast, [`SmallTable`] in little memory.
///
/// Both return the same data and the same errors. A program contains only the code of the tables
/// that it uses.
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
        /// Decodes a description and four streams into `dst`, which has the length of the plane.
        fn decode(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind>;
    }
}
