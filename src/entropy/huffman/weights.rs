//! Reads and writes descriptions of codes: the weights of the symbols, plain or coded with FSE.
//!
//! The weight of the last symbol is not stored, because it follows from the other weights.

use core::ops::Range;

use crate::entropy::huffman::{MAX_EXPLICIT_WEIGHT, MAX_READ_BITS};
use crate::entropy::{SYMBOLS, fse, occurrences};
use crate::error::DecodeErrorKind;

/// Limit of the first byte of a description, below which it is the length of FSE-coded weights.
///
/// From here on, the first byte is the number of plain weights plus [`DIRECT_BIAS`].
const DIRECT: u8 = 128;
/// Difference between the first byte and the number of plain weights.
const DIRECT_BIAS: usize = 127;

/// Upper bound of the weights, a power of two.
const WEIGHTS: usize = 16;
const _: () = assert!((MAX_READ_BITS as usize) < WEIGHTS);
/// Maximum number of weights for which the FSE table has the size of [`FSE_TABLE_LOG_OF_FEW`].
const FEW_WEIGHTS: usize = 4;
/// Base-2 logarithm of the size of the FSE table for few weights, as in zstd.
const FSE_TABLE_LOG_OF_FEW: u32 = fse::MIN_TABLE_LOG + 1;
/// Base-2 logarithm of the size of the FSE table for more weights.
const FSE_TABLE_LOG: u32 = fse::MIN_TABLE_LOG;

/// A complete prefix code, given by the lengths of its codewords.
pub(crate) struct CodeLengths {
    /// Length of each symbol's codeword in bits; 0 if the symbol does not occur.
    pub(crate) bits: [u8; SYMBOLS],
    /// Length of the longest codeword in bits.
    pub(crate) longest: u32,
}

impl CodeLengths {
    /// Returns the range of the symbols that have codewords.
    pub(crate) fn coded(&self) -> Range<usize> {
        let first = self.bits.iter().position(|&bits| bits > 0).unwrap_or_default();
        let end = self.bits.iter().rposition(|&bits| bits > 0).map_or(0, |last| last + 1);
        first..end
    }
}

/// Reads the description at the beginning of `src`; returns the code and the length in bytes.
pub(crate) fn read(src: &[u8]) -> Result<(CodeLengths, usize), DecodeErrorKind> {
    let invalid = DecodeErrorKind::InvalidCodeLengths;
    let (&first, rest) = src.split_first().ok_or(invalid)?;
    let mut weights = [0; SYMBOLS];
    let explicit = &mut weights[..SYMBOLS - 1];
    let (count, size) = if first >= DIRECT {
        let count = usize::from(first) - DIRECT_BIAS;
        let size = count.div_ceil(2);
        let nibbles = rest.get(..size).ok_or(invalid)?;
        for (pair, &byte) in explicit.chunks_mut(2).zip(nibbles) {
            pair[0] = byte >> 4;
            if let Some(second) = pair.get_mut(1) {
                *second = byte & 15;
            }
        }
        explicit[count..].fill(0);
        (count, size)
    } else {
        let size = usize::from(first);
        let count = fse::read(rest.get(..size).ok_or(invalid)?, explicit).ok_or(invalid)?;
        (count, size)
    };
    let code = complete(weights, count).ok_or(invalid)?;
    Ok((code, 1 + size))
}

/// Adds the implied weight after `count` explicit weights, and converts all weights to lengths.
fn complete(mut weights: [u8; SYMBOLS], count: usize) -> Option<CodeLengths> {
    let cells = |weight: u8| if weight == 0 { 0 } else { 1_u32 << (weight - 1) };
    // Zeros follow the explicit weights.
    let heaviest = weights.iter().fold(0, |heaviest: u8, &weight| heaviest.max(weight));
    if heaviest > MAX_EXPLICIT_WEIGHT {
        return None;
    }
    let sum: u32 = weights[..count].iter().copied().map(cells).sum();
    let longest = sum.checked_ilog2()? + 1;
    let rest = (1 << longest) - sum;
    if longest > MAX_READ_BITS || !rest.is_power_of_two() {
        return None;
    }
    weights[count] = rest.ilog2() as u8 + 1;
    let lightest = occurrences(&weights, 1);
    if lightest < 2 || lightest % 2 == 1 {
        return None;
    }
    let bits = weights.map(|weight| if weight == 0 { 0 } else { longest as u8 + 1 - weight });
    Some(CodeLengths { bits, longest })
}

/// Maximum length of a description in bytes: the first byte, and 127 bytes of FSE.
pub(crate) const MAX_SIZE: usize = 1 + 127;

/// Writes the shortest description of a code and returns its length in bytes.
///
/// Returns `None` if the code has no description: it has more than 128 weights to store, and FSE
/// cannot code them.
pub(crate) fn write(code: &CodeLengths, dst: &mut [u8; MAX_SIZE]) -> Option<usize> {
    let mut weights = [0; SYMBOLS];
    for (weight, &bits) in weights.iter_mut().zip(&code.bits) {
        *weight = if bits == 0 { 0 } else { code.longest as u8 + 1 - bits };
    }
    let last = weights.iter().rposition(|&weight| weight > 0)?;
    let explicit = &weights[..last];
    let direct = explicit.len().div_ceil(2);
    let direct_fits = explicit.len() <= usize::from(u8::MAX) - DIRECT_BIAS;
    let (first, rest) = dst.split_first_mut()?;
    let table_log = if explicit.len() > FEW_WEIGHTS { FSE_TABLE_LOG } else { FSE_TABLE_LOG_OF_FEW };
    if let Some(size) = fse::write::<WEIGHTS>(explicit, table_log, rest)
        && size > 1
        && (size < direct || !direct_fits)
    {
        *first = size as u8;
        return Some(1 + size);
    }
    if !direct_fits || explicit.is_empty() {
        return None;
    }
    *first = (explicit.len() + DIRECT_BIAS) as u8;
    for (byte, pair) in rest.iter_mut().zip(explicit.chunks(2)) {
        *byte = pair[0] << 4 | pair.get(1).copied().unwrap_or_default();
    }
    Some(1 + direct)
}
