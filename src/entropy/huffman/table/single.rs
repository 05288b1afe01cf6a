//! The small table, with one symbol in a look-up.

use crate::bits::BackwardReader;
use crate::entropy::huffman::MAX_READ_BITS;
use crate::entropy::huffman::code::Order;
use crate::entropy::huffman::decode::{decode_rest, split_outputs, split_streams};
use crate::entropy::huffman::weights::{self, CodeLengths};
use crate::error::DecodeErrorKind;

/// Number of entries for the longest codeword.
const ENTRIES: usize = 1 << MAX_READ_BITS;
/// Offset of the symbol in an entry, in bits. The lower bits hold the length of its codeword.
const SYMBOL_SHIFT: u32 = 8;

/// A table of 8 KiB that decodes Huffman codes, a twelfth of the size of a [`DecodeTable`].
///
/// Decoding a symbol takes several times as long as with a [`DecodeTable`].
///
/// [`DecodeTable`]: crate::frame::DecodeTable
///
/// ```
/// use zipnn::{DType, Options};
/// use zipnn::frame::{Frame, Scratch, SmallTable};
///
/// let weights = [0x3f; 600];
/// let file = zipnn::compress(&weights, &Options::new(DType::BF16).chunk_log2(9))?;
///
/// let mut table = SmallTable::new();
/// let mut planes = [0; 512];
/// let mut decoded = [0; 600];
/// Frame::parse(&file)?.decode_into(&mut decoded, &mut Scratch::new(&mut table, &mut planes))?;
/// assert_eq!(decoded, weights);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SmallTable {
    entries: [u16; ENTRIES],
}

impl SmallTable {
    /// Creates an empty table.
    pub const fn new() -> Self {
        Self { entries: [0; ENTRIES] }
    }

    /// Fills the part of the table that the longest codeword requires.
    fn fill(&mut self, code: &CodeLengths) {
        let mut start = 0;
        for &symbol in Order::new(code).symbols() {
            let bits = code.bits[usize::from(symbol)];
            let end = start + (1 << (code.longest - u32::from(bits)));
            self.entries[start..end].fill(u16::from(symbol) << SYMBOL_SHIFT | u16::from(bits));
            start = end;
        }
    }

    /// Decodes a description and four streams into `dst`, which is as long as the plane.
    pub(crate) fn decode_plane(
        &mut self,
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), DecodeErrorKind> {
        let (code, description_len) = weights::read(src)?;
        let streams = split_streams(&src[description_len..])?;
        self.fill(&code);
        for (stream, output) in streams.into_iter().zip(split_outputs(dst)?) {
            let bits = BackwardReader::new(stream).ok_or(DecodeErrorKind::CorruptStream)?;
            decode_rest(bits, output, |bits| {
                let entry = self.entries[bits.peek(code.longest) % ENTRIES];
                ((entry >> SYMBOL_SHIFT) as u8, u32::from(entry as u8))
            })?;
        }
        Ok(())
    }
}

impl Default for SmallTable {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for SmallTable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SmallTable").finish_non_exhaustive()
    }
}
