//! Output for the user: failures, progress, tables and numbers.

pub mod failure;
pub mod progress;
pub mod table;
pub mod units;
