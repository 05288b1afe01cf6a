//! The description of the tables and the classes of rows, as bits of adaptive models.
//!
//! Each function encodes its argument, or ignores it and decodes, and returns the result.

use crate::entropy::binary::{BitCoder, Model, SignedModels};
use crate::entropy::rans::description::FrequencyModels;
use crate::error::DecodeErrorKind;
use crate::format::difference::{CONTEXTS, ESCAPE, MAX_CLASS, SLOTS, SYMBOLS};
use crate::model::difference::context::MEANINGS;

/// Models of the parts of a description.
pub(crate) struct Models {
    is_used: Model,
    begins: Model,
    frequency: FrequencyModels,
    /// Whether a row is unchanged, after a changed and after an unchanged row.
    is_unchanged: [Model; 2],
    /// The change of class from the last changed row.
    change: SignedModels,
    was_unchanged: bool,
    last_class: i32,
}

impl Models {
    pub(crate) fn new() -> Self {
        Self {
            is_used: Model::NEW,
            begins: Model::NEW,
            frequency: FrequencyModels::new(),
            is_unchanged: [Model::NEW; _],
            change: SignedModels::new(),
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
        let mut last = 0;
        for (symbol, frequency) in (0..).zip(frequencies) {
            *frequency = match (left, symbol) {
                (0, _) => 0,
                (left, ESCAPE) => left,
                _ => self.frequency.code(coder, last, *frequency),
            };
            last = *frequency;
            left = left.checked_sub(*frequency).ok_or(DecodeErrorKind::CorruptStream)?;
        }
        Ok(())
    }

    /// Codes the class of the next row; `None` for a row without changes.
    pub(crate) fn class(&mut self, coder: &mut impl BitCoder, class: Option<i32>) -> Option<i32> {
        let is_unchanged = &mut self.is_unchanged[usize::from(self.was_unchanged)];
        self.was_unchanged = coder.bit(is_unchanged, class.is_none());
        if self.was_unchanged {
            return None;
        }
        let change = class.unwrap_or_default() - self.last_class;
        let change = self.change.number(coder, change);
        self.last_class = (self.last_class + change).clamp(-MAX_CLASS, MAX_CLASS);
        Some(self.last_class)
    }
}
