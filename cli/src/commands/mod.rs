//! The commands, one file each.

pub mod bench;
pub mod cat;
pub mod compress;
pub mod decompress;
pub mod direction;
pub mod directory;
pub mod info;
pub mod look;
pub mod ls;
pub mod verify;
