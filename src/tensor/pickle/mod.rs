//! The tensors in a pickle that PyTorch writes.
//!
//! A pickle is a program for a stack machine that builds Python objects. This reader runs the
//! instructions that PyTorch and Python's own pickler emit, but calls no functions: it recognises
//! those that rebuild tensors, and ignores all others.

mod machine;
mod node;
mod opcodes;
mod walk;

use alloc::string::String;
use alloc::vec::Vec;

use crate::tensor::error::MetadataError;
use crate::tensor::pickle::machine::Machine;

/// Longest pickle to read, in bytes. Each tensor takes about 100.
pub(crate) const MAX_LEN: u64 = 8 << 20;

/// A tensor in a pickle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pickled {
    /// Keys and numbers that lead to the tensor, joined by dots.
    pub(crate) name: String,
    /// Name of the file that stores the elements.
    pub(crate) key: String,
    /// Type by its name in safetensors files.
    pub(crate) dtype: &'static str,
    /// Length of an element in bytes.
    pub(crate) element_len: u64,
    /// Number of elements before the first.
    pub(crate) offset: u64,
    pub(crate) shape: Vec<u64>,
    /// Whether the elements follow one another, outermost dimension first.
    pub(crate) is_contiguous: bool,
}

/// Returns all tensors in a pickle, in the order of their names.
pub(crate) fn tensors(pickle: &[u8]) -> Result<Vec<Pickled>, MetadataError> {
    let invalid = |reason: &'static str| MetadataError::InvalidHeader { reason: reason.into() };
    let machine = Machine::run(pickle).map_err(invalid)?;
    walk::tensors(&machine).map_err(invalid)
}

#[cfg(test)]
mod tests;
