//! Encodes the elements of a chunk.

use alloc::vec::Vec;

use crate::base::varint;
use crate::dtype::DType;
use crate::entropy::binary::BitEncoder;
use crate::entropy::rans::encode::{Code, Encoder as SymbolEncoder, fill_codes};
use crate::model::element::Word;
use crate::model::scales::context::{Division, Expected, Reference};
use crate::model::scales::description::{EscapeModels, Models, RowReference};
use crate::model::scales::fit::Columns;
use crate::model::scales::row_len::{Finder, Found};
use crate::model::scales::{
    CONTEXTS, ESCAPE, GROUP, HEADS, LOG, PIECE, SIGN, SYMBOLS, WITH_REFERENCES, max_tables,
    raw_bits, tables,
};

/// Encodes chunks, and keeps its memory from chunk to chunk.
#[derive(Default)]
pub(crate) struct ScalesEncoder {
    finder: Finder,
    columns: Columns,
    rows: Vec<Row>,
    /// The context, the symbol and the head of symbol 0 of each element.
    contexts: Vec<u8>,
    symbols: Vec<u8>,
    raw: Vec<u8>,
    counts: Vec<[u32; SYMBOLS]>,
    codes: Vec<Code>,
    description: Vec<u8>,
    escapes: Vec<u8>,
    words: Vec<u16>,
}

/// A row of elements.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    len: usize,
    scale: i16,
    reference: Option<RowReference>,
}

impl ScalesEncoder {
    /// Replaces `code` with the code of a chunk.
    pub(crate) fn encode(&mut self, chunk: &[u8], dtype: DType, code: &mut Vec<u8>) {
        let Some(division) = Division::new(dtype, false) else { return };
        match dtype {
            DType::F32 => self.encode_words::<u32, 2, 5>(chunk, division, code),
            DType::BF16 => self.encode_words::<u16, 0, 5>(chunk, division, code),
            DType::F16 => self.encode_words::<u16, 1, 0>(chunk, division, code),
            DType::F8E4M3 | DType::F8E5M2 => self.encode_words::<u8, 0, 1>(chunk, division, code),
        }
    }

    fn encode_words<W: Word, const FULL: usize, const PART: usize>(
        &mut self,
        chunk: &[u8],
        division: Division,
        code: &mut Vec<u8>,
    ) {
        let elements = W::split(chunk);
        let found = self.finder.find::<W>(elements, division);
        self.columns.fit::<W>(elements, division.format, found.rows, !found.has_columns);
        self.clear(elements.len(), division);
        let mut expected = Expected::new();
        let mut start = 0;
        for (row, columns) in found.rows.of(elements) {
            let scale = self.columns.row::<W>(row, columns.clone(), division.format);
            let row = Row { len: row.len(), scale, reference: None };
            self.rows.push(row);
            self.add_row::<W, FULL, PART>(
                division,
                elements,
                start,
                row,
                found,
                columns.start,
                &mut expected,
            );
            start += row.len;
        }
        let begins = self.describe(division, chunk.len());
        self.find_escapes::<W>(division, elements, found, &begins, &mut expected);
        let end = &chunk[elements.len() * division.format.len..];
        self.write(division, found, &begins, end, code);
    }

    /// Prepares for a chunk of `len` elements.
    fn clear(&mut self, len: usize, division: Division) {
        if self.contexts.len() < len {
            self.contexts.resize(len, 0);
            self.symbols.resize(len, 0);
        }
        self.rows.clear();
        self.raw.clear();
        self.raw.resize(raw_bits::len(len, division.raw_bits()), 0);
        self.counts.clear();
        self.counts.resize(division.contexts(), [0; SYMBOLS]);
    }

