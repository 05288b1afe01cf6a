//! Estimates how many bits a symbol of a plane takes, from the counts of a sample.

use crate::layout_search::facts::{self, FACT_BITS, N_LOG_N_BIT, ONCE, SEEN, TWICE, n_log_n};

/// The number of occurrences of each byte value in a sample of a plane.
pub(super) type Counts = [u16; 256];

/// Unit of costs: one bit has this cost.
pub(super) const BIT: u32 = 4096;
/// Cost of a symbol that is stored raw.
pub(super) const RAW: u32 = 8 * BIT;
/// Cost above which a plane is stored raw, because coding it would save less than five per cent.
const NOT_WORTHWHILE: u32 = RAW / 20 * 19;
/// Upper bound of the counts of a sample.
pub(super) const MAX_COUNT: usize = facts::COUNTS;

/// Returns the average cost of a symbol.
pub(super) fn symbol_cost(counts: &Counts) -> u32 {
    /// Half of log2(e): the bias of a sample's entropy for each distinct symbol except one.
    const BIAS: u32 = N_LOG_N_BIT * 721 / 1000;
    let total: u16 = counts.iter().sum();
    let most = counts.iter().copied().max().unwrap_or_default();
    let facts = facts::sum(counts);
    let sum = facts as u32;
    let [seen, once, twice] = [SEEN, ONCE, TWICE].map(|at| (facts >> at) as u32 % (1 << FACT_BITS));
    if seen <= 1 {
        return 0;
    }
    let unseen = once * once / (2 * twice).max(1);
    let symbols = (seen + unseen).min(counts.len() as u32);
    let mut bits = n_log_n(total) - sum + (symbols - 1) * BIAS;
    if most > total / 2 {
        // One bit distinguishes the most frequent symbol from the others, although the entropy of
        // this choice is lower.
        let which = n_log_n(total) - n_log_n(most) - n_log_n(total - most);
        bits += (u32::from(total) * N_LOG_N_BIT).saturating_sub(which);
    }
    let cost = bits * (BIT / N_LOG_N_BIT) / u32::from(total);
    if cost > NOT_WORTHWHILE { RAW } else { cost }
}

/// Returns whether at most one byte value occurs.
pub(super) fn is_constant(counts: &Counts) -> bool {
    counts.iter().filter(|&&count| count > 0).count() <= 1
}

/// Returns the sum of two counts for each byte value.
pub(super) fn sum(a: &Counts, b: &Counts) -> Counts {
    core::array::from_fn(|symbol| a[symbol] + b[symbol])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[u16]) -> Counts {
        let mut counts = [0; 256];
        counts[3..3 + of.len()].copy_from_slice(of);
        counts
    }

    /// Returns whether a cost is within two per cent of this number of bits.
    fn is_about(cost: u32, bits: f64) -> bool {
        (f64::from(cost) / f64::from(BIT) - bits).abs() < bits / 50.0
    }

    #[test]
    fn costs_are_entropies() {
        assert!(is_about(symbol_cost(&counts(&[500, 500])), 1.0));
        assert!(is_about(symbol_cost(&counts(&[1000, 500, 500])), 1.5));
        assert!(is_about(symbol_cost(&counts(&[250; 8])), 3.0));
    }

    #[test]
    fn a_symbol_takes_at_least_one_bit_unless_it_is_the_only_one() {
        assert_eq!(symbol_cost(&counts(&[])), 0);
        assert_eq!(symbol_cost(&counts(&[2000])), 0);
        assert!(is_about(symbol_cost(&counts(&[1990, 10])), 1.0));
        assert!(is_about(symbol_cost(&counts(&[1800, 100, 100])), 1.1));
    }

    #[test]
    fn planes_that_hardly_shrink_are_raw() {
        assert_eq!(symbol_cost(&[8; 256]), RAW);
        assert_eq!(symbol_cost(&counts(&[10; 220])), RAW);
        assert!(symbol_cost(&counts(&[16; 128])) < RAW);
    }

    #[test]
    fn symbols_that_a_sample_misses_are_accounted_for() {
        // Noise: 256 draws from 256 symbols, of which a third do not occur.
        let mut state = 1_u32;
        let mut drawn = [0; 256];
        for _ in 0..256 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            drawn[(state >> 24) as usize] += 1;
        }
        let log_sum: u32 = drawn.iter().map(|&count| n_log_n(count)).sum();
        let uncorrected = (n_log_n(256) - log_sum) * (BIT / N_LOG_N_BIT) / 256;
        assert!(uncorrected < NOT_WORTHWHILE, "{uncorrected}");
        assert_eq!(symbol_cost(&drawn), RAW);
    }

    #[test]
    fn sums_add_counts() {
        let total = sum(&counts(&[1, 2]), &counts(&[3]));
        assert_eq!(total[3..6], [4, 2, 0]);
        assert!(!is_constant(&total));
        assert!(is_constant(&counts(&[7])) && is_constant(&counts(&[])));
    }
}
