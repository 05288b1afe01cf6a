//! The golden files: what they decode to, and that writing gives the same bytes.

#[path = "../common/mod.rs"]
mod common;

mod read;
mod write;
