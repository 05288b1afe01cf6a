//! Decodes the elements of a chunk.

use crate::bits::number_at;
use crate::dtype::DType;
use crate::entropy::binary::BitDecoder;
use crate::entropy::rans;
use crate::entropy::rans::decode::{Decoder, Entry, fill_table};
use crate::error::DecodeErrorKind;
use crate::format::scales::{
    CONTEXTS, ESCAPE, GROUP, LOG, MAX_ROW, PIECE, SIGN, SLOTS, SYMBOLS, WITH_REFERENCES,
};
use crate::model::element::Word;
use crate::model::scales::context::{Division, Expected, Reference};
use crate::model::scales::description::{EscapeModels, Models};
use crate::model::scales::normal::Normal;
use crate::model::scales::shape::{BF16, F8, F16, F32, Shape};
use crate::model::scales::{max_columns, max_tables, memory_len, raw_bits};
use crate::simd::Kernels;

/// The parts of the code of a chunk.
struct Parts<'a> {
    division: Division,
    row_len: usize,
    /// Length of the first row, which may begin before the chunk.
    first_len: usize,
    description: &'a [u8],
    states: [u32; rans::LANES],
    words: &'a [[u8; 2]],
    raw: &'a [u8],
    /// The bytes after the last complete element.
    end: &'a [u8],
    escapes: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Returns the parts of the code of `len` bytes; `None` if it is too short or a number in it is
    /// out of range.
    fn parse(code: &'a [u8], len: usize) -> Option<Self> {
        let (&first, mut rest) = code.split_first()?;
        let dtype = first & !WITH_REFERENCES;
        let dtype = DType::from_code(dtype).filter(|known| known.code() == dtype)?;
        let division = Division::new(dtype, first & WITH_REFERENCES != 0)?;
        let mut numbers = [0; 5];
        for number in &mut numbers {
            (*number, rest) = number_at(rest)?;
        }
        let [row_len, first_len, description_len, words, escapes_len] = numbers;
        let is_whole = row_len.is_multiple_of(GROUP) && first_len.is_multiple_of(GROUP);
        if !is_whole || row_len > MAX_ROW || !(1..=row_len).contains(&first_len) {
            return None;
        }
        let elements = len / division.format.len;
        let (description, rest) = rest.split_at_checked(description_len)?;
        let (states, rest) = rest.split_first_chunk::<{ 4 * rans::LANES }>()?;
        let (words, rest) = rest.split_at_checked(words.checked_mul(2)?)?;
        let (escapes, rest) = rest.split_at_checked(escapes_len)?;
        let raw_len = raw_bits::len(elements, division.raw_bits());
        let (raw, end) = rest.split_at_checked(raw_len)?;
        if end.len() != len % division.format.len {
            return None;
        }
        let mut parts = Self {
            division,
            row_len,
            first_len,
            description,
            states: [0; _],
            words: words.as_chunks().0,
            raw,
            end,
            escapes,
        };
        for (state, bytes) in parts.states.iter_mut().zip(states.as_chunks().0) {
            *state = u32::from_le_bytes(*bytes);
        }
        Some(parts)
    }
}

/// Decodes a chunk from its code.
///
/// `memory` has at least [`memory_len`] bytes.
///
/// # Errors
///
/// `CorruptStream`.
pub(crate) fn decode(
    code: &[u8],
    dst: &mut [u8],
    memory: &mut [u8],
) -> Result<(), DecodeErrorKind> {
    let corrupt = DecodeErrorKind::CorruptStream;
    let parts = Parts::parse(code, dst.len()).ok_or(corrupt)?;
    let memory = memory.get_mut(..memory_len(dst.len() as u64) as usize).ok_or(corrupt)?;
    let decoder = ChunkDecoder::new(&parts, memory, dst.len())?;
    match (parts.division.format.dtype(), parts.division.has_references) {
        (DType::F32, false) => decoder.decode::<F32<false>>(&parts, dst),
        (DType::F32, true) => decoder.decode::<F32<true>>(&parts, dst),
        (DType::BF16, false) => decoder.decode::<BF16<false>>(&parts, dst),
        (DType::BF16, true) => decoder.decode::<BF16<true>>(&parts, dst),
        (DType::F16, false) => decoder.decode::<F16<false>>(&parts, dst),
        (DType::F16, true) => decoder.decode::<F16<true>>(&parts, dst),
        (DType::F8E4M3 | DType::F8E5M2, _) => decoder.decode::<F8>(&parts, dst),
    }
}

