//! The description of the tables and the classes of rows, as bits of adaptive models.
//!
//! Each function encodes its argument, or ignores it and decodes, and returns the result.

use crate::difference::context::{CONTEXTS, MEANINGS};
use crate::difference::{ESCAPE, LOG, SLOTS, SYMBOLS};
use crate::entropy::binary::{BitCoder, Model};
use crate::error::DecodeErrorKind;

/// Bits of the length of a frequency, which is at most 13.
const LEN_BITS: u32 = 4;
/// Largest length of a change of class, in bits.
const MAX_CLASS_LEN: u32 = 12;

/// Largest class, and largest negative class. Classes of floats are between -300 and 260.
const MAX_CLASS: i32 = 1 << 12;

/// Models of the parts of a description.
pub(crate) struct Models {
    is_used: Model,
    begins: Model,
    /// The length of a frequency, after each length of the frequency before it.
    lens: [[Model; 1 << LEN_BITS]; LOG as usize + 2],
    /// The second-highest bit of a frequency, for each length.
    seconds: [Model; LOG as usize + 2],
    /// Whether a row is unchanged, after a changed and after an unchanged row.
    is_unchanged: [Model; 2],
    has_other_class: Model,
    is_lower: Model,
    class_lens: [Model; MAX_CLASS_LEN as usize + 1],
    was_unchanged: bool,
    last_class: i32,
}

impl Models {
    pub(crate) fn new() -> Self {
        Self {
            is_used: Model::NEW,
            begins: Model::NEW,
            lens: [[Model::NEW; _]; _],
            seconds: [Model::NEW; _],
            is_unchanged: [Model::NEW; _],
            has_other_class: Model::NEW,
            is_lower: Model::NEW,
            class_lens: [Model::NEW; _],
            was_unchanged: false,
            last_class: 0,
        }
    }

    /// Codes which contexts share a table. Returns the number of tables.
    ///
    /// `begins` says for each context whether a new table begins with it. A meaning without symbols
    /// has no table.
    pub(crate) fn partition(
        &mut self,
        coder: &mut impl BitCoder,
        begins: &mut [bool; CONTEXTS],
    ) -> usize {
        let mut tables = 0;
        for contexts in MEANINGS {
            let (first, others) = begins[contexts].split_first_mut().expect("there are contexts");
            *first = coder.bit(&mut self.is_used, *first);
            tables += usize::from(*first);
            for begins in others {
                *begins = *first && coder.bit(&mut self.begins, *begins);
                tables += usize::from(*begins);
            }
        }
        tables
    }

    /// Codes the frequencies of a table.
    ///
    /// # Errors
    ///
    /// `CorruptStream` if their sum is larger than [`SLOTS`].
    pub(crate) fn frequencies(
        &mut self,
        coder: &mut impl BitCoder,
        frequencies: &mut [u16; SYMBOLS],
    ) -> Result<(), DecodeErrorKind> {
        let mut left = SLOTS as u16;
        let mut last_len = 0;
        for (symbol, frequency) in (0..).zip(frequencies) {
            *frequency = match (left, symbol) {
                (0, _) => 0,
                (left, ESCAPE) => left,
                _ => self.frequency(coder, last_len, *frequency),
            };
            last_len = u16::BITS - frequency.leading_zeros();
            left = left.checked_sub(*frequency).ok_or(DecodeErrorKind::CorruptStream)?;
        }
        Ok(())
    }

    /// Codes a frequency: its length, its second-highest bit, and its other bits.
    fn frequency(&mut self, coder: &mut impl BitCoder, last_len: u32, frequency: u16) -> u16 {
        let number = u32::from(frequency);
        let len = u32::BITS - number.leading_zeros();
        let lens = &mut self.lens[last_len.min(LOG + 1) as usize];
        let len = coder.tree(lens, LEN_BITS, len).min(LOG + 1);
        if len < 2 {
            return len as u16;
        }
        let second = &mut self.seconds[len as usize];
        let second = coder.bit(second, number >> (len - 2) & 1 == 1);
        let head = 2 | u32::from(second);
        (head << (len - 2) | coder.raw(len - 2, number)) as u16
    }

    /// Codes the class of the next row; `None` for a row without changes.
    pub(crate) fn class(&mut self, coder: &mut impl BitCoder, class: Option<i32>) -> Option<i32> {
        let is_unchanged = &mut self.is_unchanged[usize::from(self.was_unchanged)];
        self.was_unchanged = coder.bit(is_unchanged, class.is_none());
        if self.was_unchanged {
            return None;
        }
        let change = class.unwrap_or_default() - self.last_class;
        if coder.bit(&mut self.has_other_class, change != 0) {
            let is_lower = coder.bit(&mut self.is_lower, change < 0);
            let distance = self.distance(coder, change.unsigned_abs()) as i32;
            let change = if is_lower { -distance } else { distance };
            self.last_class = (self.last_class + change).clamp(-MAX_CLASS, MAX_CLASS);
        }
        Some(self.last_class)
    }

    /// Codes a distance of classes from 1 to `2^(MAX_CLASS_LEN + 1) - 1`.
    fn distance(&mut self, coder: &mut impl BitCoder, distance: u32) -> u32 {
        let len = (u32::BITS - 1).saturating_sub(distance.leading_zeros());
        let mut coded = 0;
        while coded < MAX_CLASS_LEN && coder.bit(&mut self.class_lens[coded as usize], coded < len)
        {
            coded += 1;
        }
        1 << coded | coder.raw(coded, distance)
    }
}
