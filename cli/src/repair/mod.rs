//! Damaged files: recovering what can be decoded, and repairing what the original ZipNN damaged.

pub mod diagnosis;
pub mod examination;
pub mod inside_salvage;
pub mod resync;
pub mod rewrite;
pub mod rotation;
pub mod salvage;
pub mod samples;
#[cfg(test)]
mod tests;
