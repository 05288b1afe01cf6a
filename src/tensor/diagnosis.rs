//! Telling from its numbers whether a tensor's bits are rotated that should not be.
//!
//! The original rotates a tensor in place before it compresses it. Its script stores tensors that
//! this does not make smaller as they are by then: rotated. Read that way, an ordinary weight has
//! an exponent that no weight has: 0.02 becomes 5·10^34, and 2 a number close to zero. Undoing the
//! rotation of a sound tensor makes exponents as odd. So the question is which of two readings is
//! the likelier one, given what exponents weights have.

use std::collections::BTreeSet;
use std::vec::Vec;

use crate::dtype::DType;
use crate::plane::scalar::{unrotate2, unrotate4};

/// What the numbers of a tensor say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diagnosis {
    /// The reading that is the likelier one, if that is clear enough.
    pub verdict: Verdict,
    /// How likely it is that the tensor is rotated: 0 if certainly not, 1 if certainly.
    pub rotated: f64,
    /// Different numbers other than zero on which this rests.
    pub values: usize,
}

/// Whether a tensor is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is.
    Sound,
    /// Its bits are rotated.
    Rotated,
    /// It cannot be told.
    Unknown,
}

impl Diagnosis {
    /// How likely a reading must be to be the verdict.
    pub const THRESHOLD: f64 = 0.999;
    /// How many different numbers there must be for a verdict.
    pub const MIN_VALUES: usize = 4;

    fn new(rotated: f64, sound: f64, values: usize) -> Self {
        let verdict = match values {
            ..Self::MIN_VALUES => Verdict::Unknown,
            _ if rotated >= Self::THRESHOLD => Verdict::Rotated,
            _ if sound >= Self::THRESHOLD => Verdict::Sound,
            _ => Verdict::Unknown,
        };
        Self { verdict, rotated, values }
    }
}

/// Judges a tensor by its numbers, as they are in a file.
///
/// Three explanations are compared: they are weights; they are weights whose bits are rotated; or
/// they are neither, for example other data under the name of a type. For weights, exponents far
/// from that of 1/16 get rarer by a factor *e* every four powers of two, except that one in a
/// thousand may be anything. Only types that the original rotates, bfloat16 and float32, can be
/// judged. Numbers that occur often count once: repeating them proves nothing.
pub fn diagnose(data: &[u8], dtype: DType) -> Diagnosis {
    diagnose_values(&distinct_values(data, dtype), dtype)
}

/// Judges a tensor by its [`Samples`], as [`diagnose`] does.
pub(crate) fn diagnose_values(values: &[u32], dtype: DType) -> Diagnosis {
    let [sound, rotated, neither] = Likelihoods::of(values, dtype).weighted();
    let all = log_sum(log_sum(sound, rotated), neither);
    Diagnosis::new((rotated - all).exp(), (sound - all).exp(), values.len())
}

/// How likely numbers are by each of the three explanations, as logarithms.
struct Likelihoods {
    sound: f64,
    rotated: f64,
    neither: f64,
}

