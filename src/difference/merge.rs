//! Decides which neighbouring contexts share a table.

use crate::difference::SYMBOLS;
use crate::difference::context::{CONTEXTS, MEANINGS};
use crate::model::element::log2;

/// The counts of the symbols of each context.
pub(crate) type Counts = [[u32; SYMBOLS]; CONTEXTS];

/// Estimated length of the description of a table in bits, and of each of its symbols.
const TABLE_BITS: f32 = 24.0;
const SYMBOL_BITS: f32 = 7.0;

/// Contexts that share a table.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    end: usize,
    /// Estimated length of the symbols and the table in bits.
    bits: f32,
}

/// Returns for each context whether a new table begins with it, so that symbols and tables
/// together are short. There are at most `most` tables.
///
/// The counts of contexts that share a table are added to the counts of the first of them.
pub(crate) fn merge(counts: &mut Counts, most: usize) -> [bool; CONTEXTS] {
    let mut groups = [Group { first: 0, end: 0, bits: 0.0 }; CONTEXTS];
    let mut count = 0;
    for contexts in MEANINGS {
        let start = count;
        for context in contexts.clone() {
            if counts[context].iter().all(|&count| count == 0) {
                continue;
            }
            let bits = bits(&counts[context], &[0; SYMBOLS]);
            groups[count] = Group { first: context, end: context + 1, bits };
            count += 1;
        }
        // Contexts without symbols belong to the group before them, or to the first one.
        for number in start..count {
            let end = if number + 1 < count { groups[number + 1].first } else { contexts.end };
            groups[number].end = end;
        }
        if start < count && groups[start].first != contexts.start {
            counts[contexts.start] = core::mem::replace(&mut counts[groups[start].first], [0; _]);
            groups[start].first = contexts.start;
        }
    }
    join(&mut groups[..count], counts, most)
}

/// Joins neighbouring groups as long as that saves bits, or there are more than `most`.
fn join(groups: &mut [Group], counts: &mut Counts, most: usize) -> [bool; CONTEXTS] {
    let mut count = groups.len();
    let mut joined = [f32::INFINITY; CONTEXTS];
    let bits_of_pair = |groups: &[Group], counts: &Counts, number: usize| {
        let (left, right) = (groups[number], groups[number + 1]);
        let is_same_meaning = MEANINGS.iter().all(|contexts| contexts.start != right.first);
        match is_same_meaning {
            true => bits(&counts[left.first], &counts[right.first]),
            false => f32::INFINITY,
        }
    };
    for number in 1..count {
        joined[number - 1] = bits_of_pair(groups, counts, number - 1);
    }
    loop {
        let saving = |number: usize| groups[number].bits + groups[number + 1].bits - joined[number];
        let best = (0..count.saturating_sub(1))
            .map(|number| (number, saving(number)))
            .max_by(|left, right| left.1.total_cmp(&right.1))
            .filter(|&(_, saving)| saving > 0.0 || count > most && saving > f32::NEG_INFINITY);
        let Some((number, _)) = best else { break };
        let (left, right) = (groups[number], groups[number + 1]);
        let (before, after) = counts.split_at_mut(right.first);
        for (sum, count) in before[left.first].iter_mut().zip(&mut after[0]) {
            *sum += core::mem::take(count);
        }
        groups[number] = Group { first: left.first, end: right.end, bits: joined[number] };
        groups.copy_within(number + 2..count, number + 1);
        joined.copy_within(number + 1..count, number);
        count -= 1;
        if number + 1 < count {
            joined[number] = bits_of_pair(groups, counts, number);
        }
        if number > 0 {
            joined[number - 1] = bits_of_pair(groups, counts, number - 1);
        }
    }
    let mut begins = [false; CONTEXTS];
    groups[..count].iter().for_each(|group| begins[group.first] = true);
    begins
}

/// Estimates the bits of a table and of the symbols with the sums of two counts.
fn bits(left: &[u32; SYMBOLS], right: &[u32; SYMBOLS]) -> f32 {
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
