//! Encodes the elements of a chunk.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use crate::base::varint;
use crate::dtype::DType;
use crate::entropy::binary::BitEncoder;
use crate::entropy::rans::encode::{Code, Encoder as SymbolEncoder, fill_codes};
use crate::format::scales::{CONTEXTS, ESCAPE, GROUP, LOG, PIECE, SIGN, SYMBOLS, WITH_REFERENCES};
use crate::model::element::{Format, Word};
use crate::model::scales::context::{Division, Expected, Reference};
use crate::model::scales::description::{EscapeModels, Models, RowReference};
use crate::model::scales::fit::Columns;
use crate::model::scales::references::{self, CompleteRows, Found};
use crate::model::scales::row_len::{Finder, Rows};
use crate::model::scales::shape::{BF16, F8, F16, F32, Shape};
use crate::model::scales::tables::Tables;
use crate::model::scales::{max_tables, raw_bits};
use crate::simd::Kernels;

/// Encodes chunks, and keeps its memory from chunk to chunk.
#[derive(Default)]
pub(crate) struct ScalesEncoder {
    finder: Finder,
    columns: Columns,
    rows: Vec<Row>,
    factors: Vec<f32>,
    /// The reference of each complete row.
    references: Vec<Option<Found>>,
    reference_finder: references::Finder,
    /// The index of the code of each element: its context, and its symbol.
    indexes: Vec<u16>,
    /// The raw bits, and the bytes after the last complete element.
    raw: Vec<u8>,
    /// The counts of the symbols of each context.
    counts: Option<Box<[u32; CONTEXTS * SYMBOLS]>>,
    /// The codes of the symbols of each context.
    codes: Option<Box<Codes>>,
    /// Whether a symbol of a context is stored as an escape, for each number that fits an index.
    escaped: Option<Box<[bool; 1 << u16::BITS]>>,
    description: Vec<u8>,
    escapes: Vec<u8>,
    words: Vec<[u8; 2]>,
    /// The parts of the code before the raw bits.
    code: Vec<u8>,
}

/// The codes of the symbols of all contexts.
type Codes = [Code; CONTEXTS * SYMBOLS];

/// A row of elements.
#[derive(Debug, Clone, Copy)]
struct Row {
    start: usize,
    len: usize,
    /// The column of the first element.
    column: usize,
    scale: i16,
    reference: Option<RowReference>,
}

impl Row {
    /// Returns the ranges of the elements that are coded together.
    fn pieces(self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        let pieces = self.len.div_ceil(PIECE);
        let at = move |piece: usize| self.start + (piece * PIECE).min(self.len);
        (0..pieces).map(move |piece| at(piece)..at(piece + 1))
    }
}

/// The elements of a chunk.
struct Place<'e, B> {
    division: Division,
    elements: &'e [B],
    row_len: usize,
}

impl<B> Place<'_, B> {
    /// Finds what is expected of the elements of a part of a row.
    #[inline(always)]
    fn expect<W: Word<Bytes = B>>(
        &self,
        row: Row,
        range: Range<usize>,
        columns: &Columns,
        expected: &mut Expected,
    ) {
        let column = row.column + range.start - row.start;
        let columns = &columns.scales[column..column + range.len()];
        let reference = row.reference.map(|RowReference { distance, size, is_negative }| {
            let back = distance as usize * self.row_len;
            let elements = &self.elements[range.start - back..range.end - back];
            Reference { elements, size, is_negative }
        });
        expected.set::<W>(self.division, row.scale, columns, reference);
    }
}

impl ScalesEncoder {
    /// Returns the code of a chunk in two parts.
    pub(crate) fn encode(&mut self, chunk: &[u8], dtype: DType) -> [&[u8]; 2] {
        match dtype {
            DType::F32 => self.encode_words::<F32<false>, F32<true>>(chunk, dtype),
            DType::BF16 => self.encode_words::<BF16<false>, BF16<true>>(chunk, dtype),
            DType::F16 => self.encode_words::<F16<false>, F16<true>>(chunk, dtype),
            DType::F8E4M3 | DType::F8E5M2 => self.encode_words::<F8, F8>(chunk, dtype),
        }
        [&self.code, &self.raw]
    }

    /// Encodes a chunk with the second shape if enough rows have references, otherwise with the
    /// first.
    fn encode_words<S: Shape, R: Shape<Word = S::Word>>(&mut self, chunk: &[u8], dtype: DType) {
        let kernels = Kernels::new();
        let elements = S::Word::split(chunk);
        let format = Format::of(dtype);
        let found = self.finder.find::<S>(elements, format, kernels);
        kernels.vectorize_all(
            #[inline(always)]
            || self.columns.fit::<S::Word>(elements, format, found.rows, !found.has_columns),
        );
        self.set_rows::<S::Word>(elements, format, found.rows, kernels);
        let end = &chunk[elements.len() * format.len..];
        let has_references =
            R::REFERENCES && self.set_references::<S::Word>(elements, found.rows, kernels);
        let Some(division) = Division::new(dtype, has_references) else { return };
        let place = Place { division, elements, row_len: found.rows.len };
        match has_references {
            true => self.encode_as::<R>(&place, chunk.len(), kernels),
            false => self.encode_as::<S>(&place, chunk.len(), kernels),
        }
        self.write(division, found.rows, end);
    }

