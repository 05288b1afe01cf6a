//! Output for the user: failures, progress, bars, tables and numbers.

pub mod bar;
pub mod failure;
pub mod progress;
pub mod table;
pub mod terminal;
pub mod units;
