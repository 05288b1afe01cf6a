//! Decides which neighbouring contexts share a table of symbols.

use crate::model::element::log2;

/// Estimated length of the description of a table in bits, without its symbols.
const TABLE_BITS: f32 = 24.0;

/// Contexts that share a table.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    /// Estimated length of the symbols and the table in bits.
    bits: f32,
}

/// Joins neighbouring groups of contexts as long as that saves bits, or there are more than `most`.
/// Returns for each context whether a group begins with it.
///
/// `firsts` are the first contexts of the groups, in order. The counts of a group are the counts of
/// its first context, to which joining adds the counts of the other group. `may_join` returns
/// whether the group that begins with a context may become a part of the group before it.
/// `symbol_bits` is the estimated length of the description of a symbol.
pub(crate) fn join<const SYMBOLS: usize, const CONTEXTS: usize>(
    counts: &mut [[u32; SYMBOLS]],
    firsts: &[usize],
    most: usize,
    symbol_bits: f32,
    may_join: impl Fn(usize) -> bool,
) -> [bool; CONTEXTS] {
    let mut groups = [Group { first: 0, bits: 0.0 }; CONTEXTS];
    let mut joined = [f32::INFINITY; CONTEXTS];
    let mut count = firsts.len();
    let bits_of_pair = |groups: &[Group], counts: &[[u32; SYMBOLS]], number: usize| {
        let (left, right) = (groups[number].first, groups[number + 1].first);
        match may_join(right) {
            true => bits(&counts[left], &counts[right], symbol_bits),
            false => f32::INFINITY,
        }
    };
    for (group, &first) in groups.iter_mut().zip(firsts) {
        *group = Group { first, bits: bits(&counts[first], &[0; SYMBOLS], symbol_bits) };
    }
    for number in 1..count {
        joined[number - 1] = bits_of_pair(&groups, counts, number - 1);
    }
    loop {
        let saving = |number: usize| groups[number].bits + groups[number + 1].bits - joined[number];
        let best = (0..count.saturating_sub(1))
            .map(|number| (number, saving(number)))
            .max_by(|left, right| left.1.total_cmp(&right.1))
            .filter(|&(_, saving)| saving > 0.0 || count > most && saving > f32::NEG_INFINITY);
        let Some((number, _)) = best else { break };
        let (left, right) = (groups[number].first, groups[number + 1].first);
        let (before, after) = counts.split_at_mut(right);
        for (sum, count) in before[left].iter_mut().zip(&mut after[0]) {
            *sum += core::mem::take(count);
        }
        groups[number].bits = joined[number];
        groups.copy_within(number + 2..count, number + 1);
        joined.copy_within(number + 1..count, number);
        count -= 1;
        if number + 1 < count {
            joined[number] = bits_of_pair(&groups, counts, number);
        }
        if number > 0 {
            joined[number - 1] = bits_of_pair(&groups, counts, number - 1);
        }
    }
    let mut begins = [false; CONTEXTS];
    groups[..count].iter().for_each(|group| begins[group.first] = true);
    begins
}

/// Estimates the bits of a table and of the symbols with the sums of two counts.
fn bits(left: &[u32], right: &[u32], symbol_bits: f32) -> f32 {
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
    bits + total * log2(total) + TABLE_BITS + symbol_bits * symbols
}
