//! Scales counts to the slots of a table.

/// Scales counts to frequencies whose sum is `2^log`.
///
/// Every symbol that occurs gets at least one slot. Without any count, the first symbol gets all
/// slots. There are at most `2^log` symbols.
pub(crate) fn normalize(counts: &[u32], log: u32, frequencies: &mut [u16]) {
    let slots = 1_u64 << log;
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    frequencies.fill(0);
    if total == 0 {
        frequencies[0] = slots as u16;
        return;
    }
    let mut sum = 0;
    for (frequency, &count) in frequencies.iter_mut().zip(counts) {
        if count > 0 {
            *frequency = ((u64::from(count) * slots + total / 2) / total).max(1) as u16;
            sum += i64::from(*frequency);
        }
    }
    // The largest frequencies absorb the rounding errors, where they cost least.
    let mut excess = sum - slots as i64;
    while excess != 0 {
        let Some(largest) = frequencies.iter_mut().max() else { return };
        let step = excess.signum() * excess.abs().min((i64::from(*largest) / 16).max(1));
        *largest = (i64::from(*largest) - step) as u16;
        excess -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_fill_the_slots() {
        let cases: [&[u32]; 6] = [
            &[0, 0, 0],
            &[0, 7, 0],
            &[1, 1, 1, 1],
            &[1, u32::MAX, 1, 0, 1],
            &[3; 200],
            &[1, 2, 4, 8, 16, 1 << 30, 5],
        ];
        for counts in cases {
            let mut frequencies = [9; 200];
            let frequencies = &mut frequencies[..counts.len()];
            normalize(counts, 12, frequencies);
            assert_eq!(frequencies.iter().map(|&f| u32::from(f)).sum::<u32>(), 1 << 12);
            for (&count, &frequency) in counts.iter().zip(&*frequencies) {
                assert!((count > 0) <= (frequency > 0), "{counts:?} {frequencies:?}");
            }
        }
    }
}