    /// Finds the contexts and symbols of a row, and stores their raw bits.
    #[expect(clippy::too_many_arguments, reason = "all of them describe the place of the row")]
    fn add_row<W: Word, const FULL: usize, const PART: usize>(
        &mut self,
        division: Division,
        elements: &[W::Bytes],
        start: usize,
        row: Row,
        found: Found,
        column: usize,
        expected: &mut Expected,
    ) {
        for at in (start..start + row.len).step_by(PIECE) {
            let end = (at + PIECE).min(start + row.len);
            let column = column + at - start;
            self.expect::<W>(division, elements, at..end, row, found, column, expected);
            let piece = &elements[at..end];
            let symbols = &mut self.symbols[at..end];
            let places = symbols.iter_mut().zip(piece).zip(&expected.heads).zip(&expected.signs);
            for (((symbol, &element), &head), &sign) in places {
                *symbol = self::symbol(division, W::load(element), head, sign);
            }
            let contexts = &mut self.contexts[at..end];
            contexts.copy_from_slice(&expected.contexts[..piece.len()]);
            for (&context, &symbol) in contexts.iter().zip(&*symbols) {
                if let Some(counts) = self.counts.get_mut(usize::from(context)) {
                    counts[usize::from(symbol)] += 1;
                }
            }
            let group_len = GROUP * FULL + PART;
            let raw = &mut self.raw[at / GROUP * group_len..];
            let (groups, rest) = piece.as_chunks::<GROUP>();
            for (group, raw) in groups.iter().zip(raw.chunks_exact_mut(group_len)) {
                raw_bits::put::<FULL, PART>(
                    group.map(|element| raw_of::<W>(division, element)),
                    raw,
                );
            }
            if !rest.is_empty() {
                let mut group = [0; GROUP];
                for (raw, &element) in group.iter_mut().zip(rest) {
                    *raw = raw_of::<W>(division, element);
                }
                raw_bits::put::<FULL, PART>(
                    group,
                    &mut raw[groups.len() * group_len..][..group_len],
                );
            }
        }
    }

    /// Finds what is expected of the elements of a part of a row.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "all of them describe the place of the part")]
    fn expect<W: Word>(
        &self,
        division: Division,
        elements: &[W::Bytes],
        range: core::ops::Range<usize>,
        row: Row,
        found: Found,
        column: usize,
        expected: &mut Expected,
    ) {
        let columns = &self.columns.scales[column..column + range.len()];
        let Some(RowReference { distance, size, is_negative }) = row.reference else {
            return expected.set(division, row.scale, columns);
        };
        let from = range.start - distance as usize * found.rows.len;
        let elements = &elements[from..from + range.len()];
        let reference = Reference { elements, size, is_negative };
        expected.set_with_reference::<W>(division, row.scale, columns, reference);
    }

    /// Writes the description, and sets the codes of symbols. Returns which contexts share a table.
    fn describe(&mut self, division: Division, len: usize) -> [bool; CONTEXTS] {
        let symbols = division.symbols();
        let mut description = BitEncoder::new(core::mem::take(&mut self.description));
        let mut models = Models::new();
        let mut begins = tables::join(&mut self.counts, symbols, max_tables(len as u64));
        let count = models.partition(&mut description, division.contexts(), &mut begins);
        let elements = len / division.format.len;
        let precision = tables::precision(elements / count);
        models.precision(&mut description, precision);
        self.codes.clear();
        self.codes.resize(count * SYMBOLS, Code::default());
        let mut before = None;
        let used = self.counts.iter_mut().zip(&begins).filter(|&(_, begins)| *begins);
        for ((counts, _), codes) in used.zip(self.codes.chunks_exact_mut(SYMBOLS)) {
            let mut frequencies = tables::frequencies(counts, division, precision);
            let coded = models.frequencies(
                &mut description,
                symbols,
                precision,
                before.as_ref(),
                &mut frequencies,
            );
            debug_assert!(coded.is_ok(), "the frequencies fill the slots");
            fill_codes(&frequencies, LOG, codes);
            let escape = codes[usize::from(ESCAPE)];
            // Rare heads are escapes.
            for (code, &frequency) in codes.iter_mut().zip(&frequencies) {
                if frequency == 0 {
                    *code = escape;
                }
            }
            before = Some(frequencies);
        }
        for scale in &self.columns.scales {
            models.column(&mut description, i16::from_le_bytes(*scale));
        }
        for row in &self.rows {
            models.row(&mut description, row.scale);
        }
        self.description = description.finish();
        begins
    }

    /// Stores the heads of escapes.
    fn find_escapes<W: Word>(
        &mut self,
        division: Division,
        elements: &[W::Bytes],
        found: Found,
        begins: &[bool; CONTEXTS],
        expected: &mut Expected,
    ) {
        let mut escapes = BitEncoder::new(core::mem::take(&mut self.escapes));
        let mut models = EscapeModels::new();
        if !division.is_whole() {
            let [lowest, highest] = self.common_symbols(division, begins);
            let _ = (lowest, highest);
            let mut start = 0;
            let mut column = found.rows.len - found.rows.first;
            for number in 0..self.rows.len() {
                let row = self.rows[number];
                for at in (start..start + row.len).step_by(PIECE) {
                    let end = (at + PIECE).min(start + row.len);
                    let is_common = |&symbol: &u8| {
                        let head = symbol & !SIGN;
                        head >= lowest && head <= highest
                    };
                    let symbols = &self.symbols[at..end];
                    if symbols.iter().map(is_common).fold(true, |all, is| all & is) {
                        continue;
                    }
                    let column = column + at - start;
                    self.expect::<W>(division, elements, at..end, row, found, column, expected);
                    for (number, symbol) in self.symbols[at..end].iter().enumerate() {
                        if is_common(symbol) {
                            continue;
                        }
                        let context = usize::from(expected.contexts[number]);
                        let counts = self.table_counts(begins, context);
                        if *symbol & !SIGN == ESCAPE || counts[usize::from(*symbol)] == 0 {
                            let head = division.head(W::load(elements[at + number]));
                            models.head(&mut escapes, division, expected.heads[number], head);
                        }
                    }
                }
                start += row.len;
                column = 0;
            }
        }
        self.escapes = escapes.finish();
    }

