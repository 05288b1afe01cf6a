//! Encodes the elements of a chunk.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::base::varint;
use crate::dtype::DType;
use crate::entropy::binary::BitEncoder;
use crate::entropy::low_bits::LowBitsWriter;
use crate::entropy::rans::encode::{Code, Encoder as SymbolEncoder, fill_codes};
use crate::entropy::rans::frequencies::normalize;
use crate::format::difference::{CONTEXTS, ESCAPE, LOG, SAME_EXPONENT, SLOTS, SYMBOLS, ZERO};
use crate::model::difference::context::{Levels, Meaning};
use crate::model::difference::description::Models;
use crate::model::difference::merge::{Counts, merge};
use crate::model::difference::rows::{self, Rows};
use crate::model::difference::{PIECE, max_tables};
use crate::model::element::{Format, Word, half_octaves};
use crate::simd::Kernels;

/// Number of codes of a table in memory: a power of two of at least [`SYMBOLS`].
const TABLE_STRIDE: usize = 128;
/// Number of levels.
const LEVELS: usize = 128;
/// Number of elements that are processed together.
const GROUP: usize = 8;

/// Encodes chunks, and keeps its memory from chunk to chunk.
#[derive(Default)]
pub(crate) struct DifferenceEncoder {
    /// The level and the symbol of each element of a changed row.
    levels: Vec<u8>,
    symbols: Vec<u8>,
    /// The length and the class of each row; `None` for unchanged rows.
    rows: Vec<(usize, Option<i32>)>,
    /// Number of elements of changed rows.
    filled: usize,
    base: Vec<u8>,
    sums: Vec<u32>,
    low_bits: LowBitsWriter,
    description: Vec<u8>,
    words: Vec<[u8; 2]>,
    counts: Option<Box<LevelCounts>>,
    codes: Vec<Code>,
}

/// The counts of the symbols at each level.
type LevelCounts = [[u32; TABLE_STRIDE]; LEVELS];

impl DifferenceEncoder {
    /// Replaces `code` with the code of a chunk.
    ///
    /// `xor` is the exclusive or of the chunk and its base.
    pub(crate) fn encode(&mut self, new: &[u8], xor: &[u8], dtype: DType, code: &mut Vec<u8>) {
        let format = Format::of(dtype);
        Kernels::new().vectorize(
            #[inline(always)]
            || match format.len {
                1 => self.encode_words::<u8>(new, xor, format, code),
                2 => self.encode_words::<u16>(new, xor, format, code),
                _ => self.encode_words::<u32>(new, xor, format, code),
            },
        );
    }

    #[inline(always)]
    fn encode_words<W: Word>(
        &mut self,
        new: &[u8],
        xor: &[u8],
        format: Format,
        code: &mut Vec<u8>,
    ) {
        let mut base_bytes = core::mem::take(&mut self.base);
        base_bytes.clear();
        base_bytes.extend(new.iter().zip(xor).map(|(new, xor)| new ^ xor));
        let (mut base, mut rest) = (W::split(&base_bytes), W::split(new));
        let rows = rows::find::<W>(base, rest, &mut self.sums);
        let levels = Levels::new(format);
        self.clear(rest.len());
        let mut row_len = rows.first;
        while !rest.is_empty() {
            let len = row_len.min(rest.len());
            let (row, behind) = rest.split_at(len);
            let (base_row, base_behind) = base.split_at(len);
            self.add_row::<W>(&levels, base_row, row);
            (rest, base, row_len) = (behind, base_behind, rows.len);
        }
        let end = &new[new.len() / format.len * format.len..];
        end.iter().for_each(|&byte| self.low_bits.put(8, byte.into()));
        self.base = base_bytes;
        self.finish(&levels, rows, new.len(), code);
    }

    /// Prepares for a chunk of `len` elements.
    fn clear(&mut self, len: usize) {
        if self.levels.len() < len {
            self.levels.resize(len, 0);
            self.symbols.resize(len, 0);
        }
        self.filled = 0;
        self.rows.clear();
        self.low_bits.clear();
        match &mut self.counts {
            Some(counts) => counts.iter_mut().for_each(|counts| counts.fill(0)),
            counts => *counts = Some(Box::new([[0; TABLE_STRIDE]; LEVELS])),
        }
    }

