//! Codes the frequencies of tables with adaptive models.

use crate::entropy::binary::{BitCoder, Model};
use crate::entropy::rans::decode::MAX_LOG;

/// Bits of the length of a frequency, which is at most 13.
const LEN_BITS: u32 = 4;
/// Number of lengths.
const LENS: usize = MAX_LOG as usize + 2;

/// Models of frequencies in tables of up to `2^MAX_LOG` slots.
pub(crate) struct FrequencyModels {
    /// The length of a frequency, for each length of a similar one.
    lens: [[Model; 1 << LEN_BITS]; LENS],
    /// The second-highest bit of a frequency, for each length.
    seconds: [Model; LENS],
}

impl FrequencyModels {
    pub(crate) fn new() -> Self {
        Self { lens: [[Model::NEW; _]; _], seconds: [Model::NEW; _] }
    }

    /// Codes a frequency: its length, its second-highest bit, and its other bits.
    ///
    /// `similar` is a frequency that is probably about as large.
    pub(crate) fn code(&mut self, coder: &mut impl BitCoder, similar: u16, frequency: u16) -> u16 {
        self.code_rounded(coder, similar, frequency, u32::MAX)
    }

    /// Codes a frequency of which only the `precision` highest bits after the second are not 0.
    pub(crate) fn code_rounded(
        &mut self,
        coder: &mut impl BitCoder,
        similar: u16,
        frequency: u16,
        precision: u32,
    ) -> u16 {
        let number = u32::from(frequency);
        let len_of = |number: u32| u32::BITS - number.leading_zeros();
        let lens = &mut self.lens[(len_of(similar.into()) as usize).min(LENS - 1)];
        let len = coder.tree(lens, LEN_BITS, len_of(number)).min(MAX_LOG + 1);
        if len < 2 {
            return len as u16;
        }
        let second = &mut self.seconds[len as usize];
        let second = coder.bit(second, number >> (len - 2) & 1 == 1);
        let head = 2 | u32::from(second);
        let (rest, dropped) = (len - 2, (len - 2).saturating_sub(precision));
        let low = coder.raw(rest - dropped, number >> dropped) << dropped;
        (head << rest | low) as u16
    }
}