/// Decodes the rows of a chunk.
struct ChunkDecoder<'a> {
    division: Division,
    models: Models,
    description: BitDecoder<'a>,
    tables: &'a [Entry],
    /// The position in `tables` of the table of each context.
    starts: [u32; 256],
    columns: &'a [[u8; 2]],
    symbols: Decoder<'a, LOG>,
    raw: &'a [u8],
    /// Whether raw bits that belong to no element are set.
    has_excess: bool,
    escape_models: EscapeModels,
    escapes: BitDecoder<'a>,
}

impl<'a> ChunkDecoder<'a> {
    /// Decodes the tables and the scales of columns of a chunk of `len` bytes.
    fn new(parts: &Parts<'a>, memory: &'a mut [u8], len: usize) -> Result<Self, DecodeErrorKind> {
        let corrupt = DecodeErrorKind::CorruptStream;
        let division = parts.division;
        let max_tables = max_tables(len as u64);
        let (tables, columns) = memory.split_at_mut(max_tables * SLOTS * size_of::<Entry>());
        let tables = tables.as_chunks_mut().0;
        let mut models = Models::new();
        let mut description = BitDecoder::new(parts.description);
        let mut begins = [true; CONTEXTS];
        let precision = models.precision(&mut description, None);
        let count = match precision {
            Some(_) => models.partition(&mut description, division.contexts(), &mut begins),
            None => division.contexts(),
        };
        if count > max_tables || parts.row_len > max_columns(len as u64) {
            return Err(corrupt);
        }
        let places = tables.chunks_exact_mut(SLOTS).take(count);
        match precision {
            Some(precision) => {
                read_tables(&mut models, &mut description, division, precision, places)?;
            }
            None if division.is_whole() => return Err(corrupt),
            None => fill_normal_tables(division, places),
        }
        let columns = columns.as_chunks_mut().0.get_mut(..parts.row_len).ok_or(corrupt)?;
        for column in &mut *columns {
            *column = models.column(&mut description, 0).to_le_bytes();
        }
        Ok(Self {
            division,
            starts: starts(&begins),
            models,
            description,
            tables: &tables[..count * SLOTS],
            columns,
            symbols: Decoder::new(parts.states, parts.words),
            raw: parts.raw,
            has_excess: false,
            escape_models: EscapeModels::new(),
            escapes: BitDecoder::new(parts.escapes),
        })
    }

    /// Decodes all rows, and the bytes after the last whole element.
    fn decode<S: Shape>(
        mut self,
        parts: &Parts<'_>,
        dst: &mut [u8],
    ) -> Result<(), DecodeErrorKind> {
        let whole = dst.len() - parts.end.len();
        let (elements, end) = dst.split_at_mut(whole);
        end.copy_from_slice(parts.end);
        let elements = S::Word::split_mut(elements);
        let kernels = Kernels::new();
        let mut expected = Expected::new();
        let mut symbols = [0; PIECE];
        let mut start = 0;
        // The first row may be the end of a row.
        let mut columns = parts.row_len - parts.first_len;
        while start < elements.len() {
            let (done, rest) = elements.split_at_mut(start);
            let len = (parts.row_len - columns).min(rest.len());
            let scale = self.models.row(&mut self.description, 0);
            let reference = match self.division.has_references {
                true => {
                    let most = (start / parts.row_len) as u32;
                    self.models.reference(&mut self.description, most, None)?
                }
                false => None,
            };
            let reference = reference.map(|reference| Reference {
                elements: &done[start - reference.distance as usize * parts.row_len..][..len],
                size: reference.size,
                is_negative: reference.is_negative,
            });
            for (number, dst) in rest[..len].chunks_mut(PIECE).enumerate() {
                let at = number * PIECE;
                let columns = &self.columns[columns + at..][..dst.len()];
                let reference = reference.map(|reference| reference.part(at..at + dst.len()));
                kernels.vectorize(
                    #[inline(always)]
                    || {
                        expected.set::<S::Word>(self.division, scale, columns, reference);
                    },
                );
                let symbols = &mut symbols[..dst.len()];
                let contexts = &expected.contexts[..dst.len()];
                self.symbols.decode(self.tables, &self.starts, contexts, symbols);
                kernels.vectorize(
                    #[inline(always)]
                    || self.assemble::<S>(&expected, symbols, dst),
                );
                self.correct::<S>(&expected, symbols, dst);
            }
            start += len;
            columns = 0;
        }
        let is_complete = !self.has_excess
            && self.description.is_at_end()
            && self.symbols.is_at_end()
            && self.escapes.is_at_end();
        if is_complete { Ok(()) } else { Err(DecodeErrorKind::CorruptStream) }
    }

