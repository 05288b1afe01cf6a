//! Tables of contexts whose elements are normally distributed, which take no description.
//!
//! All numbers are integers, so that all processors agree.

use crate::format::scales::normal::{
    ESCAPE_SLOTS, FIRST_STEP, PHASE_FACTORS, POSITION_BITS, QUARTER_FACTORS, RATIO, STEP_BITS,
    STEPS, TOTAL_BITS,
};
use crate::format::scales::{
    BELOW, ESCAPE, HEADS, OCTAVE, OCTAVE_CLASSES, SIGN, SLOTS, SYMBOLS, TOP,
};
use crate::model::scales::context::Division;

/// The standard normal distribution.
pub(crate) struct Normal {
    /// The probability that the magnitude is below each step.
    below: [u32; STEPS + 1],
}

impl Normal {
    pub(crate) fn new() -> Self {
        let mut below = [0; STEPS + 1];
        let (mut density, mut ratio, mut sum) = (FIRST_STEP << 32, RATIO, 0);
        for below in &mut below[1..] {
            sum += density;
            *below = (sum >> 32) as u32;
            density = (density >> 32) * ratio + (((density & 0xffff_ffff) * ratio) >> 32);
            ratio = (ratio * RATIO) >> 32;
        }
        Self { below }
    }

    /// Returns the probability that the magnitude is below the magnitude of a position, with the
    /// sign of the position.
    #[inline(always)]
    fn below(&self, position: i64) -> i64 {
        let magnitude = position.unsigned_abs().min((STEPS << STEP_BITS) as u64 - 1) as usize;
        let (step, part) = (magnitude >> STEP_BITS, (magnitude & ((1 << STEP_BITS) - 1)) as u32);
        let (low, high) = (self.below[step], self.below[step + 1]);
        let below = i64::from(low + (((high - low) * part) >> STEP_BITS));
        if position < 0 { -below } else { below }
    }

    /// Sets the frequencies of the symbols of a context.
    pub(crate) fn frequencies(
        &self,
        division: Division,
        context: usize,
        frequencies: &mut [u16; SYMBOLS],
    ) {
        frequencies.fill(0);
        let (phase, class) = division.phase_and_class(context);
        let centers = centers(class);
        let mut sum = 0;
        let halves: &[i64] = if division.has_references { &[-1, 1] } else { &[0] };
        for (half, &direction) in halves.iter().enumerate() {
            let slots = |edge: i64| {
                let sum: i64 =
                    centers.iter().map(|center| self.below(edge + direction * center)).sum();
                let slots = SLOTS as i64 - ESCAPE_SLOTS;
                (sum * slots) >> (TOTAL_BITS + halves.len() as u32)
            };
            let mut last = slots(edge(phase, 0));
            for head in 0..usize::from(HEADS) {
                let next = slots(edge(phase, head + 1));
                frequencies[half * usize::from(SIGN) + head] = (next - last) as u16;
                sum += next - last;
                last = next;
            }
        }
        // Elements of both signs escape about as often.
        let rest = (SLOTS as i64 - sum) as u16;
        let opposite = if division.has_references { rest / 2 } else { 0 };
        frequencies[usize::from(ESCAPE)] = rest - opposite;
        if division.has_references {
            frequencies[usize::from(ESCAPE | SIGN)] = opposite;
        }
    }
}

/// Returns the position at which a symbol begins.
#[inline(always)]
fn edge(phase: usize, head: usize) -> i64 {
    let (octave, part) = (head / OCTAVE, (OCTAVE + head % OCTAVE) as i64);
    ((PHASE_FACTORS[phase] * part) << octave) >> (16 - POSITION_BITS + TOP + BELOW as u32)
}

/// Returns two positions of the elements that references predict in a class.
fn centers(class: usize) -> [i64; 2] {
    let first = match class {
        0 => return [0; 2],
        1..OCTAVE_CLASSES => 4 * class as i32 - 15,
        _ => 2 * class as i32 - 10,
    };
    [first, first + 1].map(|quarters| {
        let factor = QUARTER_FACTORS[(quarters & 3) as usize];
        let octave = quarters >> 2;
        if octave < 0 { factor >> -octave } else { factor << octave }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::format::scales::CONTEXTS;

    #[test]
    fn probabilities_are_exact() {
        let normal = Normal::new();
        for (deviations, expected) in [(0.5, 0.382_925), (1.0, 0.682_689), (3.0, 0.997_300)] {
            let position = (deviations * f64::from(1 << POSITION_BITS)) as i64;
            let found = normal.below(position) as f64 / f64::from(1 << TOTAL_BITS);
            assert!((found - expected).abs() < 1e-5, "{deviations}: {found}");
            assert_eq!(normal.below(-position), -normal.below(position));
        }
        assert!(normal.below(i64::MAX) > (1 << TOTAL_BITS) - 100);
        assert!(normal.below.is_sorted());
    }

    #[test]
    fn frequencies_fill_the_slots() {
        let normal = Normal::new();
        for has_references in [false, true] {
            let division = Division::new(DType::F16, has_references).unwrap();
            assert!(division.contexts() <= CONTEXTS);
            for context in 0..division.contexts() {
                let mut frequencies = [0; SYMBOLS];
                normal.frequencies(division, context, &mut frequencies);
                assert_eq!(frequencies.iter().map(|&f| usize::from(f)).sum::<usize>(), SLOTS);
                assert!(frequencies[usize::from(ESCAPE)] > 0);
                assert_eq!(frequencies[usize::from(ESCAPE | SIGN)] > 0, has_references);
            }
        }
    }

    #[test]
    fn most_elements_are_where_the_reference_predicts_them() {
        let division = Division::new(DType::BF16, true).unwrap();
        let mut frequencies = [0; SYMBOLS];
        let context = division.contexts() - 1;
        let (phase, class) = division.phase_and_class(context);
        Normal::new().frequencies(division, context, &mut frequencies);
        let most = (0..SYMBOLS).max_by_key(|&symbol| frequencies[symbol]).unwrap();
        let (first, last) = (edge(phase, most), edge(phase, most + 1));
        let [low, high] = centers(class);
        assert!(first < high && low < last, "{first}..{last}: {low}, {high}");
    }
}
