//! Chooses tables: which contexts share one, and the frequencies of its symbols.

use alloc::vec::Vec;

use crate::entropy::rans::frequencies::normalize;
use crate::model::element::log2;
use crate::model::scales::context::Division;
use crate::model::scales::{CONTEXTS, ESCAPE, HEADS, LOG, OCTAVE, SIGN, SLOTS, SYMBOLS};

/// The counts of the symbols of each context.
pub(crate) type Counts = [[u32; SYMBOLS]];

/// Estimated length of the description of a table in bits, and of each of its symbols.
const TABLE_BITS: f32 = 24.0;
const SYMBOL_BITS: f32 = 5.0;
/// Minimum share of the slots of a table for an octave. Rarer ones are escapes.
const MIN_SLOTS: u64 = 3;

/// Contexts that share a table.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    /// Estimated length of the symbols and the table in bits.
    bits: f32,
}

/// Joins contexts so that symbols and tables together are short. Returns for each context whether
/// a new table begins with it. There are at most `most` tables.
///
/// The counts of contexts that share a table are added to the counts of the first of them.
pub(crate) fn join(counts: &mut Counts, symbols: usize, most: usize) -> [bool; CONTEXTS] {
    let mut groups: Vec<Group> = Vec::with_capacity(counts.len());
    for (first, counts) in counts.iter().enumerate() {
        if counts.iter().any(|&count| count > 0) {
            let bits = bits(&counts[..symbols], &[0; SYMBOLS]);
            groups.push(Group { first, bits });
        }
    }
    // Contexts without symbols belong to the group before them, or to the first one.
    match groups.first_mut() {
        Some(group) if group.first > 0 => {
            counts.swap(0, group.first);
            group.first = 0;
        }
        Some(_) => {}
        None => groups.push(Group { first: 0, bits: 0.0 }),
    }
    let pair = |groups: &[Group], counts: &Counts, number: usize| {
        let (left, right) = (groups[number].first, groups[number + 1].first);
        bits(&counts[left][..symbols], &counts[right])
    };
    let mut joined: Vec<f32> =
        (1..groups.len()).map(|number| pair(&groups, counts, number - 1)).collect();
    loop {
        let saving = |number: usize| groups[number].bits + groups[number + 1].bits - joined[number];
        let best = (0..joined.len())
            .map(|number| (number, saving(number)))
            .max_by(|left, right| left.1.total_cmp(&right.1))
            .filter(|&(_, saving)| saving > 0.0 || groups.len() > most);
        let Some((number, _)) = best else { break };
        let right = groups.remove(number + 1).first;
        let left = groups[number].first;
        let (before, after) = counts.split_at_mut(right);
        for (sum, count) in before[left].iter_mut().zip(&mut after[0]) {
            *sum += core::mem::take(count);
        }
        groups[number].bits = joined.remove(number);
        if number < joined.len() {
            joined[number] = pair(&groups, counts, number);
        }
        if number > 0 {
            joined[number - 1] = pair(&groups, counts, number - 1);
        }
    }
    let mut begins = [false; CONTEXTS];
    groups.iter().for_each(|group| begins[group.first] = true);
    begins
}

/// Estimates the bits of a table and of the symbols with the sums of two counts.
fn bits(left: &[u32], right: &[u32; SYMBOLS]) -> f32 {
    let (mut total, mut bits, mut symbols) = (0, 0.0, 0.0);
    for (left, right) in left.iter().zip(right) {
        let count = left + right;
        if count > 0 {
            total += count;
            symbols += 1.0;
            bits -= count as f32 * log2(count as f32);
        }
    }
    let total = total.max(1) as f32;
    bits + total * log2(total) + TABLE_BITS + SYMBOL_BITS * symbols
}

/// Returns the precision of frequencies, in bits after the second, for so many elements a table.
///
/// The loss by rounding is then about as large as what the bits of more precision would take.
pub(crate) fn precision(elements: usize) -> u32 {
    /// Number of elements from which one bit is better than none.
    const ELEMENTS: usize = 9000;
    let steps = elements / ELEMENTS;
    (usize::BITS - steps.leading_zeros()).div_ceil(2).min(LOG)
}

/// Returns the frequencies of a table. Removes rare octaves from the counts, and adds them to the
/// count of the escape.
pub(crate) fn frequencies(
    counts: &mut [u32; SYMBOLS],
    division: Division,
    precision: u32,
) -> [u16; SYMBOLS] {
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
        let begins = join(&mut counts, SYMBOLS, 40);
        let starts: Vec<usize> = (0..6).filter(|&context| begins[context]).collect();
        assert_eq!(starts, [0, 3]);
        let mut counts = [[1; SYMBOLS]; 64];
        counts.iter_mut().enumerate().for_each(|(context, counts)| counts[context] = 1 << 20);
        let begins = join(&mut counts, SYMBOLS, 4);
        assert_eq!(begins.iter().filter(|&&begins| begins).count(), 4);
    }
}