    /// Combines the symbols and raw bits of elements.
    #[inline(always)]
    fn assemble<S: Shape>(
        &mut self,
        expected: &Expected,
        symbols: &[u8],
        dst: &mut [<S::Word as Word>::Bytes],
    ) {
        let (groups, rest) = dst.as_chunks_mut::<GROUP>();
        let (raw, behind) = self.raw.split_at(groups.len() * S::GROUP_LEN);
        let (symbol_groups, rest_symbols) = symbols.as_chunks::<GROUP>();
        let heads = expected.heads.as_chunks::<GROUP>().0;
        let signs = expected.signs.as_chunks::<GROUP>().0;
        let inputs = symbol_groups.iter().zip(heads).zip(signs);
        for ((dst, ((symbols, heads), signs)), raw) in
            groups.iter_mut().zip(inputs).zip(raw.chunks_exact(S::GROUP_LEN))
        {
            let raw = raw_bits::get::<S>(raw);
            for lane in 0..GROUP {
                dst[lane] = S::element(symbols[lane], heads[lane], signs[lane], raw[lane]).store();
            }
        }
        self.raw = behind;
        if !rest.is_empty() {
            let (raw, behind) = self.raw.split_at(S::GROUP_LEN);
            self.raw = behind;
            let raw = raw_bits::get::<S>(raw);
            let at = symbols.len() - rest.len();
            if raw[rest.len()..].iter().any(|&raw| raw != 0) {
                self.has_excess = true;
            }
            for (lane, dst) in rest.iter_mut().enumerate() {
                let (head, sign) = (expected.heads[at + lane], expected.signs[at + lane]);
                *dst = S::element(rest_symbols[lane], head, sign, raw[lane]).store();
            }
        }
    }

    /// Decodes the heads of escapes.
    #[inline(always)]
    fn correct<S: Shape>(
        &mut self,
        expected: &Expected,
        symbols: &[u8],
        dst: &mut [<S::Word as Word>::Bytes],
    ) {
        if S::IS_WHOLE {
            return;
        }
        for (group, symbols) in symbols.chunks(GROUP).enumerate() {
            // The highest bit of a byte is set if the symbol is an escape.
            if let Some(eight) = symbols.first_chunk::<GROUP>() {
                let eight = u64::from_le_bytes(*eight) & 0x7f7f_7f7f_7f7f_7f7f;
                if (eight + 0x0101_0101_0101_0101) & 0x8080_8080_8080_8080 == 0 {
                    continue;
                }
            }
            for (number, &symbol) in (group * GROUP..).zip(symbols) {
                if symbol & !SIGN == ESCAPE {
                    let first = expected.heads[number];
                    let coder = &mut self.escapes;
                    let head = self.escape_models.head(coder, self.division, first, 0);
                    let kept = 1 << (S::Word::BITS - 1) | ((1 << S::LOW) - 1);
                    let bits = S::Word::load(dst[number]).bits() & kept;
                    let bits = bits | u32::from(head) << S::LOW;
                    dst[number] = S::Word::from_bits(bits).store();
                }
            }
        }
    }
}

/// Decodes tables.
fn read_tables<'t>(
    models: &mut Models,
    description: &mut BitDecoder<'_>,
    division: Division,
    precision: u32,
    places: impl Iterator<Item = &'t mut [Entry]>,
) -> Result<(), DecodeErrorKind> {
    let [mut before, mut frequencies] = [[0; SYMBOLS]; 2];
    for (number, table) in places.enumerate() {
        models.frequencies(
            description,
            division.symbols(),
            precision,
            (number > 0).then_some(&before),
            &mut frequencies,
        )?;
        fill_table(&frequencies, 0, table);
        before = frequencies;
    }
    Ok(())
}

/// Fills the table of each context for normally distributed elements.
fn fill_normal_tables<'t>(division: Division, places: impl Iterator<Item = &'t mut [Entry]>) {
    let normal = Normal::new();
    let mut frequencies = [0; SYMBOLS];
    for (context, table) in places.enumerate() {
        normal.frequencies(division, context, &mut frequencies);
        fill_table(&frequencies, 0, table);
    }
}

/// Returns the position of the table of each context.
fn starts(begins: &[bool; CONTEXTS]) -> [u32; 256] {
    let mut starts = [0; 256];
    let mut count = 0_u32;
    for (start, &begins) in starts.iter_mut().zip(begins) {
        count += u32::from(begins);
        *start = count.saturating_sub(1) * SLOTS as u32;
    }
    starts
}
