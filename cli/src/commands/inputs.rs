//! The inputs of `compress` and `decompress`: files, directories, or a model in a cache.

use std::path::PathBuf;

use crate::fs::endpoint::Endpoint;
use crate::fs::selection::Selection;
use crate::hub;
use crate::job::{Job, check, directory};
use crate::report::failure::{self, Failure};
use crate::set::shards::Indexes;

/// Processes all inputs of a job one after the other, files with `run`. Returns the exit status.
pub fn run(job: Job<'_>, run: impl Fn(&Endpoint) -> Result<(), Failure>) -> u8 {
    let files = job.files();
    if let Some(model) = &files.many.hub {
        return hub::run(job, model);
    }
    match selection(job) {
        Ok(selection) => run_with_indexes(job, &selection, run),
        Err(failure) => failure.report(),
    }
}

/// Checks the arguments, and returns which files of directories are processed.
pub fn selection(job: Job<'_>) -> Result<Selection, Failure> {
    let files = job.files();
    check::check(files, job.direction())?;
    Selection::new(job.purpose(), &files.many.patterns, files.many.hidden)
}

/// Processes files and directories, then writes the new names into indexes.
fn run_with_indexes(
    job: Job<'_>,
    selection: &Selection,
    run: impl Fn(&Endpoint) -> Result<(), Failure>,
) -> u8 {
    let files = job.files();
    let indexes = match files.many.rewrite_index {
        true => match Indexes::find(job, selection) {
            Ok(indexes) => indexes,
            Err(failures) => return failure::report_all(failures),
        },
        false => Indexes::default(),
    };
    let run = |input: &PathBuf| match Endpoint::new(input) {
        Endpoint::Path(path) if path.is_dir() => directory::run(job, &path, selection),
        endpoint => failure::status(run(&endpoint)),
    };
    // Continues after a failure, and remembers the worst.
    let worst = files.inputs.iter().map(run).max().unwrap_or_default();
    worst
        .max(failure::report_all(indexes.rewrite(job, worst == 0)))
        .max(selection.report_unmatched(&files.inputs))
}
