//! Finds the layout with which data compresses best, estimated from samples.
//!
//! Sampling takes far less time than compressing. For data of a declared type, [`layout`] detects
//! data that does not match the type, for example 16-bit integers in a tensor of bytes. For data of
//! an unknown type, [`segments`] finds the layout of every part and where the elements of each part
//! begin.
//!
//! The size of a compressed plane is estimated by the entropy of its bytes, corrected for two
//! limits of a Huffman code: every symbol takes at least one bit, and a plane that hardly shrinks
//! is stored raw. The entropy of a sample is lower than the entropy of its source. The correction
//! for this bias is Miller's ("Note on the bias of information estimates", in "Information Theory
//! in Psychology", 1955), with the number of symbols estimated as by Chao ("Nonparametric
//! estimation of the number of classes in a population", Scandinavian Journal of Statistics 11,
//! 1984).

mod candidate;
mod declared;
mod entropy;
mod facts;
mod path;
mod sample;
mod windows;

pub use declared::layout;
pub use path::{Segment, segments};
