//! Sets of files: which files are stored as differences to others, and the shards and indexes of a
//! model.

pub mod anchors;
pub mod contents;
pub mod costs;
pub mod files;
pub mod index_file;
pub mod matching;
pub mod members;
pub mod plan;
pub mod shards;
