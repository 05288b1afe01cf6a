//! Numbers that follow from how often a symbol occurs, looked up in a table.

/// Number of counts with facts: counts are less than this.
pub(super) const COUNTS: usize = 4096;

/// Unit of n·log2(n) in a fact: one bit has this value.
pub(super) const N_LOG_N_BIT: u32 = 256;

/// Offset of the counter of symbols that occur, in a sum of facts. Counters follow for symbols
/// that occur once and twice, each of [`FACT_BITS`] bits.
pub(super) const SEEN: u32 = 32;
pub(super) const ONCE: u32 = SEEN + FACT_BITS;
pub(super) const TWICE: u32 = ONCE + FACT_BITS;
pub(super) const FACT_BITS: u32 = 9;

/// The facts of each count *n*: n·log2(n) in the lowest bits, and increments of three counters.
#[cfg(not(target_family = "wasm"))]
mod table {
    use super::{COUNTS, fact};

    static FACTS: [u64; COUNTS] = {
        let mut table = [0; COUNTS];
        let mut n = 0;
        while n < COUNTS {
            table[n] = fact(n as u64);
            n += 1;
        }
        table
    };

    pub(super) fn prepare() {}

    pub(super) fn at(count: u16) -> u64 {
        FACTS[usize::from(count) % COUNTS]
    }
}

/// The same numbers, computed on first use: they would be a tenth of the file that browsers
/// download.
#[cfg(target_family = "wasm")]
mod table {
    use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::{COUNTS, fact};

    static FACTS: [AtomicU64; COUNTS] = [const { AtomicU64::new(0) }; COUNTS];
    static IS_PREPARED: AtomicBool = AtomicBool::new(false);

    pub(super) fn prepare() {
        if !IS_PREPARED.load(Ordering::Acquire) {
            let numbers = FACTS.iter().zip(0..);
            numbers.for_each(|(entry, n)| entry.store(fact(n), Ordering::Relaxed));
            IS_PREPARED.store(true, Ordering::Release);
        }
    }

    pub(super) fn at(count: u16) -> u64 {
        FACTS[usize::from(count) % COUNTS].load(Ordering::Relaxed)
    }
}

/// Returns the sum of the facts of all counts, which are less than [`COUNTS`].
pub(super) fn sum(counts: &[u16; 256]) -> u64 {
    table::prepare();
    counts.iter().map(|&count| table::at(count)).sum()
}

/// Returns n·log2(n) for a count, after a call of [`sum`].
pub(super) fn n_log_n(count: u16) -> u32 {
    table::at(count) as u32
}

const fn fact(n: u64) -> u64 {
    if n == 0 {
        return 0;
    }
    let n_log_n = (n * log2(n)) >> (LOG_BITS - N_LOG_N_BIT.ilog2());
    let once = if n == 1 { 1 << ONCE } else { 0 };
    let twice = if n == 2 { 1 << TWICE } else { 0 };
    n_log_n | 1 << SEEN | once | twice
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

    #[test]
    fn logarithms_are_exact_to_their_last_bit() {
        for (n, log) in
            [(1, 0.0), (2, 1.0), (3, 1.584_962_5), (12, 3.584_962_5), (4095, 11.999_648)]
        {
            let found = log2(n) as f64 / f64::from(1 << LOG_BITS);
            assert!((found - log).abs() < 2.0 / f64::from(1 << LOG_BITS), "{n}: {found}");
        }
    }
}
