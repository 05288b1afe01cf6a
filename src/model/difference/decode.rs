//! Decodes the elements of a chunk.

use crate::bits::number_at;
use crate::dtype::DType;
use crate::entropy::binary::BitDecoder;
use crate::entropy::low_bits::LowBits;
use crate::entropy::rans;
use crate::entropy::rans::decode::{Decoder, Entry, fill_table};
use crate::error::DecodeErrorKind;
use crate::format::difference::{
    CONTEXTS, ESCAPE, LAST_LEVEL, LOG, SAME_EXPONENT, SLOTS, SYMBOLS, ZERO,
};
use crate::model::difference::context::{Levels, MEANINGS, Meaning};
use crate::model::difference::description::Models;
use crate::model::difference::{PIECE, max_tables, tables_len};
use crate::model::element::{Format, Word};
use crate::simd::Kernels;

/// Marks symbols in tables of contexts whose symbols are not whole differences.
const MARK: u8 = 0x80;

/// The parts of the code of a chunk.
struct Parts<'a> {
    format: Format,
    row_len: usize,
    /// Length of the first row, which may begin before the chunk.
    first_len: usize,
    description: &'a [u8],
    states: [u32; rans::LANES],
    words: &'a [[u8; 2]],
    low_bits: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Returns the parts of a code; `None` if it is too short or a number in it is out of range.
    fn parse(code: &'a [u8]) -> Option<Self> {
        let (&dtype, mut rest) = code.split_first()?;
        let format = Format::of(DType::from_code(dtype).filter(|known| known.code() == dtype)?);
        let mut numbers = [0; 4];
        for number in &mut numbers {
            (*number, rest) = number_at(rest)?;
        }
        let [row_len, first_len, description_len, words] = numbers;
        if !(1..=row_len).contains(&first_len) {
            return None;
        }
        let (description, rest) = rest.split_at_checked(description_len)?;
        let (states, rest) = rest.split_first_chunk::<{ 4 * rans::LANES }>()?;
        let (words, low_bits) = rest.split_at_checked(words.checked_mul(2)?)?;
        let mut parts = Self {
            format,
            row_len,
            first_len,
            description,
            states: [0; _],
            words: words.as_chunks().0,
            low_bits,
        };
        for (state, bytes) in parts.states.iter_mut().zip(states.as_chunks().0) {
            *state = u32::from_le_bytes(*bytes);
        }
        Some(parts)
    }
}

/// Decodes a chunk from its code and its part of the base, which has the same length.
///
/// `tables` has at least [`tables_len`] bytes.
///
/// # Errors
///
/// `CorruptStream`.
pub(crate) fn decode(
    code: &[u8],
    base: &[u8],
    dst: &mut [u8],
    tables: &mut [u8],
) -> Result<(), DecodeErrorKind> {
    decode_with(Kernels::new(), code, base, dst, tables)
}

/// Decodes a chunk as [`decode`] does, with the instructions of `kernels`.
pub(crate) fn decode_with(
    kernels: Kernels,
    code: &[u8],
    base: &[u8],
    dst: &mut [u8],
    tables: &mut [u8],
) -> Result<(), DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    let parts = Parts::parse(code).ok_or(corrupt)?;
    let len = tables_len(dst.len() as u64) as usize;
    let tables = tables.get_mut(..len).ok_or(corrupt)?.as_chunks_mut().0;
    let decoder = ChunkDecoder::new(kernels, &parts, tables, dst.len())?;
    match parts.format.len {
        1 => decoder.decode::<u8>(&parts, base, dst),
        2 => decoder.decode::<u16>(&parts, base, dst),
        _ => decoder.decode::<u32>(&parts, base, dst),
    }
}

/// Decodes the rows of a chunk.
struct ChunkDecoder<'a> {
    kernels: Kernels,
    levels: Levels,
    /// By level.
    extras: [Extra; LAST_LEVEL as usize + 1],
    models: Models,
    description: BitDecoder<'a>,
    tables: &'a [Entry],
    /// The position in `tables` of the table of each level.
    starts: [u32; 256],
    symbols: Decoder<'a, LOG>,
    low_bits: LowBits<'a>,
}

impl<'a> ChunkDecoder<'a> {
    /// Decodes the tables of a chunk of `len` bytes.
    fn new(
        kernels: Kernels,
        parts: &Parts<'a>,
        tables: &'a mut [Entry],
        len: usize,
    ) -> Result<Self, DecodeErrorKind> {
        let levels = Levels::new(parts.format);
        let mut models = Models::new();
        let mut description = BitDecoder::new(parts.description);
        let mut begins = [false; CONTEXTS];
        let count = models.partition(&mut description, &mut begins);
        if count > max_tables(len as u64) {
            return Err(DecodeErrorKind::CorruptStream);
        }
        for (number, table) in tables.chunks_exact_mut(SLOTS).take(count).enumerate() {
            let mut frequencies = [0; SYMBOLS];
            models.frequencies(&mut description, &mut frequencies)?;
            let mark = if is_marked(&begins, number) { MARK } else { 0 };
            fill_table(&frequencies, mark, table);
        }
        Ok(Self {
            kernels,
            extras: core::array::from_fn(|level| Extra::of(&levels, level as u8)),
            starts: starts(&levels, &begins),
            levels,
            models,
            description,
            tables: &tables[..count * SLOTS],
            symbols: Decoder::new(parts.states, parts.words),
            low_bits: LowBits::new(parts.low_bits),
        })
    }

