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

/// Memory of 256 KiB for [`Pairs`], which is allocated when it is needed for the second time.
///
/// New memory costs more time than a single plane saves.
#[derive(Default)]
pub(crate) struct PairTable {
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    was_needed: bool,
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    pairs: Option<Box<Pairs>>,
}

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
impl PairTable {
    /// Returns the memory, which keeps its contents from the last use; `None` at the first call.
    pub(super) fn pairs(&mut self) -> Option<&mut Pairs> {
        if !core::mem::replace(&mut self.was_needed, true) {
            return None;
        }
        if self.pairs.is_none() {
            self.pairs = vec![0; SYMBOLS * SYMBOLS].into_boxed_slice().try_into().ok();
        }
        self.pairs.as_deref_mut()
    }

    /// Returns memory that was needed once.
    #[cfg(test)]
    pub(super) fn needed() -> Self {
        Self { was_needed: true, pairs: None }
    }
}