    /// Finds the levels and symbols of a row, and stores their low bits.
    #[inline(always)]
    fn add_row<W: Word>(&mut self, levels: &Levels, base: &[W::Bytes], new: &[W::Bytes]) {
        if W::are_equal(base, new) {
            self.rows.push((new.len(), None));
            return;
        }
        let format = levels.format();
        let class = class::<W>(format, base, new);
        self.rows.push((new.len(), Some(class)));
        let origin = levels.origin(class);
        let end = self.filled + new.len();
        let row_levels = &mut self.levels[self.filled..end];
        let row_symbols = &mut self.symbols[self.filled..end];
        self.filled = end;
        let pairs = base.iter().zip(new).map(|(&base, &new)| (W::load(base), W::load(new)));
        for (((base, new), level), symbol) in pairs.zip(&mut *row_levels).zip(&mut *row_symbols) {
            let exponent = base.bits() >> format.mantissa & format.exponent_mask();
            *level = Levels::level(origin, exponent);
            *symbol = (base.distance(new).wrapping_add(ZERO) as u32).min(ESCAPE.into()) as u8;
        }
        let first_marked = levels.first_marked();
        for (group, start) in row_levels.chunks(GROUP).zip((0..).step_by(GROUP)) {
            let symbols = &mut row_symbols[start..start + group.len()];
            let is_marked =
                |(&level, &symbol): (&u8, &u8)| level >= first_marked || symbol == ESCAPE;
            if !group.iter().zip(&*symbols).map(is_marked).fold(false, |any, is| any | is) {
                continue;
            }
            for ((number, &level), symbol) in (start..).zip(group).zip(symbols) {
                if is_marked((&level, symbol)) {
                    let (base, new) = (W::load(base[number]), W::load(new[number]));
                    *symbol = correct(levels, class, level, base, new, &mut self.low_bits);
                }
            }
        }
        let Some(counts) = &mut self.counts else { return };
        for (&level, &symbol) in row_levels.iter().zip(&*row_symbols) {
            counts[usize::from(level) % LEVELS][usize::from(symbol) % TABLE_STRIDE] += 1;
        }
    }

    /// Writes the code of the rows.
    fn finish(&mut self, levels: &Levels, rows: Rows, len: usize, code: &mut Vec<u8>) {
        let mut description = BitEncoder::new(core::mem::take(&mut self.description));
        let mut models = Models::new();
        let mut counts = self.context_counts(levels);
        let mut begins = merge(&mut counts, max_tables(len as u64));
        let tables = models.partition(&mut description, &mut begins);
        self.codes.clear();
        self.codes.resize(tables * TABLE_STRIDE, Code::default());
        let mut codes = self.codes.chunks_exact_mut(TABLE_STRIDE);
        for (counts, _) in counts.iter().zip(&begins).filter(|&(_, begins)| *begins) {
            let mut frequencies = [0; SYMBOLS];
            normalize(counts, LOG, &mut frequencies);
            let coded = models.frequencies(&mut description, &mut frequencies);
            debug_assert!(coded.is_ok(), "the frequencies fill {SLOTS} slots");
            if let Some(codes) = codes.next() {
                fill_codes(&frequencies, LOG, codes);
            }
        }
        for &(_, class) in &self.rows {
            models.class(&mut description, class);
        }
        self.description = description.finish();
        self.write(levels, rows, &begins, code);
    }

    fn context_counts(&self, levels: &Levels) -> Counts {
        let mut counts = [[0; SYMBOLS]; CONTEXTS];
        for (level, level_counts) in (0..).zip(self.counts.iter().flat_map(|counts| counts.iter()))
        {
            let counts = &mut counts[levels.context(level)];
            counts.iter_mut().zip(level_counts).for_each(|(sum, count)| *sum += count);
        }
        counts
    }

