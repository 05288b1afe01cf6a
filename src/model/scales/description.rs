//! The description of tables, scales and references, and the heads of escapes, as bits of adaptive
//! models.
//!
//! Each function encodes its argument, or ignores it and decodes, and returns the result.

use crate::entropy::binary::{BitCoder, Model, SignedModels};
use crate::entropy::rans::description::FrequencyModels;
use crate::error::DecodeErrorKind;
use crate::format::scales::{
    CONTEXTS, ESCAPE, MAX_SCALE, NORMAL_PRECISION, PRECISION_BITS, SLOTS, SYMBOLS,
};
use crate::model::scales::context::Division;

/// A reference of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RowReference {
    /// Number of rows between the row and its reference, plus one.
    pub(crate) distance: u32,
    /// The base-2 logarithm of the coefficient, in quarter octaves.
    pub(crate) size: i16,
    pub(crate) is_negative: bool,
}

/// Models of the parts of a description.
pub(crate) struct Models {
    begins: Model,
    frequency: FrequencyModels,
    column: ScaleModels,
    row: ScaleModels,
    size: ScaleModels,
    has_reference: [Model; 2],
    had_reference: bool,
    is_negative: Model,
}

impl Models {
    pub(crate) fn new() -> Self {
        Self {
            begins: Model::NEW,
            frequency: FrequencyModels::new(),
            column: ScaleModels::new(),
            row: ScaleModels::new(),
            size: ScaleModels::new(),
            has_reference: [Model::NEW; 2],
            had_reference: false,
            is_negative: Model::NEW,
        }
    }

    /// Codes which contexts share a table. Returns the number of tables.
    ///
    /// `begins` says for each context whether a new table begins with it; the first always does.
    pub(crate) fn partition(
        &mut self,
        coder: &mut impl BitCoder,
        contexts: usize,
        begins: &mut [bool; CONTEXTS],
    ) -> usize {
        begins[0] = true;
        for begins in &mut begins[1..contexts] {
            *begins = coder.bit(&mut self.begins, *begins);
        }
        begins[..contexts].iter().filter(|&&begins| begins).count()
    }

    /// Codes the precision of all frequencies, or `None` for the tables of normal distributions.
    pub(crate) fn precision(
        &mut self,
        coder: &mut impl BitCoder,
        precision: Option<u32>,
    ) -> Option<u32> {
        let precision = coder.raw(PRECISION_BITS, precision.unwrap_or(NORMAL_PRECISION));
        (precision != NORMAL_PRECISION).then_some(precision)
    }

    /// Codes the frequencies of a table, given the table before it.
    ///
    /// The slots that are left belong to [`ESCAPE`].
    ///
    /// # Errors
    ///
    /// `CorruptStream` if the sum of the frequencies is larger than [`SLOTS`].
    pub(crate) fn frequencies(
        &mut self,
        coder: &mut impl BitCoder,
        symbols: usize,
        precision: u32,
        before: Option<&[u16; SYMBOLS]>,
        frequencies: &mut [u16; SYMBOLS],
    ) -> Result<(), DecodeErrorKind> {
        let mut left = SLOTS as u16;
        let mut last = 0;
        for symbol in 0..symbols {
            let frequency = &mut frequencies[symbol];
            if symbol == usize::from(ESCAPE) {
                continue;
            }
            let similar = before.map_or(last, |before| before[symbol]);
            *frequency = self.frequency.code_rounded(coder, similar, *frequency, precision);
            last = *frequency;
            left = left.checked_sub(last).ok_or(DecodeErrorKind::CorruptStream)?;
        }
        frequencies[usize::from(ESCAPE)] = left;
        Ok(())
    }

    /// Codes the scale of the next column.
    pub(crate) fn column(&mut self, coder: &mut impl BitCoder, scale: i16) -> i16 {
        self.column.scale(coder, scale)
    }

    /// Codes the scale of the next row.
    pub(crate) fn row(&mut self, coder: &mut impl BitCoder, scale: i16) -> i16 {
        self.row.scale(coder, scale)
    }

    /// Codes the reference of the next row, if it has one. `most` is the largest distance.
    ///
    /// # Errors
    ///
    /// `CorruptStream` if the distance is larger.
    pub(crate) fn reference(
        &mut self,
        coder: &mut impl BitCoder,
        most: u32,
        reference: Option<RowReference>,
    ) -> Result<Option<RowReference>, DecodeErrorKind> {
        if most == 0 {
            return Ok(None);
        }
        let model = &mut self.has_reference[usize::from(self.had_reference)];
        self.had_reference = coder.bit(model, reference.is_some());
        if !self.had_reference {
            return Ok(None);
        }
        let RowReference { distance, size, is_negative } = reference.unwrap_or_default();
        let bits = u32::BITS - (most - 1).leading_zeros();
        let distance = coder.raw(bits, distance.wrapping_sub(1)) + 1;
        if distance > most {
            return Err(DecodeErrorKind::CorruptStream);
        }
        let size = self.size.scale(coder, size);
        let is_negative = coder.bit(&mut self.is_negative, is_negative);
        Ok(Some(RowReference { distance, size, is_negative }))
    }
}

/// Models of scales, each of which is close to the average of the ones before it.
struct ScaleModels {
    change: SignedModels,
    /// A moving average, in units of 1/16.
    average: i32,
}

impl ScaleModels {
    fn new() -> Self {
        Self { change: SignedModels::new(), average: 0 }
    }

    fn scale(&mut self, coder: &mut impl BitCoder, scale: i16) -> i16 {
        let expected = (self.average + 8) >> 4;
        let change = self.change.number(coder, i32::from(scale) - expected);
        let scale = (expected + change).clamp(-MAX_SCALE, MAX_SCALE);
        self.average += (16 * scale - self.average) >> 2;
        scale as i16
    }
}

/// Models of the heads of escapes.
pub(crate) struct EscapeModels {
    exponents: [Model; 256],
}

impl EscapeModels {
    pub(crate) fn new() -> Self {
        Self { exponents: [Model::NEW; _] }
    }

    /// Codes a head. `first` is the head that symbol 0 stands for.
    pub(crate) fn head(
        &mut self,
        coder: &mut impl BitCoder,
        division: Division,
        first: u16,
        head: u16,
    ) -> u16 {
        let (top, bits) = (division.top(), division.exponent_bits());
        let mask = (1 << bits) - 1;
        let relative = (head >> top).wrapping_sub(first >> top) & mask;
        let relative = coder.tree(&mut self.exponents, bits, relative.into()) as u16;
        let exponent = (relative + (first >> top)) & mask;
        exponent << top | coder.raw(top, head.into()) as u16
    }
}
