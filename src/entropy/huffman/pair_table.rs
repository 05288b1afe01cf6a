//! Memory for the codewords of all pairs of symbols.

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use alloc::boxed::Box;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use alloc::vec;

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::SYMBOLS;

/// An entry for each pair of symbols, by the first symbol plus 256 times the second.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
pub(crate) type Pairs = [u32; SYMBOLS * SYMBOLS];

/// Memory of 256 KiB for [`Pairs`], which is allocated when it is first needed.
#[derive(Default)]
pub(crate) struct PairTable {
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    pairs: Option<Box<Pairs>>,
}

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
impl PairTable {
    /// Returns the memory, whose contents are those of the last use.
    pub(super) fn pairs(&mut self) -> &mut Pairs {
        self.pairs.get_or_insert_with(|| {
            let pairs = vec![0; SYMBOLS * SYMBOLS].into_boxed_slice();
            pairs.try_into().unwrap_or_else(|_| unreachable!("the lengths are the same"))
        })
    }
}
