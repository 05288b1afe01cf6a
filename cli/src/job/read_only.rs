//! Commands that only read: running them on files and on whole directories.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::args::Search;
use crate::fs::endpoint::Endpoint;
use crate::fs::selection::{Purpose, Selection};
use crate::fs::tree;
use crate::report::failure::{self, Failure};
use crate::report::units;

/// A command that reads files and writes none.
pub struct ReadOnly<'a> {
    /// The files of directories that the command reads.
    pub purpose: Purpose,
    pub search: &'a Search,
    /// The participle in the summary of a directory, such as `sound`. `None` turns the summary off.
    pub participle: Option<&'a str>,
}

impl ReadOnly<'_> {
    /// Runs the command on files, and on the selected files of directories, one after the other.
    /// `run` returns the exit status for a file.
    ///
    /// Continues after a failure, and returns the worst exit status.
    pub fn for_each(&self, inputs: &[PathBuf], run: impl Fn(&Endpoint) -> u8) -> u8 {
        let Search { patterns, hidden } = self.search;
        let selection = match Selection::new(self.purpose, patterns, *hidden) {
            Ok(selection) => selection,
            Err(failure) => return failure.report(),
        };
        let run_input = |input: &PathBuf| match Endpoint::new(input) {
            Endpoint::Path(path) if path.is_dir() => {
                self.for_each_in_directory(&path, &selection, &run)
            }
            source => run(&source),
        };
        let worst = inputs.iter().map(run_input).max().unwrap_or_default();
        worst.max(selection.report_unmatched(inputs))
    }

    fn for_each_in_directory(
        &self,
        root: &Path,
        selection: &Selection,
        run: impl Fn(&Endpoint) -> u8,
    ) -> u8 {
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
            return Failure::new(root, "has no files to read").hint(hint).report();
        }
        worst.max(failure::status(self.write_summary(&root, count, failed)))
    }

    fn write_summary(&self, root: &Endpoint, count: usize, failed: usize) -> Result<(), Failure> {
        let Some(participle) = self.participle else { return Ok(()) };
        let all = units::count(count as u64, "file");
        let summary = match failed {
            0 => format!("{root}: {all} {participle}"),
            _ => format!("{root}: {} of {all} {participle}, {failed} failed", count - failed),
        };
        writeln!(io::stdout(), "{summary}").map_err(|error| Failure::writing("-", error))
    }
}
