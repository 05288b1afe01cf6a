//! Saving data from damaged files.

pub mod inside_salvage;
pub mod resync;
pub mod salvage;
