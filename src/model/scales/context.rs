//! Contexts: how the expected size of an element selects its table and the meaning of its symbol.

use core::ops::Range;

use crate::dtype::DType;
use crate::format::scales::{
    BELOW, CLASS_OFFSET, CLASSES, CONTEXTS, LOWEST_SIZE, PHASES, PIECE, SIGN, SYMBOLS, TOP,
};
use crate::model::element::{Format, Word};

/// How the elements of a format are divided into symbols and raw bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Division {
    pub(crate) format: Format,
    /// Whether symbols contain the sign relative to the sign of a reference.
    pub(crate) has_references: bool,
}

impl Division {
    /// Returns the division; `None` if the format cannot have references.
    pub(crate) fn new(dtype: DType, has_references: bool) -> Option<Self> {
        let format = Format::of(dtype);
        (!has_references || format.len > 1).then_some(Self { format, has_references })
    }

    /// Returns whether symbols are whole magnitudes.
    #[inline(always)]
    pub(crate) fn is_whole(self) -> bool {
        self.format.len == 1
    }

    /// Returns the number of bits of the mantissa that are not in the symbol.
    #[inline(always)]
    pub(crate) fn low(self) -> u32 {
        if self.is_whole() { 0 } else { self.format.mantissa - TOP }
    }

    /// Returns the number of raw bits of an element.
    pub(crate) fn raw_bits(self) -> u32 {
        self.low() + u32::from(!self.has_references)
    }

    /// Returns a length that codes of `len` bytes practically always exceed: sign and raw bits, and
    /// two bits for the rest of each element.
    pub(crate) fn least_len(self, len: u64) -> u64 {
        const REST_BITS: u64 = 2;
        let sign_bits = u64::from(self.has_references);
        let bits = u64::from(self.raw_bits()) + sign_bits + REST_BITS;
        len / self.format.len as u64 * bits / 8
    }

    /// Returns the number of symbols.
    pub(crate) fn symbols(self) -> usize {
        if self.has_references { SYMBOLS } else { SYMBOLS / 2 }
    }

    /// Returns the number of contexts.
    pub(crate) fn contexts(self) -> usize {
        match (self.is_whole(), self.has_references) {
            (true, _) => CONTEXTS,
            (false, true) => PHASES * CLASSES,
            (false, false) => PHASES,
        }
    }

    /// Returns the phase and the class of a context, unless symbols are whole magnitudes.
    pub(crate) fn phase_and_class(self, context: usize) -> (usize, usize) {
        let classes = if self.has_references { CLASSES } else { 1 };
        (context / classes % PHASES, context % classes)
    }

    /// Returns the number of bits of the exponent.
    pub(crate) fn exponent_bits(self) -> u32 {
        self.format.bits() - 1 - self.format.mantissa
    }

    /// Returns the number of bits of a head after the exponent.
    pub(crate) fn top(self) -> u32 {
        self.format.mantissa - self.low()
    }
}

/// What is known about the elements of a part of a row before they are decoded.
pub(crate) struct Expected {
    /// The context of each element.
    pub(crate) contexts: [u8; PIECE],
    /// The head that symbol 0 stands for.
    pub(crate) heads: [u16; PIECE],
    /// [`SIGN`] if the sign of an element is probably set.
    pub(crate) signs: [u8; PIECE],
}

/// A reference: another part of a row, and what it is multiplied by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference<'r, B> {
    pub(crate) elements: &'r [B],
    /// The base-2 logarithm of the coefficient, in quarter octaves.
    pub(crate) size: i16,
    pub(crate) is_negative: bool,
}

impl<B> Reference<'_, B> {
    /// Returns the reference of a part of the row.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { elements: &self.elements[range], ..*self }
    }
}

impl Expected {
    pub(crate) fn new() -> Self {
        Self { contexts: [0; PIECE], heads: [0; PIECE], signs: [0; PIECE] }
    }

    /// Finds contexts, heads and signs from the scale of the row, the scales of columns and the
    /// reference of the row, if it has one.
    #[inline(always)]
    pub(crate) fn set<W: Word>(
        &mut self,
        division: Division,
        row: i16,
        columns: &[[u8; 2]],
        reference: Option<Reference<'_, W::Bytes>>,
    ) {
        match reference {
            None => self.set_plain(division, row, columns),
            Some(reference) => self.set_with_reference::<W>(division, row, columns, reference),
        }
    }

    #[inline(always)]
    fn set_plain(&mut self, division: Division, row: i16, columns: &[[u8; 2]]) {
        let places = self.contexts.iter_mut().zip(&mut self.heads).zip(columns);
        if division.is_whole() {
            for ((context, head), &column) in places {
                let size = row.wrapping_add(i16::from_le_bytes(column));
                *context = size.wrapping_sub(LOWEST_SIZE).clamp(0, CONTEXTS as i16 - 1) as u8;
                *head = 0;
            }
            return;
        }
        let offset = division.format.bias() as i16 - BELOW;
        let classes = if division.has_references { CLASSES as u8 } else { 1 };
        for ((context, head), &column) in places {
            let size = row.wrapping_add(i16::from_le_bytes(column));
            *context = (size & 3) as u8 * classes;
            *head = first_head(size, offset);
        }
        self.signs[..columns.len()].fill(0);
    }

    #[inline(always)]
    fn set_with_reference<W: Word>(
        &mut self,
        division: Division,
        row: i16,
        columns: &[[u8; 2]],
        reference: Reference<'_, W::Bytes>,
    ) {
        let format = division.format;
        let offset = division.format.bias() as i16 - BELOW;
        let bias = 4 * format.bias() as i16 - reference.size - CLASS_OFFSET;
        let magnitude = (1_u32 << (format.bits() - 1)) - 1;
        let sign = if reference.is_negative { SIGN } else { 0 };
        let places = self.contexts.iter_mut().zip(&mut self.heads).zip(&mut self.signs);
        for (((context, head), is_set), (&column, &other)) in
            places.zip(columns.iter().zip(reference.elements))
        {
            let size = row.wrapping_add(i16::from_le_bytes(column));
            let other = W::load(other).bits();
            let quarters = ((other & magnitude) >> (format.mantissa - 2)) as i16;
            let relative = quarters.wrapping_sub(bias).wrapping_sub(size);
            let half = relative >> 1;
            let class = ((half + 2) >> 1).max(half.wrapping_sub(1)).clamp(0, CLASSES as i16 - 1);
            *context = ((size & 3) * CLASSES as i16 + class) as u8;
            *head = first_head(size, offset);
            *is_set = (other >> (format.bits() - 8)) as u8 & SIGN ^ sign;
        }
    }
}

/// Returns the head that symbol 0 stands for at an expected size, which may be below 0.
#[inline(always)]
fn first_head(size: i16, offset: i16) -> u16 {
    ((size >> 2).wrapping_add(offset) << TOP) as u16
}
