//! Decodes the elements of a chunk.

use crate::bits::number_at;
use crate::difference::context::{CONTEXTS, Levels, MEANINGS, Meaning};
use crate::difference::description::Models;
use crate::difference::{
    ESCAPE, LOG, PIECE, SAME_EXPONENT, SLOTS, SYMBOLS, ZERO, max_tables, tables_len,
};
use crate::dtype::DType;
use crate::entropy::binary::BitDecoder;
use crate::entropy::low_bits::LowBits;
use crate::entropy::rans;
use crate::entropy::rans::decode::{Decoder, Entry, fill_table};
use crate::error::DecodeErrorKind;
use crate::model::element::{Format, Word};

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
    let corrupt = DecodeErrorKind::CorruptStream;
    let parts = Parts::parse(code).ok_or(corrupt)?;
    let len = tables_len(dst.len() as u64) as usize;
    let tables = tables.get_mut(..len).ok_or(corrupt)?.as_chunks_mut().0;
    match parts.format.len {
        1 => ChunkDecoder::new(&parts, tables, dst.len())?.decode::<u8>(&parts, base, dst),
        2 => ChunkDecoder::new(&parts, tables, dst.len())?.decode::<u16>(&parts, base, dst),
        _ => ChunkDecoder::new(&parts, tables, dst.len())?.decode::<u32>(&parts, base, dst),
    }
}

/// Decodes the rows of a chunk.
struct ChunkDecoder<'a> {
    levels: Levels,
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
        let mut space = [[0; PIECE]; 2];
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

    /// Decodes a row with changes. `space` is for the levels and symbols of a part of the row.
    fn row<W: Word>(
        &mut self,
        class: i32,
        base: &[W::Bytes],
        dst: &mut [W::Bytes],
        [levels, symbols]: &mut [[u8; PIECE]; 2],
    ) {
        let origin = self.levels.origin(class);
        let format = self.levels.format();
        for (base, dst) in base.chunks(PIECE).zip(dst.chunks_mut(PIECE)) {
            let levels = &mut levels[..dst.len()];
            let symbols = &mut symbols[..dst.len()];
            for (level, &base) in levels.iter_mut().zip(base) {
                let exponent = W::load(base).bits() >> format.mantissa & format.exponent_mask();
                *level = Levels::level(origin, exponent);
            }
            self.symbols.decode(self.tables, &self.starts, levels, symbols);
            for ((dst, &base), &symbol) in dst.iter_mut().zip(base).zip(&*symbols) {
                *dst = W::load(base).plus(i32::from(symbol) - ZERO).store();
            }
            self.correct::<W>(class, levels, symbols, base, dst);
        }
    }

    /// Decodes the elements whose symbols are not whole differences.
    fn correct<W: Word>(
        &mut self,
        class: i32,
        levels: &[u8],
        symbols: &[u8],
        base: &[W::Bytes],
        dst: &mut [W::Bytes],
    ) {
        const GROUP: usize = 8;
        for (group, symbols) in symbols.chunks(GROUP).enumerate() {
            // The highest bit of a byte is set if the symbol is marked or an escape.
            if let Some(eight) = symbols.first_chunk::<GROUP>() {
                let eight = u64::from_le_bytes(*eight);
                let above = (eight & 0x7f7f_7f7f_7f7f_7f7f) + 0x2f2f_2f2f_2f2f_2f2f;
                if (above | eight) & 0x8080_8080_8080_8080 == 0 {
                    continue;
                }
            }
            for (number, &symbol) in (group * GROUP..).zip(symbols) {
                if symbol >= ESCAPE {
                    let base = W::load(base[number]);
                    dst[number] = self.element(class, levels[number], symbol, base).store();
                }
            }
        }
    }

    /// Decodes an element whose symbol is not a whole difference.
    #[inline(always)]
    fn element<W: Word>(&mut self, class: i32, level: u8, symbol: u8, base: W) -> W {
        let format = self.levels.format();
        let symbol = symbol & !MARK;
        match self.levels.meaning(level) {
            _ if symbol == ESCAPE => W::from_bits(self.low_bits.take(format.bits())),
            // There are no escapes without the mark.
            Meaning::Difference => base.plus(i32::from(symbol) - ZERO),
            Meaning::Shifted(shift) => {
                let low = self.low_bits.take(shift) as i32;
                base.plus((i32::from(symbol) - ZERO) << shift | low)
            }
            Meaning::Apart => {
                let exponent = self.levels.exponent(class) + i32::from(symbol) - SAME_EXPONENT;
                let exponent = (exponent as u32 & format.exponent_mask()) << format.mantissa;
                let rest = self.low_bits.take(format.mantissa + 1);
                let sign = rest >> format.mantissa << (format.bits() - 1);
                W::from_bits(sign | exponent | rest & ((1 << format.mantissa) - 1))
            }
        }
    }
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
    core::array::from_fn(|level| tables[levels.context(level.min(127) as u8)])
}
