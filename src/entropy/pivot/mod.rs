//! The pivot coder of planes: the codewords of Huffman, with their bits sorted by place in the tree.
//!
//! A decoder of Huffman codes handles symbols one after another, because a codeword's length decides
//! where the next one begins. Here, each node of the code's tree stores one bit for every symbol
//! that reaches it, so that a decoder merges whole arrays of symbols, node by node and from the
//! leaves to the root, with vector instructions that move bytes. The idea is that of PivCo-Huffman
//! (arXiv 2606.05765).
//!
//! A coded plane is the description of a code, as for Huffman codes, and the bits of the
//! [elements](tree::Element) of its tree. `docs/FORMAT.md` specifies both.
//!
//! # Glossary
//!
//! * *element*: a leaf or a node of the tree. Elements are numbered level by level.
//! * *leaf*: 2^*k* symbols whose codewords have the same length. A symbol takes *k* more bits there.
//! * *node*: an element with two children, of which a bit selects one.
//! * *level*: the elements at the same distance from the root.
//! * *population* of an element: the number of symbols of the plane that reach it.
//! * *array* of an element: the symbols that reach it, in their order in the plane.

mod arrays;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
mod avx512;
pub(crate) mod decode;
#[cfg(feature = "alloc")]
pub(crate) mod encode;
mod layout;
mod merge;
mod one_by_one;
mod scalar;
mod shuffle;
#[cfg(feature = "alloc")]
mod split;
pub(crate) mod tree;

#[cfg(all(test, feature = "alloc"))]
mod tests;
