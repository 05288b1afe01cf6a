//! The tensors in a pickle that PyTorch writes.
//!
//! A pickle is a program for a stack machine that builds Python objects. This reader runs the
//! instructions that PyTorch and Python's own pickler emit, but calls no functions: it recognises
//! those that rebuild tensors, and ignores all others.

mod machine;
mod node;
mod opcodes;
mod walk;

pub(crate) use node::Pickled;
pub(crate) use walk::{MAX_LEN, tensors};

#[cfg(test)]
mod tests;