    /// Decodes all rows, and the bytes after the last whole element.
    fn decode<W: Word>(
        self,
        parts: &Parts<'_>,
        base: &[u8],
        dst: &mut [u8],
    ) -> Result<(), DecodeErrorKind> {
        self.kernels.vectorize(
            #[inline(always)]
            || self.decode_rows::<W>(parts, base, dst),
        )
    }

    #[inline(always)]
    fn decode_rows<W: Word>(
        mut self,
        parts: &Parts<'_>,
        base: &[u8],
        dst: &mut [u8],
    ) -> Result<(), DecodeErrorKind> {
        let whole = dst.len() / parts.format.len * parts.format.len;
        let (elements, end) = dst.split_at_mut(whole);
        let mut rest = W::split_mut(elements);
        let mut base = W::split(base);
        let mut row_len = parts.first_len;
        let mut space = Space::NEW;
        while !rest.is_empty() {
            let len = row_len.min(rest.len());
            let (row, behind) = core::mem::take(&mut rest).split_at_mut(len);
            let (base_row, base_behind) = base.split_at(len);
            (rest, base, row_len) = (behind, base_behind, parts.row_len);
            match self.models.class(&mut self.description, None) {
                None => row.copy_from_slice(base_row),
                Some(_) if self.tables.is_empty() => return Err(DecodeErrorKind::CorruptStream),
                Some(class) => self.row::<W>(class, base_row, row, &mut space),
            }
        }
        for byte in end {
            *byte = self.low_bits.take(8) as u8;
        }
        let is_complete =
            self.description.is_at_end() && self.symbols.is_at_end() && self.low_bits.is_at_end();
        if is_complete { Ok(()) } else { Err(DecodeErrorKind::CorruptStream) }
    }

    /// Decodes a row with changes.
    #[inline(always)]
    fn row<W: Word>(
        &mut self,
        class: i32,
        base: &[W::Bytes],
        dst: &mut [W::Bytes],
        space: &mut Space,
    ) {
        let origin = self.levels.origin(class);
        let format = self.levels.format();
        for (base, dst) in base.chunks(PIECE).zip(dst.chunks_mut(PIECE)) {
            let levels = &mut space.levels[..dst.len()];
            let symbols = &mut space.symbols[..dst.len()];
            for (level, &base) in levels.iter_mut().zip(base) {
                let exponent = W::load(base).bits() >> format.mantissa & format.exponent_mask();
                *level = Levels::level(origin, exponent);
            }
            self.symbols.decode(self.tables, &self.starts, levels, symbols);
            for ((dst, &base), &symbol) in dst.iter_mut().zip(base).zip(&*symbols) {
                *dst = W::load(base).plus(i32::from(symbol) - ZERO).store();
            }
            let marked = marked(symbols, &mut space.marked);
            self.correct::<W>(class, levels, symbols, marked, base, dst);
        }
    }

    /// Decodes the elements at the positions in `marked`, whose symbols are not whole differences.
    ///
    /// Which of them have which meaning is hard to predict, so that there is no branch for it.
    #[inline(always)]
    fn correct<W: Word>(
        &mut self,
        class: i32,
        levels: &[u8],
        symbols: &[u8],
        marked: &[u16],
        base: &[W::Bytes],
        dst: &mut [W::Bytes],
    ) {
        let format = self.levels.format();
        let exponent = self.levels.exponent(class) - SAME_EXPONENT;
        let mantissa_mask = (1 << format.mantissa) - 1;
        let select =
            |is: bool, yes: u32, no: u32| no ^ ((yes ^ no) & 0_u32.wrapping_sub(is.into()));
        for &at in marked {
            let at = usize::from(at);
            let symbol = symbols[at] & !MARK;
            let extra = self.extras[usize::from(levels[at] & LAST_LEVEL)];
            let is_escape = symbol == ESCAPE;
            let low = self.low_bits.take(select(is_escape, format.bits(), extra.bits.into()));
            let base = W::load(base[at]);
            let change = (i32::from(symbol) - ZERO) << extra.shift | low as i32;
            let exponent = (exponent + i32::from(symbol)) as u32 & format.exponent_mask();
            let sign = low >> format.mantissa << (format.bits() - 1);
            let apart = sign | exponent << format.mantissa | low & mantissa_mask;
            let element = select(extra.is_apart, apart, base.plus(change).bits());
            dst[at] = W::from_bits(select(is_escape, low, element)).store();
        }
    }
}

