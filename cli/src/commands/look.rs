//! Commands that only read, on files and on whole directories.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::args::Search;
use crate::fs::endpoint::Endpoint;
use crate::fs::selection::{Purpose, Selection};
use crate::fs::tree;
use crate::report::failure::Failure;
use crate::report::units;

/// A command that reads files and writes none.
pub struct Look<'a> {
    /// Which files of directories it reads.
    pub purpose: Purpose,
    pub search: &'a Search,
    /// The participle of a directory's summary, such as `sound`; no summary without it.
    pub participle: Option<&'a str>,
}

impl Look<'_> {
    /// Runs the command on files, and on the selected files of directories, one after the other.
    /// Carries on after a failure, and returns the worst exit status.
    pub fn at_each(
        &self,
        inputs: &[PathBuf],
        run: impl Fn(&Endpoint) -> Result<(), Failure>,
    ) -> u8 {
        let Search { patterns, hidden } = self.search;
        let selection = match Selection::new(self.purpose, patterns, *hidden) {
            Ok(selection) => selection,
            Err(failure) => return failure.report(),
        };
        let run = |endpoint: &Endpoint| crate::status(run(endpoint));
        let look = |input: &PathBuf| match Endpoint::new(input) {
            Endpoint::Path(path) if path.is_dir() => self.at_all_in(&path, &selection, run),
            endpoint => run(&endpoint),
        };
        let worst = inputs.iter().map(look).max().unwrap_or_default();
        worst.max(crate::report_unmatched(&selection, inputs))
    }

    fn at_all_in(&self, root: &Path, selection: &Selection, run: impl Fn(&Endpoint) -> u8) -> u8 {
        let tree = tree::walk(root, selection);
        let mut worst = tree.failures.iter().map(Failure::report).max().unwrap_or_default();
        let count = tree.files.len();
        let mut failed = 0;
        for file in tree.files {
            let status = run(&Endpoint::Path(file.path));
            if status == Failure::BROKEN_PIPE {
                return status;
            }
            failed += usize::from(status > 0);
            worst = worst.max(status);
        }
        let root = Endpoint::Path(root.to_owned());
        if let (Some(hint), 0, 0) = (selection.hint(), count, worst) {
            return Failure::new(root, "has nothing to look at").hint(hint).report();
        }
        worst.max(crate::status(self.sum_up(&root, count, failed)))
    }

    fn sum_up(&self, root: &Endpoint, count: usize, failed: usize) -> Result<(), Failure> {
        let Some(participle) = self.participle else { return Ok(()) };
        let all = units::count(count as u64, "file");
        let summary = match failed {
            0 => format!("{root}: {all} {participle}"),
            _ => format!("{root}: {} of {all} {participle}, {failed} failed", count - failed),
        };
        writeln!(io::stdout(), "{summary}").map_err(|error| Failure::writing("-", error))
    }
}