    /// Finds the scales of all rows.
    fn set_rows<W: Word>(
        &mut self,
        elements: &[W::Bytes],
        format: Format,
        rows: Rows,
        kernels: Kernels,
    ) {
        self.rows.clear();
        self.factors.clear();
        let mut start = 0;
        for (elements, columns) in rows.of(elements) {
            let (scale, factor) = self.columns.row::<W>(elements, columns.clone(), format, kernels);
            self.factors.push(factor);
            let (len, column) = (elements.len(), columns.start);
            self.rows.push(Row { start, len, column, scale, reference: None });
            start += len;
        }
    }

    /// Finds references of rows. Returns whether there are enough.
    fn set_references<W: Word>(
        &mut self,
        elements: &[W::Bytes],
        rows: Rows,
        kernels: Kernels,
    ) -> bool {
        let skipped = usize::from(rows.first < rows.len);
        let complete = CompleteRows {
            elements: &elements[(skipped * rows.first).min(elements.len())..],
            len: rows.len,
            count: self.rows.iter().filter(|row| row.len == rows.len).count(),
            columns: &self.columns,
            factors: &self.factors[skipped..],
        };
        let references = &mut self.references;
        let is_found = self.reference_finder.find::<W>(&complete, kernels, references);
        for (row, found) in self.rows[skipped..].iter_mut().zip(references) {
            if let Some(found) = found {
                row.reference = Some(found.reference);
                row.scale = found.scale;
            }
        }
        is_found
    }

    /// Finds the symbols, tables and raw bits of a chunk of `len` bytes.
    fn encode_as<S: Shape>(
        &mut self,
        place: &Place<'_, <S::Word as Word>::Bytes>,
        len: usize,
        kernels: Kernels,
    ) {
        self.clear(place.elements.len(), place.division);
        let mut expected = Expected::new();
        for number in 0..self.rows.len() {
            self.add_row::<S>(place, self.rows[number], kernels, &mut expected);
        }
        self.describe(place.division, len, place.row_len);
        self.find_escapes::<S>(place, &mut expected);
    }

    /// Prepares for a chunk of `len` elements.
    fn clear(&mut self, len: usize, division: Division) {
        if self.indexes.len() < len {
            self.indexes.resize(len, 0);
        }
        self.raw.resize(raw_bits::len(len, division.raw_bits()), 0);
        match &mut self.counts {
            Some(counts) => counts[..division.contexts() * SYMBOLS].fill(0),
            counts => *counts = Some(Box::new([0; CONTEXTS * SYMBOLS])),
        }
    }

    /// Finds the contexts and symbols of a row, and stores their raw bits.
    fn add_row<S: Shape>(
        &mut self,
        place: &Place<'_, <S::Word as Word>::Bytes>,
        row: Row,
        kernels: Kernels,
        expected: &mut Expected,
    ) {
        let elements = place.elements;
        for range in row.pieces() {
            let piece = &elements[range.clone()];
            let indexes = &mut self.indexes[range.clone()];
            let raw = &mut self.raw[range.start / GROUP * S::GROUP_LEN..];
            kernels.vectorize(
                #[inline(always)]
                || {
                    place.expect::<S::Word>(row, range, &self.columns, expected);
                    let Expected { contexts, heads, signs } = &*expected;
                    let places =
                        indexes.iter_mut().zip(piece).zip(contexts.iter().zip(heads)).zip(signs);
                    for (((index, &element), (&context, &head)), &sign) in places {
                        let symbol = S::symbol(S::Word::load(element), head, sign);
                        *index = u16::from(context) << 8 | u16::from(symbol);
                    }
                    put_raw::<S>(piece, raw);
                },
            );
            let Some(counts) = &mut self.counts else { return };
            let (groups, rest) = indexes.as_chunks::<GROUP>();
            let mut add = |index| counts[usize::from(index) % (CONTEXTS * SYMBOLS)] += 1;
            groups.iter().for_each(|group| group.iter().for_each(|&index| add(index)));
            rest.iter().for_each(|&index| add(index));
        }
    }

