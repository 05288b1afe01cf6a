//! Reports tests that were skipped, in whole or in part.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;

/// Environment variable that makes tests fail without the shared folder.
const REQUIRE_SHARED: &str = "ZIPNN_REQUIRE_SHARED";

/// Writes what a skipped test needs to standard error, even if test output is captured.
pub fn skipped(needs: impl Display) {
    let _ = writeln!(io::stderr(), "skipped: needs {needs}");
}

/// Returns a path in the shared folder beside the repository, or reports once that it is missing.
///
/// # Panics
///
/// If the path is missing and `ZIPNN_REQUIRE_SHARED` is set.
pub fn shared(path: &str) -> Option<PathBuf> {
    static REPORTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let shared = crate::common::root().join("../shared").join(path);
    if shared.exists() {
        return Some(shared);
    }
    let is_required = std::env::var_os(REQUIRE_SHARED).is_some();
    assert!(!is_required, "{} is missing, and {REQUIRE_SHARED} is set", shared.display());
    if REPORTED.lock().unwrap().insert(path.to_owned()) {
        skipped(shared.display());
    }
    None
}
