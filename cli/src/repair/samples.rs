//! Collects the values by which a tensor is judged.

use zipnn::DType;

/// Collects values of a tensor that is read in parts. Takes samples spread over a large tensor.
pub struct Samples {
    dtype: DType,
    values: Vec<u32>,
    /// Distance between samples, in words of four bytes.
    step: usize,
    /// Number of words before the next sample.
    skip: usize,
}

impl Samples {
    /// Maximum number of words that are sampled in a tensor.
    const MAX_WORDS: u64 = 1 << 16;

    /// Starts sampling a tensor of `len` bytes.
    pub fn new(len: u64, dtype: DType) -> Self {
        let step = (len / 4).div_ceil(Self::MAX_WORDS).max(1);
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        Self { dtype, values: Vec::new(), step, skip: 0 }
    }

    /// Samples the next part. The length of each part except the last must be a multiple of four
    /// bytes. A shorter rest is ignored, because rotation does not change it.
    pub fn add(&mut self, part: &[u8]) {
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

    /// Returns the distinct values. Leaves out zero, which rotation does not change.
    pub fn distinct(mut self) -> Vec<u32> {
        self.values.retain(|&value| value != 0);
        self.values.sort_unstable();
        self.values.dedup();
        self.values
    }
}
