//! Detects from its values whether a tensor's bits are rotated.
//!
//! The original rotates a tensor in place before compressing it. If the tensor does not become
//! smaller, the original's script stores it in this rotated state. Read as ordinary values, rotated
//! weights have exponents that weights never have: 0.02 becomes 5·10^34, and 2 becomes a value
//! close to zero. Undoing the rotation of a sound tensor has the same effect. The diagnosis
//! therefore determines which of the two readings is more likely, given the usual exponents of
//! weights.

use std::collections::HashSet;

use zipnn::DType;

use crate::repair::rotation::{unrotate_bf16, unrotate_f32};

/// The result of judging a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diagnosis {
    /// The more likely reading, if it is likely enough.
    pub verdict: Verdict,
    /// Probability that the tensor is rotated.
    pub rotated: f64,
}

/// Whether a tensor is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Sound,
    Rotated,
    /// The values do not show whether the tensor is rotated.
    Unknown,
}

impl Verdict {
    /// Minimum probability of a reading to become the verdict.
    const THRESHOLD: f64 = 0.999;

    /// Returns the verdict for the probabilities of both readings.
    fn of(rotated: f64, sound: f64) -> Self {
        if rotated >= Self::THRESHOLD {
            Self::Rotated
        } else if sound >= Self::THRESHOLD {
            Self::Sound
        } else {
            Self::Unknown
        }
    }
}

/// Minimum number of distinct values for a verdict.
const MIN_VALUES: usize = 4;

/// Judges a tensor by its distinct values, as [`Samples`](crate::repair::samples::Samples) returns
/// them.
///
/// Compares three explanations: the values are weights; they are weights with rotated bits; or they
/// are neither, for example other data under the name of a type. The probability of a weight falls
/// by a factor of *e* for every four powers of two between it and 1/16, except that one weight in a
/// thousand may have any exponent. Only types that the original rotates, bfloat16 and float32, can
/// be judged. Values count once however often they occur, because repeated values prove nothing.
pub fn diagnose(values: &[u32], dtype: DType) -> Diagnosis {
    let [sound, rotated, neither] = Likelihoods::of(values, dtype).weighted();
    let all = log_sum(log_sum(sound, rotated), neither);
    let (rotated, sound) = ((rotated - all).exp(), (sound - all).exp());
    let verdict = match values.len() {
        ..MIN_VALUES => Verdict::Unknown,
        _ => Verdict::of(rotated, sound),
    };
    Diagnosis { verdict, rotated }
}

/// Logarithms of the probability of the values under each of the three explanations.
struct Likelihoods {
    sound: f64,
    rotated: f64,
    neither: f64,
}

impl Likelihoods {
    fn of(values: &[u32], dtype: DType) -> Self {
        let undo = |value: u32| match dtype {
            DType::F32 => unrotate_f32(value),
            _ => u32::from(unrotate_bf16(value as u16)),
        };
        let shift = if dtype == DType::F32 { 23 } else { 7 };
        let exponent = |value: u32| ((value >> shift) & 0xff) as i32 - EXPONENT_BIAS;
        let mut sum = Self { sound: 0.0, rotated: 0.0, neither: 0.0 };
        for &value in values {
            sum.sound += probability(exponent(value)).ln();
            sum.rotated += probability(exponent(undo(value))).ln();
            sum.neither -= EXPONENTS.ln();
        }
        sum
    }

    /// Returns sound, rotated and neither, weighted by their prior probabilities.
    fn weighted(&self) -> [f64; 3] {
        [
            self.sound + PRIOR_WEIGHTS.ln(),
            self.rotated + PRIOR_WEIGHTS.ln(),
            self.neither + PRIOR_NEITHER.ln(),
        ]
    }
}

/// Returns the logarithm of the sum of two numbers whose logarithms are given.
fn log_sum(one: f64, other: f64) -> f64 {
    let (small, large) = if one < other { (one, other) } else { (other, one) };
    large + (small - large).exp().ln_1p()
}

/// Judges several tensors together, of which either all or none are rotated.
pub struct JointDiagnosis {
    /// Logarithm of the odds that all are rotated.
    log_odds: f64,
    /// Values that have been counted.
    seen: HashSet<(DType, u32)>,
}

impl JointDiagnosis {
    /// Maximum number of values of one tensor that count.
    const MAX_VALUES: usize = 64;

    /// Starts with the prior probability that all are rotated.
    pub fn new(prior: f64) -> Self {
        Self { log_odds: (prior / (1.0 - prior)).ln(), seen: HashSet::new() }
    }

    /// Adds the distinct values of a tensor. Values that an earlier tensor had do not count.
    pub fn add(&mut self, values: &[u32], dtype: DType) {
        let step = values.len().div_ceil(Self::MAX_VALUES).max(1);
        let mut values: Vec<u32> = values.iter().copied().step_by(step).collect();
        values.retain(|&value| self.seen.insert((dtype, value)));
        let [sound, rotated, neither] = Likelihoods::of(&values, dtype).weighted();
        self.log_odds += log_sum(rotated, neither) - log_sum(sound, neither);
    }

    /// Returns the diagnosis for all tensors.
    pub fn diagnosis(&self) -> Diagnosis {
        let rotated = 1.0 / (1.0 + (-self.log_odds).exp());
        Diagnosis { verdict: Verdict::of(rotated, 1.0 - rotated), rotated }
    }
}

/// Prior probabilities of sound weights, of rotated weights, and of other data.
const PRIOR_WEIGHTS: f64 = 0.45;
const PRIOR_NEITHER: f64 = 0.1;
/// Number of exponents, and the exponent field of 1.
const EXPONENTS: f64 = 256.0;
const EXPONENT_BIAS: i32 = 127;
/// The most likely exponent of a weight, and the distance in powers of two at which the probability
/// has fallen by a factor of e. Wider than any one model: 90 % of a transformer's weights lie
/// between 2^-9 and 1.
const CENTRE: i32 = -4;
const SPREAD: f64 = 4.0;
/// The share of weights whose exponent can be any.
const ODD: f64 = 1e-3;

/// Returns the probability that a weight has an exponent.
fn probability(exponent: i32) -> f64 {
    let step = (-1.0 / SPREAD).exp();
    let scale = (1.0 - step) / (1.0 + step);
    let distance = f64::from((exponent - CENTRE).abs());
    (1.0 - ODD) * scale * (-distance / SPREAD).exp() + ODD / EXPONENTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repair::tests::diagnose_data;

    #[test]
    fn probabilities_of_all_exponents_sum_to_one() {
        let sum: f64 = (0..256).map(|code| probability(code - EXPONENT_BIAS)).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }

    fn bf16(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|&value| half::bf16::from_f32(value).to_le_bytes()).collect()
    }

    #[test]
    fn too_few_distinct_values_are_not_judged() {
        for data in [bf16(&[]), bf16(&[0.0; 100]), bf16(&[1.0; 100]), bf16(&[0.5, 0.25])] {
            assert_eq!(diagnose_data(&data, DType::BF16).verdict, Verdict::Unknown);
        }
        let data = bf16(&[1.0, 0.98, 1.01, 0.97]);
        assert_eq!(diagnose_data(&data, DType::BF16).verdict, Verdict::Sound);
        assert_eq!(diagnose_data(&data, DType::F16).verdict, Verdict::Unknown);
    }
}
