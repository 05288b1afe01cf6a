//! Bases of differences: whole files, or parts of several files that the compressed file names.

pub mod content;
pub mod dependents;
pub mod file;
pub mod origin;
pub mod paths;
pub mod plan;
pub mod resolve;