impl Likelihoods {
    fn of(values: &[u32], dtype: DType) -> Self {
        let undo = |value: u32| match dtype {
            DType::F32 => unrotate4(value),
            _ => u32::from(unrotate2(value as u16)),
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

    /// Sound, rotated and neither, with how likely each is before anything is known.
    fn weighted(&self) -> [f64; 3] {
        [
            self.sound + PRIOR_WEIGHTS.ln(),
            self.rotated + PRIOR_WEIGHTS.ln(),
            self.neither + PRIOR_NEITHER.ln(),
        ]
    }
}

fn log_sum(one: f64, other: f64) -> f64 {
    let (small, large) = if one < other { (one, other) } else { (other, one) };
    large + (small - large).exp().ln_1p()
}

/// How likely it is that all of several tensors are rotated, if it is either all or none of them.
pub(crate) struct Together {
    /// Logarithm of how much likelier all is than none.
    log_odds: f64,
    /// Numbers that have been counted, by the code of their type.
    seen: BTreeSet<(u8, u32)>,
}

impl Together {
    /// Most numbers of one tensor that count.
    const MOST_VALUES: usize = 64;

    /// With the likelihood before anything is known.
    pub(crate) fn new(rotated: f64) -> Self {
        Self { log_odds: (rotated / (1.0 - rotated)).ln(), seen: BTreeSet::new() }
    }

    /// Adds the [`Samples`] of a tensor, of which only those count that no tensor before it had.
    pub(crate) fn add(&mut self, values: &[u32], dtype: DType) {
        let step = values.len().div_ceil(Self::MOST_VALUES).max(1);
        let mut values: Vec<u32> = values.iter().copied().step_by(step).collect();
        values.retain(|&value| self.seen.insert((dtype.code(), value)));
        let [sound, rotated, neither] = Likelihoods::of(&values, dtype).weighted();
        self.log_odds += log_sum(rotated, neither) - log_sum(sound, neither);
    }

    /// How likely it is that all are rotated.
    pub(crate) fn rotated(&self) -> f64 {
        1.0 / (1.0 + (-self.log_odds).exp())
    }
}

/// How likely each kind of weights is before anything is known, and that they are none.
const PRIOR_WEIGHTS: f64 = 0.45;
const PRIOR_NEITHER: f64 = 0.1;
/// Number of exponents, and the one that stands for one.
const EXPONENTS: f64 = 256.0;
const EXPONENT_BIAS: i32 = 127;
/// The exponent around which those of weights lie, and in how many powers of two they get rarer by
/// the factor e. Wider than any one model: in a transformer's tensors, 90 % lie from 2^-9 to 1.
const CENTRE: i32 = -4;
const SPREAD: f64 = 4.0;
/// The part of weights that may be anything.
const ODD: f64 = 1e-3;

/// How likely a weight has an exponent.
fn probability(exponent: i32) -> f64 {
    let step = (-1.0 / SPREAD).exp();
    let scale = (1.0 - step) / (1.0 + step);
    let distance = f64::from((exponent - CENTRE).abs());
    (1.0 - ODD) * scale * (-distance / SPREAD).exp() + ODD / EXPONENTS
}

/// The different numbers of a tensor but zero, which looks the same in both readings; of a large
/// tensor, of samples all over it.
fn distinct_values(data: &[u8], dtype: DType) -> Vec<u32> {
    let mut samples = Samples::new(data.len() as u64, dtype);
    samples.add(data);
    samples.distinct()
}

/// Numbers of a tensor that comes in parts: of a large one, samples all over it.
pub(crate) struct Samples {
    dtype: DType,
    values: Vec<u32>,
    /// Words of four bytes from one sample to the next.
    step: usize,
    /// Words of the parts to come that are before the next sample.
    skip: usize,
}

impl Samples {
    /// Most words of a tensor that count.
    const MOST: u64 = 1 << 16;

    /// Begins with a tensor of this many bytes.
    pub(crate) fn new(len: u64, dtype: DType) -> Self {
        let step = (len / 4).div_ceil(Self::MOST).max(1);
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        Self { dtype, values: Vec::new(), step, skip: 0 }
    }

    /// Takes the next part. Only the last may have another length than whole words of four bytes:
    /// rotation leaves shorter rests alone.
    pub(crate) fn add(&mut self, part: &[u8]) {
        let words = part.as_chunks::<4>().0;
        let samples = words.get(self.skip..).unwrap_or_default();
        let taken = samples.len().div_ceil(self.step);
        let samples = samples.iter().step_by(self.step).map(|&word| u32::from_le_bytes(word));
        match self.dtype {
            DType::F32 => self.values.extend(samples),
            DType::BF16 => {
                self.values.extend(samples.flat_map(|word| [word & 0xffff, word >> 16]));
            }
            _ => {}
        }
        self.skip = self.skip + taken * self.step - words.len();
    }

    /// Returns the different numbers but zero, which looks the same in both readings.
    pub(crate) fn distinct(mut self) -> Vec<u32> {
        self.values.retain(|&value| value != 0);
        self.values.sort_unstable();
        self.values.dedup();
        self.values
    }
}

/// Undoes the rotation of a whole tensor, if its type is one that is rotated.
pub(crate) fn undo_rotation(data: &mut [u8], dtype: DType) {
    for word in data.as_chunks_mut::<4>().0 {
        let bits = u32::from_le_bytes(*word);
        let bits = match dtype {
            DType::F32 => unrotate4(bits),
            DType::BF16 => {
                let [low, high] = [bits as u16, (bits >> 16) as u16].map(unrotate2);
                u32::from(high) << 16 | u32::from(low)
            }
            _ => return,
        };
        *word = bits.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_up_to_one() {
        let sum: f64 = (0..256).map(|code| probability(code - EXPONENT_BIAS)).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }

    /// What the codec rotates is undone, for every length: in a frame that is not marked, rotated
    /// data stays rotated.
    #[test]
    fn undoing_is_the_inverse_of_what_the_codec_does() {
        const ROTATION_AT: usize = 6;
        for dtype in [DType::BF16, DType::F32] {
            for len in 0..40_u8 {
                let data: Vec<u8> = (0..len).map(|i| i.wrapping_mul(37) ^ 0x5a).collect();
                let mut frame =
                    crate::compress(&data, &crate::Options::new(dtype).plain()).unwrap();
                frame[ROTATION_AT] = 0;
                let mut rotated = crate::decompress(&frame, &crate::Limits::default()).unwrap();
                assert!(rotated != data || len < 4);
                undo_rotation(&mut rotated, dtype);
                assert_eq!(rotated, data, "{dtype:?}, {len} bytes");
            }
        }
    }

    fn bf16(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|&value| half::bf16::from_f32(value).to_le_bytes()).collect()
    }

    #[test]
    fn few_values_and_no_values_are_not_judged() {
        for data in [bf16(&[]), bf16(&[0.0; 100]), bf16(&[1.0; 100]), bf16(&[0.5, 0.25])] {
            assert_eq!(diagnose(&data, DType::BF16).verdict, Verdict::Unknown);
        }
        let data = bf16(&[1.0, 0.98, 1.01, 0.97]);
        assert_eq!(diagnose(&data, DType::BF16).verdict, Verdict::Sound);
        assert_eq!(diagnose(&data, DType::F16).verdict, Verdict::Unknown);
    }
}
