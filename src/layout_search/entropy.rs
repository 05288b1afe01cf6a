//! Estimates how many bits a symbol of a plane takes, from the counts of a sample.

/// The number of occurrences of each byte value in a sample of a plane.
pub(super) type Counts = [u16; 256];

/// Unit of costs: one bit has this cost.
pub(super) const BIT: u32 = 4096;
/// Cost of a symbol that is stored raw.
pub(super) const RAW: u32 = 8 * BIT;
/// Cost above which a plane is stored raw, because coding it would save less than five per cent.
const NOT_WORTHWHILE: u32 = RAW / 20 * 19;
/// Upper bound of the counts of a sample.
pub(super) const MAX_COUNT: usize = 4096;

/// Returns the average cost of a symbol.
pub(super) fn symbol_cost(counts: &Counts) -> u32 {
    /// Half of log2(e): the bias of a sample's entropy for each distinct symbol except one.
    const BIAS: u32 = N_LOG_N_BIT * 721 / 1000;
    let total: u16 = counts.iter().sum();
    let most = counts.iter().copied().max().unwrap_or_default();
    let facts: u64 = counts.iter().map(|&count| FACTS[usize::from(count) % MAX_COUNT]).sum();
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

/// Unit of n·log2(n) in [`FACTS`]: one bit has this value.
const N_LOG_N_BIT: u32 = 256;

/// Offset of the counter of symbols that occur, in a sum of [`FACTS`]. Counters follow for symbols
/// that occur once and twice, each of [`FACT_BITS`] bits.
const SEEN: u32 = 32;
const ONCE: u32 = SEEN + FACT_BITS;
const TWICE: u32 = ONCE + FACT_BITS;
const FACT_BITS: u32 = 9;

/// Summands for each count *n*: n·log2(n) in the lowest bits, and increments of three counters.
static FACTS: [u64; MAX_COUNT] = {
    let mut table = [0; MAX_COUNT];
    let mut n = 1;
    while n < MAX_COUNT {
        let n_log_n = (n as u64 * log2(n as u64)) >> (LOG_BITS - N_LOG_N_BIT.ilog2());
        let once = if n == 1 { 1 << ONCE } else { 0 };
        let twice = if n == 2 { 1 << TWICE } else { 0 };
        table[n] = n_log_n | 1 << SEEN | once | twice;
        n += 1;
    }
    table
};

fn n_log_n(n: u16) -> u32 {
    FACTS[usize::from(n) % MAX_COUNT] as u32
}

/// Number of fractional bits of the result of [`log2`].
const LOG_BITS: u32 = 16;

/// Returns the base-2 logarithm of `n`, which is not zero.
///
/// It computes the result bit by bit: if the square of a number between 1 and 2 is at least 2, the
/// logarithm of the number is at least one half.
const fn log2(n: u64) -> u64 {
    const ONE: u64 = 1 << 31;
    let whole = n.ilog2();
    let mut log = whole as u64;
    let mut rest = (n << 31) >> whole;
    let mut bit = 0;
    while bit < LOG_BITS {
        rest = (rest * rest) >> 31;
        log <<= 1;
        if rest >= 2 * ONE {
            rest >>= 1;
            log += 1;
        }
        bit += 1;
    }
    log
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
    fn logarithms_are_exact_to_their_last_bit() {
        for (n, log) in
            [(1, 0.0), (2, 1.0), (3, 1.584_962_5), (12, 3.584_962_5), (4095, 11.999_648)]
        {
            let found = log2(n) as f64 / f64::from(1 << LOG_BITS);
            assert!((found - log).abs() < 2.0 / f64::from(1 << LOG_BITS), "{n}: {found}");
        }
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