    /// Returns the counts of the table of a context.
    fn table_counts(&self, begins: &[bool; CONTEXTS], context: usize) -> &[u32; SYMBOLS] {
        let first = begins[..=context].iter().rposition(|&begins| begins).unwrap_or_default();
        &self.counts[first]
    }

    /// Returns the lowest and the highest head between which all heads have symbols in all tables.
    fn common_symbols(&self, division: Division, begins: &[bool; CONTEXTS]) -> [u8; 2] {
        let (mut lowest, mut highest) = (0, HEADS - 1);
        let tables = self.counts.iter().zip(begins).filter(|&(_, begins)| *begins);
        for half in
            tables.flat_map(|(counts, _)| counts[..division.symbols()].chunks(usize::from(SIGN)))
        {
            let octaves = || {
                half[..usize::from(HEADS)]
                    .chunks(8)
                    .map(|octave| octave.iter().any(|&count| count > 0))
            };
            let first = octaves().position(|is_used| is_used).unwrap_or(15) as u8;
            let past = first
                + octaves()
                    .skip(first.into())
                    .position(|is_used| !is_used)
                    .unwrap_or(15 - usize::from(first)) as u8;
            lowest = lowest.max(first * 8);
            highest = highest.min((past * 8).saturating_sub(1));
        }
        [lowest, highest]
    }

    fn write(
        &mut self,
        division: Division,
        found: Found,
        begins: &[bool; CONTEXTS],
        end: &[u8],
        code: &mut Vec<u8>,
    ) {
        let mut first_codes = [0; 256];
        let mut count = 0_usize;
        for (first, &begins) in first_codes.iter_mut().zip(begins) {
            count += usize::from(begins);
            *first = count.saturating_sub(1) * SYMBOLS;
        }
        let mut left: usize = self.rows.iter().map(|row| row.len).sum();
        let mut encoder = SymbolEncoder::<LOG>::new(&mut self.words, left);
        for row in self.rows.iter().rev() {
            let start = left - row.len;
            let (contexts, symbols) = (&self.contexts[start..left], &self.symbols[start..left]);
            left = start;
            for (contexts, symbols) in contexts.chunks(PIECE).zip(symbols.chunks(PIECE)).rev() {
                encoder.encode(contexts.len(), |number| {
                    let first = first_codes[usize::from(contexts[number])];
                    self.codes[first + usize::from(symbols[number])]
                });
            }
        }
        let (states, words) = encoder.finish();
        code.clear();
        let with_references = if division.has_references { WITH_REFERENCES } else { 0 };
        code.push(division.format.dtype().code() | with_references);
        let rows = found.rows;
        for number in [rows.len, rows.first, self.description.len(), words.len()] {
            varint::write(number as u64, code);
        }
        code.extend_from_slice(&self.description);
        states.iter().for_each(|state| code.extend_from_slice(&state.to_le_bytes()));
        words.iter().for_each(|word| code.extend_from_slice(&word.to_le_bytes()));
        code.extend_from_slice(&self.raw);
        code.extend_from_slice(end);
        code.extend_from_slice(&self.escapes);
    }
}

/// Returns the symbol of an element.
#[inline(always)]
fn symbol<W: Word>(division: Division, element: W, first: u16, sign: u8) -> u8 {
    let head = division.head(element).wrapping_sub(first);
    if division.is_whole() {
        return head as u8;
    }
    let head = if head < HEADS.into() { head as u8 } else { ESCAPE };
    match division.has_references {
        true => head | ((element.bits() >> (division.format.bits() - 8)) as u8 ^ sign) & SIGN,
        false => head,
    }
}

/// Returns the raw bits of an element.
#[inline(always)]
fn raw_of<W: Word>(division: Division, element: W::Bytes) -> u32 {
    let bits = W::load(element).bits();
    let low = division.low();
    let sign = if division.has_references { 0 } else { bits >> (division.format.bits() - 1) };
    bits & ((1 << low) - 1) | sign << low
}