/// Memory for a part of a row.
struct Space {
    levels: [u8; PIECE],
    symbols: [u8; PIECE],
    /// Positions.
    marked: [u16; PIECE],
}

impl Space {
    const NEW: Self = Self { levels: [0; _], symbols: [0; _], marked: [0; _] };
}

/// What a level adds to a symbol.
#[derive(Debug, Clone, Copy, Default)]
struct Extra {
    /// Number of low bits.
    bits: u8,
    /// Number of bits by which a symbol is shifted.
    shift: u8,
    /// Whether the symbol is an exponent.
    is_apart: bool,
}

impl Extra {
    fn of(levels: &Levels, level: u8) -> Self {
        match levels.meaning(level) {
            Meaning::Difference => Self::default(),
            Meaning::Shifted(shift) => {
                Self { bits: shift as u8, shift: shift as u8, is_apart: false }
            }
            Meaning::Apart => {
                Self { bits: levels.format().mantissa as u8 + 1, shift: 0, is_apart: true }
            }
        }
    }
}

/// Collects the positions of marked symbols and of escapes. There are at most [`PIECE`] symbols.
#[inline(always)]
fn marked<'m>(symbols: &[u8], marked: &'m mut [u16; PIECE]) -> &'m [u16] {
    const GROUP: usize = 8;
    let mut count = 0;
    let (groups, rest) = symbols.as_chunks::<GROUP>();
    for (group, symbols) in (0..).zip(groups) {
        let symbols = u64::from_le_bytes(*symbols);
        // The highest bit of a byte is set if the symbol is marked or an escape.
        let above = (symbols & 0x7f7f_7f7f_7f7f_7f7f) + 0x2f2f_2f2f_2f2f_2f2f;
        let mut bits = (above | symbols) & 0x8080_8080_8080_8080;
        while bits != 0 {
            marked[count % PIECE] = (GROUP as u32 * group + bits.trailing_zeros() / 8) as u16;
            count += 1;
            bits &= bits - 1;
        }
    }
    for (at, &symbol) in (symbols.len() - rest.len()..).zip(rest) {
        marked[count % PIECE] = at as u16;
        count += usize::from(symbol >= ESCAPE);
    }
    &marked[..count.min(PIECE)]
}

/// Returns whether a table belongs to contexts whose symbols are not whole differences.
fn is_marked(begins: &[bool; CONTEXTS], table: usize) -> bool {
    let [differences, ..] = MEANINGS;
    table >= begins[differences].iter().filter(|&&begins| begins).count()
}

/// Returns the position of the table of each level. Levels without a table get any position.
fn starts(levels: &Levels, begins: &[bool; CONTEXTS]) -> [u32; 256] {
    let mut tables = [0; CONTEXTS];
    let mut count = 0_u32;
    for (table, &begins) in tables.iter_mut().zip(begins) {
        count += u32::from(begins);
        *table = count.saturating_sub(1) * SLOTS as u32;
    }
    core::array::from_fn(|level| tables[levels.context(level.min(LAST_LEVEL.into()) as u8)])
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::model::difference::encode::DifferenceEncoder;

    /// Returns a base and data whose rows change by very different amounts.
    fn pair(dtype: DType) -> (Vec<u8>, Vec<u8>) {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let size = dtype.size();
        let (mut base, mut new) = (Vec::new(), Vec::new());
        for number in 0..40_000_u32 {
            let element = next() ^ next() << 16;
            let largest = 1_u32 << (number / 512 % 24);
            let change = if number / 4096 % 3 == 0 { 0 } else { next() % largest };
            base.extend_from_slice(&element.to_le_bytes()[..size]);
            new.extend_from_slice(&element.wrapping_add(change).to_le_bytes()[..size]);
        }
        (base, new)
    }

    #[test]
    fn all_instructions_decode_the_same() {
        for dtype in DType::ALL {
            let (base, new) = pair(dtype);
            for len in [new.len(), new.len() - 2001, 5 * dtype.size(), dtype.size()] {
                let (base, new) = (&base[..len], &new[..len]);
                let xor: Vec<u8> = base.iter().zip(new).map(|(base, new)| base ^ new).collect();
                let mut code = Vec::new();
                DifferenceEncoder::default().encode(new, &xor, dtype, &mut code);
                for (level, kernels) in Kernels::all() {
                    let mut tables = vec![0; tables_len(len as u64) as usize];
                    let mut decoded = vec![0; len];
                    let result = decode_with(kernels, &code, base, &mut decoded, &mut tables);
                    assert_eq!(result, Ok(()), "{dtype} {len} {level}");
                    assert!(decoded == new, "{dtype} {len} {level}");
                }
            }
        }
    }
}
