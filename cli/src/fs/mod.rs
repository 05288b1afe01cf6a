//! Files: inputs, outputs that appear complete or not at all, and the files of directories.

pub mod endpoint;
pub mod input;
pub mod links;
pub mod names;
pub mod output;
pub mod rights;
pub mod selection;
pub mod snapshot;
pub mod sparse;
pub mod standard;
pub mod target;
pub mod temp;
pub mod tree;
