//! Files that belong together.

pub mod index_file;
pub mod shards;
