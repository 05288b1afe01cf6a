//! Helpers of several test programs.
#![allow(dead_code, reason = "no program of tests uses everything")]

pub mod data;
pub mod golden;
pub mod skipped;

use std::path::Path;

/// Returns the folder of the repository.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_root = |folder: &&Path| folder.join("tests/data").is_dir();
    package.ancestors().find(is_root).expect("the repository holds tests/data")
}
