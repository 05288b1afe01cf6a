//! The choice between a fast and a small decoding table.

use crate::entropy::huffman::decode;
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::entropy::huffman::table::single::SmallTable;
use crate::error::DecodeErrorKind;
use crate::prefetch::Ahead;

/// A table that decodes Huffman codes: the fast [`DecodeTable`] or the small [`SmallTable`].
///
/// Both decode to the same data and return the same errors. A program contains only the code for
/// the tables that it uses.
pub trait Table: sealed::Decode {}

impl Table for DecodeTable {}
impl Table for SmallTable {}

impl sealed::Decode for DecodeTable {
    fn decode(
        &mut self,
        src: &[u8],
        dst: &mut [u8],
        ahead: &mut Ahead<'_>,
    ) -> Result<(), DecodeErrorKind> {
        decode::decode(src, dst, self, ahead)
    }
}

impl sealed::Decode for SmallTable {
    fn decode(
        &mut self,
        src: &[u8],
        dst: &mut [u8],
        _: &mut Ahead<'_>,
    ) -> Result<(), DecodeErrorKind> {
        self.decode_plane(src, dst)
    }
}

pub(crate) mod sealed {
    use super::{Ahead, DecodeErrorKind};

    pub trait Decode {
        /// Decodes a description and four streams into `dst`, which is as long as the plane.
        ///
        /// Meanwhile a fast table prefetches what is `ahead`.
        fn decode(
            &mut self,
            src: &[u8],
            dst: &mut [u8],
            ahead: &mut Ahead<'_>,
        ) -> Result<(), DecodeErrorKind>;
    }
}
