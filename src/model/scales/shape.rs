//! Shapes: how the elements of a format are divided into symbols and raw bits, for the compiler.

use core::marker::PhantomData;

use crate::format::scales::{ESCAPE, GROUP, HEADS, SIGN};
use crate::model::element::Word;

/// How elements are divided into symbols and raw bits.
pub(crate) trait Shape {
    type Word: Word;
    /// Number of bits of the mantissa that are not in the symbol.
    const LOW: u32;
    /// Whether symbols contain the sign relative to the sign of a reference.
    const REFERENCES: bool;
    /// Whether symbols are whole magnitudes.
    const IS_WHOLE: bool = Self::Word::BITS == 8;
    /// Number of raw bits of an element.
    const RAW: usize = Self::LOW as usize + !Self::REFERENCES as usize;
    /// Number of raw bytes of an element, and of the raw bits besides.
    const FULL: usize = Self::RAW / 8;
    const PART: usize = Self::RAW % 8;
    /// Length of the raw bits of eight elements in bytes.
    const GROUP_LEN: usize = GROUP * Self::FULL + Self::PART;

    /// Returns the bits of an element without sign and low bits.
    #[inline(always)]
    fn head(element: Self::Word) -> u16 {
        ((element.bits() & ((1 << (Self::Word::BITS - 1)) - 1)) >> Self::LOW) as u16
    }

    /// Returns the symbol of an element. `first` is the head that symbol 0 stands for, and `sign`
    /// [`SIGN`] if the sign of the element is probably set.
    #[inline(always)]
    fn symbol(element: Self::Word, first: u16, sign: u8) -> u8 {
        let head = Self::head(element).wrapping_sub(first);
        if Self::IS_WHOLE {
            return head as u8;
        }
        let head = if head < HEADS.into() { head as u8 } else { ESCAPE };
        match Self::REFERENCES {
            true => head | ((element.bits() >> (Self::Word::BITS - 8)) as u8 ^ sign) & SIGN,
            false => head,
        }
    }

    /// Returns the raw bits of an element.
    #[inline(always)]
    fn raw(element: Self::Word) -> u32 {
        let bits = element.bits();
        let low = bits & ((1 << Self::LOW) - 1);
        if Self::REFERENCES { low } else { low | bits >> (Self::Word::BITS - 1) << Self::LOW }
    }

    /// Returns the element with a symbol and raw bits. It reverses [`Self::symbol`] and
    /// [`Self::raw`], except for escapes.
    #[inline(always)]
    fn element(symbol: u8, first: u16, sign: u8, raw: u32) -> Self::Word {
        let head = u32::from(first) + u32::from(symbol & !SIGN);
        let magnitude = head << Self::LOW | raw & ((1 << Self::LOW) - 1);
        let sign = match Self::REFERENCES {
            true => u32::from(symbol ^ sign) >> 7,
            false => raw >> Self::LOW,
        };
        let top = Self::Word::BITS - 1;
        Self::Word::from_bits(sign << top | magnitude & ((1 << top) - 1))
    }
}

/// A shape with `LOW` bits of the mantissa that are not in the symbol.
pub(crate) struct Of<W, const LOW: u32, const REFERENCES: bool>(PhantomData<W>);

impl<W: Word, const LOW: u32, const REFERENCES: bool> Shape for Of<W, LOW, REFERENCES> {
    type Word = W;
    const LOW: u32 = LOW;
    const REFERENCES: bool = REFERENCES;
}

pub(crate) type F32<const REFERENCES: bool> = Of<u32, 20, REFERENCES>;
pub(crate) type BF16<const REFERENCES: bool> = Of<u16, 4, REFERENCES>;
pub(crate) type F16<const REFERENCES: bool> = Of<u16, 7, REFERENCES>;
/// Both formats of a byte.
pub(crate) type F8 = Of<u8, 0, false>;
