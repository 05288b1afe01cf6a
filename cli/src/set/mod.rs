//! Files that name others: the shards of a model, and their indexes.

pub mod index_file;
pub mod shards;
