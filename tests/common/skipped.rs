//! Reports tests that were skipped.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes what a skipped test needs to standard error, also where the output of tests is captured.
pub fn skipped(needs: impl Display) {
    let _ = writeln!(io::stderr(), "skipped: needs {needs}");
}
