//! Chooses tables: which contexts share one, and the frequencies of its symbols.

use alloc::vec::Vec;

use crate::entropy::rans::frequencies::normalize;
use crate::format::scales::{CONTEXTS, ESCAPE, HEADS, LOG, OCTAVE, SIGN, SLOTS, SYMBOLS};
use crate::model::element::log2;
use crate::model::groups;
use crate::model::scales::context::Division;
use crate::model::scales::normal::Normal;

/// The counts of the symbols of each context.
pub(crate) type Counts = [[u32; SYMBOLS]];

/// The tables of a chunk.
pub(crate) struct Tables {
    /// The precision of frequencies; `None` for tables of normal distributions.
    pub(crate) precision: Option<u32>,
    /// Whether a new table begins with a context.
    pub(crate) begins: [bool; CONTEXTS],
    /// The frequencies of each table.
    pub(crate) frequencies: Vec<[u16; SYMBOLS]>,
}

impl Tables {
    /// Returns the tables with which the symbols of a chunk of so many elements are shortest. There
    /// are at most `most` tables.
    pub(crate) fn choose(
        counts: &mut Counts,
        division: Division,
        elements: usize,
        most: usize,
    ) -> Self {
        let may_be_normal = !division.is_whole() && division.contexts() <= most;
        let normal = may_be_normal.then(|| Self::normal(counts, division));
        let own = Self::of(counts, division, elements, most);
        match normal {
            Some((normal, bits)) if bits < own.1 => normal,
            _ => own.0,
        }
    }

    /// Returns the tables of normal distributions, and the estimated length of the symbols in bits.
    fn normal(counts: &Counts, division: Division) -> (Self, f32) {
        let normal = Normal::new();
        let mut bits = 0.0;
        let tables = counts.iter().enumerate().map(|(context, counts)| {
            let mut frequencies = [0; SYMBOLS];
            normal.frequencies(division, context, &mut frequencies);
            bits += symbols_bits(counts, &frequencies);
            frequencies
        });
        let frequencies = tables.collect();
        (Self { precision: None, begins: [true; CONTEXTS], frequencies }, bits)
    }

    /// Returns the tables for these counts, and the estimated length of tables and symbols in bits.
    fn of(counts: &mut Counts, division: Division, elements: usize, most: usize) -> (Self, f32) {
        let begins = join(counts, most);
        let is_first = |context: &usize| begins[*context];
        let count = (0..counts.len()).filter(is_first).count();
        let precision = precision(elements / count.max(1));
        let mut bits = 0.0;
        let tables = (0..counts.len()).filter(is_first).map(|context| {
            let counts = &mut counts[context];
            let frequencies = frequencies(counts, division, precision);
            let used = frequencies.iter().filter(|&&frequency| frequency > 0).count();
            bits += symbols_bits(counts, &frequencies);
            bits += used as f32 * (LENGTH_BITS + precision as f32);
            frequencies
        });
        let frequencies = tables.collect();
        (Self { precision: Some(precision), begins, frequencies }, bits)
    }
}

/// Estimates the length of symbols in bits.
fn symbols_bits(counts: &[u32; SYMBOLS], frequencies: &[u16; SYMBOLS]) -> f32 {
    let slots_bits = |frequency: u16| LOG as f32 - log2(frequency.max(1).into());
    let mut bits = 0.0;
    let mut escapes = counts[usize::from(ESCAPE)] + counts[usize::from(ESCAPE | SIGN)];
    for (&count, &frequency) in counts.iter().zip(frequencies) {
        match frequency {
            0 => escapes += count,
            _ => bits += count as f32 * slots_bits(frequency),
        }
    }
    bits + escapes as f32 * (ESCAPED_BITS + slots_bits(frequencies[usize::from(ESCAPE)]))
}

/// Estimated length of the description of a symbol in a table, in bits.
const SYMBOL_BITS: f32 = 5.0;
/// Estimated length of the description of a frequency, without the bits of the precision.
const LENGTH_BITS: f32 = 3.0;
/// Estimated length of the head of an escape in bits.
const ESCAPED_BITS: f32 = 6.0;
/// Minimum share of the slots of a table for an octave. Rarer ones are escapes.
const MIN_SLOTS: u64 = 3;