    /// Writes the description, and sets the codes of symbols.
    fn describe(&mut self, division: Division, len: usize, row_len: usize) {
        let symbols = division.symbols();
        let mut description = BitEncoder::new(core::mem::take(&mut self.description));
        let mut models = Models::new();
        let Some(counts) = &mut self.counts else { return };
        let counts = &mut counts.as_chunks_mut::<SYMBOLS>().0[..division.contexts()];
        let elements = len / division.format.len;
        let mut tables = Tables::choose(counts, division, elements, max_tables(len as u64));
        models.precision(&mut description, tables.precision);
        if tables.precision.is_some() {
            models.partition(&mut description, division.contexts(), &mut tables.begins);
        }
        let codes = self
            .codes
            .get_or_insert_with(|| Box::new([Code::default(); CONTEXTS * SYMBOLS]))
            .as_chunks_mut::<SYMBOLS>()
            .0;
        let escaped =
            self.escaped.get_or_insert_with(|| Box::new([false; _])).as_chunks_mut::<SYMBOLS>().0;
        let mut own = tables.frequencies.iter_mut();
        let mut before = None;
        for context in 0..division.contexts() {
            if !tables.begins[context] {
                codes.copy_within(context - 1..context, context);
                escaped.copy_within(context - 1..context, context);
                continue;
            }
            let Some(frequencies) = own.next() else { return };
            if let Some(precision) = tables.precision {
                let coded =
                    models.frequencies(&mut description, symbols, precision, before, frequencies);
                debug_assert!(coded.is_ok(), "the frequencies fill the slots");
            }
            let codes = &mut codes[context];
            fill_codes(frequencies, LOG, codes);
            // Rare heads are escapes.
            for symbol in 0..SYMBOLS {
                let escape = symbol & usize::from(SIGN) | usize::from(ESCAPE);
                let is_escaped = symbol == escape || frequencies[symbol] == 0;
                escaped[context][symbol] = is_escaped;
                if is_escaped {
                    codes[symbol] = codes[escape];
                }
            }
            before = Some(&*frequencies);
        }
        for scale in &self.columns.scales {
            models.column(&mut description, i16::from_le_bytes(*scale));
        }
        for row in &self.rows {
            models.row(&mut description, row.scale);
            if division.has_references {
                let most = (row.start / row_len) as u32;
                let coded = models.reference(&mut description, most, row.reference);
                debug_assert!(coded.is_ok(), "references are to earlier rows");
            }
        }
        self.description = description.finish();
    }

    /// Stores the heads of escapes.
    fn find_escapes<S: Shape>(
        &mut self,
        place: &Place<'_, <S::Word as Word>::Bytes>,
        expected: &mut Expected,
    ) {
        let division = place.division;
        let mut escapes = BitEncoder::new(core::mem::take(&mut self.escapes));
        let mut models = EscapeModels::new();
        if S::IS_WHOLE {
            self.escapes = escapes.finish();
            return;
        }
        let Some(escaped) = &self.escaped else { return };
        let is_escaped = |&index: &u16| escaped[usize::from(index)];
        for (row, range) in
            self.rows.iter().flat_map(|&row| row.pieces().map(move |range| (row, range)))
        {
            let groups = self.indexes[range.clone()].chunks(GROUP);
            for (number, indexes) in groups.enumerate() {
                if !indexes.iter().fold(false, |any, index| any | is_escaped(index)) {
                    continue;
                }
                let start = range.start + number * GROUP;
                let end = start + indexes.len();
                place.expect::<S::Word>(row, start..end, &self.columns, expected);
                for (lane, _) in indexes.iter().enumerate().filter(|(_, index)| is_escaped(index)) {
                    let head = S::head(S::Word::load(place.elements[start + lane]));
                    models.head(&mut escapes, division, expected.heads[lane], head);
                }
            }
        }
        self.escapes = escapes.finish();
    }

    /// Writes all parts of the code, the raw ones into memory of their own.
    fn write(&mut self, division: Division, rows: Rows, end: &[u8]) {
        let len = self.rows.last().map_or(0, |row| row.start + row.len);
        let Some(codes) = &self.codes else { return };
        let mut encoder = SymbolEncoder::<LOG>::new(&mut self.words, len);
        for range in self.rows.iter().rev().flat_map(|row| row.pieces().rev()) {
            let indexes = &self.indexes[range];
            encoder.encode(indexes.len(), |number| {
                codes[usize::from(indexes[number]) % (CONTEXTS * SYMBOLS)]
            });
        }
        let (states, words) = encoder.finish();
        let code = &mut self.code;
        code.clear();
        let with_references = if division.has_references { WITH_REFERENCES } else { 0 };
        code.push(division.format.dtype().code() | with_references);
        let lens = [self.description.len(), words.len(), self.escapes.len()];
        for number in [rows.len, rows.first].into_iter().chain(lens) {
            varint::write(number as u64, code);
        }
        code.extend_from_slice(&self.description);
        states.iter().for_each(|state| code.extend_from_slice(&state.to_le_bytes()));
        code.extend_from_slice(words.as_flattened());
        code.extend_from_slice(&self.escapes);
        self.raw.extend_from_slice(end);
    }
}

/// Stores the raw bits of elements.
#[inline(always)]
fn put_raw<S: Shape>(elements: &[<S::Word as Word>::Bytes], raw: &mut [u8]) {
    let (groups, rest) = elements.as_chunks::<GROUP>();
    let of = |element| S::raw(S::Word::load(element));
    for (group, raw) in groups.iter().zip(raw.chunks_exact_mut(S::GROUP_LEN)) {
        raw_bits::put::<S>(group.map(of), raw);
    }
    if !rest.is_empty() {
        let mut group = [0; GROUP];
        for (raw, &element) in group.iter_mut().zip(rest) {
            *raw = of(element);
        }
        raw_bits::put::<S>(group, &mut raw[groups.len() * S::GROUP_LEN..][..S::GROUP_LEN]);
    }
}
