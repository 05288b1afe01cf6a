//! Finishes a result: checks paths, verifies and names the result, and removes the source.

use std::fmt;
use std::fs::{self, Metadata};
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::Files;
use crate::fs::endpoint::Endpoint;
use crate::fs::links;
use crate::fs::output::Output;
use crate::fs::snapshot::Snapshot;
use crate::fs::target::{self, Target};
use crate::job::check;
use crate::report::failure::{Failure, say};
use crate::report::{terminal, units};

/// Returns an error if writing `destination` would overwrite the source or the base, if the source
/// is its own base, or if `--rm` could not verify the result.
pub fn check(source: &Endpoint, destination: &Endpoint, files: &Files) -> Result<(), Failure> {
    if let (Some(source), Some(base)) = (source.path(), files.delta.as_deref())
        && links::is_same_file(source, base)
    {
        return Err(Failure::usage(source.display(), "cannot be its own base")
            .hint("name another file with --delta, or leave it out"));
    }
    if let Some(source) = source.path()
        && files.rm
        && matches!(Target::of(destination), Ok(Target::Standard | Target::Stream(_)))
    {
        return Err(cannot_be_verified(source));
    }
    let base = files.delta.clone().map(Endpoint::Path);
    if [Some(source), base.as_ref()]
        .into_iter()
        .flatten()
        .any(|needed| target::is_source(needed, destination))
    {
        return Err(would_be_read_and_written(destination));
    }
    Ok(())
}

fn cannot_be_verified(source: &Path) -> Failure {
    Failure::new(source.display(), "is kept, because its result cannot be verified")
        .hint("--rm needs a regular file as output")
}

/// Returns an error if a result would replace a compressed file with other content that a file of
/// this run needs as its base.
pub fn check_replaced(source: &Endpoint, result: &Endpoint, files: &Files) -> Result<(), Failure> {
    let (Some(source), Some(path)) = (source.path(), result.path()) else { return Ok(()) };
    if !files.force || !path.is_file() || !source.is_file() {
        return Ok(());
    }
    match files.dependents.first_to_lose(path, source, places(files)) {
        Some(dependent) => Err(Failure::new(
            result,
            format_args!("is not replaced, because {} is a difference to it", dependent.display()),
        )
        .hint("`zipnn flatten` makes the other file independent")),
        None => Ok(()),
    }
}

/// Returns where differences to the files of a run may be.
fn places(files: &Files) -> impl Iterator<Item = &Path> {
    files.inputs.iter().chain(&files.base).chain(&files.output).map(PathBuf::as_path)
}

/// Returns the error for a command that would write the file that it reads.
pub fn would_be_read_and_written(destination: &Endpoint) -> Failure {
    Failure::usage(destination, "would be read and written at the same time")
        .hint("name another file with --output")
}

/// Statistics about a processed file.
#[derive(Debug)]
pub struct Stats {
    /// Number of bytes read.
    pub read: u64,
    /// Number of bytes written.
    pub written: u64,
    /// Number of uncompressed bytes, of which one of the others is the compressed form.
    pub original: u64,
    /// Duration without verification.
    pub elapsed: Duration,
    /// A line for the user about the processed file.
    pub warning: Option<String>,
}

/// Returns a line about a result.
pub fn summary(source: &Endpoint, destination: &Endpoint, stats: &Stats) -> String {
    let arrow = terminal::arrow();
    let (read, written) = (units::bytes(stats.read), units::bytes(stats.written));
    format!(
        "{source} {arrow} {destination}  {read} {arrow} {written} ({}), {}",
        percent(stats.read, stats.written, stats.original),
        units::rate(stats.original, stats.elapsed),
    )
}

/// Returns the share that compressed bytes are of `original` uncompressed ones. Either were read, and
/// the others written.
pub fn percent(read: u64, written: u64, original: u64) -> String {
    let compressed = if read == original { written } else { read };
    units::percent(compressed, original)
}

/// Prints a summary, if standard error is a terminal.
pub fn show(summary: &str, files: &Files) {
    if !files.quiet && stderr().is_terminal() {
        say(summary);
    }
}

/// Gives a result its name. With `--rm`, first writes the result to the disk and verifies it with
/// `compare(result, source)`, and then removes the source.
///
/// Writes nothing if the source changed since it was opened, when `metadata` was read.
pub fn finish(
    mut output: Output,
    source: &Endpoint,
    metadata: Option<&Metadata>,
    files: &Files,
    compare: impl FnOnce(&Path, &Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let snapshot = Snapshot::new(source, metadata);
    snapshot.iter().try_for_each(Snapshot::check)?;
    let destination = output.endpoint().clone();
    let note = || destination.path().into_iter().for_each(|path| files.dependents.note(path));
    let Some(source) = source.path().filter(|_| files.rm) else {
        return output.finish(metadata).map(|()| note());
    };
    let Some(unfinished) = output.unfinished_path().map(Path::to_owned) else {
        return Err(cannot_be_verified(source));
    };
    let Some(snapshot) = snapshot else { return Err(check::not_removable(source)) };
    output.sync()?;
    if let Err(failure) = compare(&unfinished, source) {
        snapshot.check()?;
        return Err(failure.unverified(source.display()));
    }
    snapshot.check()?;
    output.finish(metadata)?;
    note();
    Output::sync_name(&destination);
    snapshot.check_removable()?;
    remove_source(source, &destination, files)
}

/// Removes a source whose result has been verified, unless a file of this run needs it as its base.
pub fn remove_source(
    source: &Path,
    result: impl fmt::Display,
    files: &Files,
) -> Result<(), Failure> {
    if let Some(dependent) = files.dependents.first(source, places(files)) {
        let message = format!("is kept, because {} is a difference to it", dependent.display());
        return Err(Failure::new(source.display(), message).hint(format_args!(
            "its result {result} is complete and verified; `zipnn flatten` makes the other file \
             independent"
        )));
    }
    fs::remove_file(source).map_err(|error| {
        Failure::new(source.display(), format_args!("cannot be removed: {error}"))
            .hint(format_args!("its result {result} is complete and verified"))
    })
}

/// Gives a partial result its name, and returns the failure that names the lost part. A partial
/// result never replaces its source.
pub fn keep_partial(
    output: Output,
    metadata: Option<&Metadata>,
    files: &Files,
    failure: impl Fn(Option<&Endpoint>) -> Failure,
    is_empty: bool,
) -> Failure {
    if files.rm || files.many.hub.is_some() {
        return failure(None).hint(
            "only a complete result replaces its source: decompress the file without --rm or --hub \
             to keep the recovered part",
        );
    }
    if is_empty {
        return failure(None).hint("fetch or copy the file once more");
    }
    let destination = output.endpoint().clone();
    match output.finish_partial(metadata) {
        Ok(()) => failure(Some(&destination)).hint(match files.delta {
            None => "fetch or copy the file once more to get the rest",
            Some(_) => {
                "fetch or copy the file once more to get the rest, and check that --delta names the \
                 right base"
            }
        }),
        Err(failure) => failure,
    }
}