/// Joins contexts so that symbols and tables together are short. Returns for each context whether
/// a new table begins with it. There are at most `most` tables.
///
/// The counts of contexts that share a table are added to the counts of the first of them.
fn join(counts: &mut Counts, most: usize) -> [bool; CONTEXTS] {
    let is_used = |&context: &usize| counts[context].iter().any(|&count| count > 0);
    let mut firsts: Vec<usize> = (0..counts.len()).filter(is_used).collect();
    // Contexts without symbols belong to the group before them, or to the first one.
    match firsts.first_mut() {
        Some(first) => counts.swap(0, core::mem::take(first)),
        None => firsts.push(0),
    }
    groups::join(counts, &firsts, most, SYMBOL_BITS, |_| true)
}

/// Returns the precision of frequencies, in bits after the second, for so many elements a table.
///
/// The loss by rounding is then about as large as what the bits of more precision would take.
fn precision(elements: usize) -> u32 {
    /// Number of elements from which one bit is better than none.
    const ELEMENTS: usize = 9000;
    let steps = elements / ELEMENTS;
    (usize::BITS - steps.leading_zeros()).div_ceil(2).min(LOG)
}

/// Returns the frequencies of a table. Removes rare octaves from the counts, and adds them to the
/// count of the escape.
fn frequencies(counts: &mut [u32; SYMBOLS], division: Division, precision: u32) -> [u16; SYMBOLS] {
    if !division.is_whole() {
        escape(counts);
    }
    let mut frequencies = [0; SYMBOLS];
    normalize(&counts[..], LOG, &mut frequencies);
    round(&mut frequencies, counts[usize::from(ESCAPE)] > 0, precision);
    frequencies
}

/// Turns rare octaves into escapes.
fn escape(counts: &mut [u32; SYMBOLS]) {
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    for half in [0, usize::from(SIGN)] {
        for octave in (half..half + usize::from(HEADS)).step_by(OCTAVE) {
            let octave = &mut counts[octave..octave + OCTAVE];
            let sum: u32 = octave.iter().sum();
            if sum > 0 && u64::from(sum) * (SLOTS as u64) < total * MIN_SLOTS {
                octave.fill(0);
                counts[half + usize::from(ESCAPE)] += sum;
            }
        }
    }
}

/// Rounds frequencies to the precision. What is left belongs to the escape.
fn round(frequencies: &mut [u16; SYMBOLS], has_escape: bool, precision: u32) {
    let escape = usize::from(ESCAPE);
    let step = |frequency: u16| {
        let len = u16::BITS - frequency.leading_zeros();
        1_u16 << len.saturating_sub(2 + precision)
    };
    let mut left = frequencies[escape];
    let least = u16::from(has_escape);
    let mut losses = Vec::with_capacity(SYMBOLS);
    for (symbol, frequency) in frequencies.iter_mut().enumerate() {
        let step = step(*frequency);
        let loss = *frequency & (step - 1);
        if symbol != escape && loss > 0 {
            *frequency -= loss;
            left += loss;
            losses.push((f32::from(loss) / f32::from(step), symbol));
        }
    }
    losses.sort_unstable_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    for (_, symbol) in losses {
        let step = step(frequencies[symbol]);
        if left >= least + step {
            frequencies[symbol] += step;
            left -= step;
        }
    }
    frequencies[escape] = left;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn frequencies_fill_the_slots_at_every_precision() {
        let division = Division::new(DType::BF16, true).unwrap();
        for precision in 0..LOG {
            let mut counts = [0; SYMBOLS];
            for (symbol, count) in (0_u32..).zip(&mut counts) {
                *count = (1 << (symbol % 18)) + symbol * symbol;
            }
            let frequencies = frequencies(&mut counts, division, precision);
            assert_eq!(frequencies.iter().map(|&f| usize::from(f)).sum::<usize>(), SLOTS);
            for (&count, &frequency) in counts.iter().zip(&frequencies) {
                assert!(count == 0 || frequency > 0);
            }
        }
    }

    #[test]
    fn similar_contexts_share_a_table() {
        let mut counts = [[0; SYMBOLS]; 6];
        for (context, counts) in counts.iter_mut().enumerate() {
            let first = if context < 3 { 10 } else { 60 };
            counts[first..first + 20].fill(100);
        }
        counts[0].fill(0);
        let begins = join(&mut counts, 40);
        let starts: Vec<usize> = (0..6).filter(|&context| begins[context]).collect();
        assert_eq!(starts, [0, 3]);
        let mut counts = [[1; SYMBOLS]; 64];
        counts.iter_mut().enumerate().for_each(|(context, counts)| counts[context] = 1 << 20);
        let begins = join(&mut counts, 4);
        assert_eq!(begins.iter().filter(|&&begins| begins).count(), 4);
    }
}
