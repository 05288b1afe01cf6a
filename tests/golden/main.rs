//! Golden files decode to the expected data, and compressing that gives the expected bytes.

#[path = "../common/mod.rs"]
mod common;

mod read;
mod write;