    fn write(
        &mut self,
        levels: &Levels,
        rows: Rows,
        begins: &[bool; CONTEXTS],
        code: &mut Vec<u8>,
    ) {
        let mut first_codes = [0; 256];
        let mut tables = [0_usize; CONTEXTS];
        let mut count = 0_usize;
        for (table, &begins) in tables.iter_mut().zip(begins) {
            count += usize::from(begins);
            *table = count.saturating_sub(1) * TABLE_STRIDE;
        }
        for (level, first) in first_codes.iter_mut().enumerate() {
            *first = tables[levels.context(level.min(LEVELS - 1) as u8)];
        }
        let mut encoder = SymbolEncoder::<LOG>::new(&mut self.words, self.filled);
        let mut end = self.filled;
        for &(len, class) in self.rows.iter().rev() {
            if class.is_none() {
                continue;
            }
            let start = end - len;
            let (levels, symbols) = (&self.levels[start..end], &self.symbols[start..end]);
            end = start;
            let pieces = levels.chunks(PIECE).zip(symbols.chunks(PIECE));
            for (levels, symbols) in pieces.rev() {
                encoder.encode(levels.len(), |number| {
                    let first = first_codes[usize::from(levels[number])];
                    self.codes[first + usize::from(symbols[number])]
                });
            }
        }
        let (states, words) = encoder.finish();
        code.clear();
        code.push(levels.format().dtype().code());
        for number in [rows.len, rows.first, self.description.len(), words.len()] {
            varint::write(number as u64, code);
        }
        code.extend_from_slice(&self.description);
        states.iter().for_each(|state| code.extend_from_slice(&state.to_le_bytes()));
        code.extend_from_slice(words.as_flattened());
        code.extend_from_slice(self.low_bits.finish());
    }
}

/// Stores the low bits of an element whose symbol is not a whole difference; returns the symbol.
#[inline]
fn correct<W: Word>(
    levels: &Levels,
    class: i32,
    level: u8,
    base: W,
    new: W,
    low_bits: &mut LowBitsWriter,
) -> u8 {
    let format = levels.format();
    let valid = |symbol: i32| (0..i32::from(ESCAPE)).contains(&symbol).then_some(symbol as u8);
    let (symbol, count, low) = match levels.meaning(level) {
        Meaning::Difference => (None, 0, 0),
        Meaning::Shifted(shift) => {
            let distance = base.distance(new);
            (valid((distance >> shift) + ZERO), shift, distance as u32 & ((1 << shift) - 1))
        }
        Meaning::Apart => {
            let (bits, mantissa) = (new.bits(), format.mantissa);
            let exponent = (bits >> mantissa & format.exponent_mask()) as i32;
            let sign = bits >> (format.bits() - 1) << mantissa;
            let symbol = exponent - levels.exponent(class) + SAME_EXPONENT;
            (valid(symbol), mantissa + 1, sign | bits & ((1 << mantissa) - 1))
        }
    };
    match symbol {
        Some(_) => low_bits.put(count, low),
        None => low_bits.put(format.bits(), new.bits()),
    }
    symbol.unwrap_or(ESCAPE)
}

/// Returns whether all bytes are zeros.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(256).all(|part| part.iter().fold(0, |any, &byte| any | byte) == 0)
}

/// Returns the class of a row: the base-2 logarithm of the mean change, in half octaves.
#[inline(always)]
fn class<W: Word>(format: Format, base: &[W::Bytes], new: &[W::Bytes]) -> i32 {
    let value = |bytes: W::Bytes| format.value(W::load(bytes).bits(), 0);
    let mut sums = [0_f32; GROUP];
    let (groups, rest) = base.as_chunks::<GROUP>();
    let (new_groups, new_rest) = new.as_chunks::<GROUP>();
    for (base, new) in groups.iter().zip(new_groups) {
        for lane in 0..GROUP {
            sums[lane] += (value(new[lane]) - value(base[lane])).abs();
        }
    }
    for (&base, &new) in rest.iter().zip(new_rest) {
        sums[0] += (value(new) - value(base)).abs();
    }
    half_octaves(sums.iter().sum::<f32>() / new.len().max(1) as f32)
}
