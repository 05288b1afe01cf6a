//! Contexts: how the expected change of an element selects its table and the meaning of symbols.
//!
//! [`crate::format::difference`] explains sizes and levels.

use core::ops::Range;

use crate::format::difference::{
    APART, CONTEXTS, FAR, LARGEST_DIRECT, LAST_LEVEL, LOWEST_SIZE, SHIFTED,
};
use crate::model::element::Format;

/// The meaning of the symbols of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The difference.
    Difference,
    /// The difference without its lowest bits, whose number is given.
    Shifted(u32),
    /// The exponent of the element, relative to that of the change.
    Apart,
}

/// The contexts of each meaning.
pub(crate) const MEANINGS: [Range<usize>; 3] = [0..SHIFTED, SHIFTED..APART, APART..CONTEXTS];

/// The levels of a format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    format: Format,
    /// The first size with each meaning.
    shifted: i32,
    apart: i32,
}

impl Levels {
    pub(crate) fn new(format: Format) -> Self {
        match format.len {
            // The symbols reach most differences between elements of a byte.
            1 => Self { format, shifted: i32::MAX, apart: i32::MAX },
            _ => Self {
                format,
                shifted: LARGEST_DIRECT + 1,
                apart: 2 * format.mantissa as i32 + FAR,
            },
        }
    }

    /// Returns the format.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Returns the level of an element of the base with exponent field 0, for [`Self::level`].
    pub(crate) fn origin(&self, class: i32) -> i32 {
        class + 2 * (self.format.bias() + self.format.mantissa as i32) - LOWEST_SIZE
    }

    /// Returns the level of a change.
    ///
    /// `origin` depends on the class of the row, and `exponent` is the exponent field of the
    /// element of the base. Subnormal elements have the unit of the smallest normal ones.
    #[inline(always)]
    pub(crate) fn level(origin: i32, exponent: u32) -> u8 {
        (origin - 2 * exponent.max(1) as i32).clamp(0, LAST_LEVEL.into()) as u8
    }

    /// Returns the meaning of symbols at a level.
    #[inline(always)]
    pub(crate) fn meaning(&self, level: u8) -> Meaning {
        let size = i32::from(level) + LOWEST_SIZE;
        if size >= self.apart {
            Meaning::Apart
        } else if size >= self.shifted {
            Meaning::Shifted(((size - LARGEST_DIRECT + 1) / 2) as u32)
        } else {
            Meaning::Difference
        }
    }

    /// Returns the first level at which symbols are not whole differences.
    pub(crate) fn first_marked(&self) -> u8 {
        let level = self.shifted.min(self.apart).saturating_sub(LOWEST_SIZE);
        level.min(u8::MAX.into()) as u8
    }

    /// Returns the context of a level.
    pub(crate) fn context(&self, level: u8) -> usize {
        let size = i32::from(level) + LOWEST_SIZE;
        match self.meaning(level) {
            Meaning::Difference => usize::from(level).min(SHIFTED - 1),
            Meaning::Shifted(_) => SHIFTED + (size & 1) as usize,
            Meaning::Apart => (APART + (size - self.apart) as usize).min(CONTEXTS - 1),
        }
    }

    /// Returns the exponent field that symbol [`SAME_EXPONENT`] stands for.
    ///
    /// [`SAME_EXPONENT`]: crate::format::difference::SAME_EXPONENT
    pub(crate) fn exponent(&self, class: i32) -> i32 {
        (class >> 1) + self.format.bias()
    }
}
