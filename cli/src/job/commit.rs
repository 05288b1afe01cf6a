//! What compressing and decompressing have in common around the coding.

use std::fmt;
use std::fs::{self, Metadata};
use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::time::Duration;

use crate::args::Files;
use crate::fs::endpoint::Endpoint;
use crate::fs::links;
use crate::fs::output::Output;
use crate::fs::snapshot::Snapshot;
use crate::fs::target::{self, Target};
use crate::job::check;
use crate::report::failure::{Failure, say};
use crate::report::units;

/// Refuses to write a file over one that is still needed, or to remove one without which the result
/// is worth nothing.
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
    Failure::new(source.display(), "is kept: what was written could not be verified")
        .hint("--rm needs a file as its output")
}

/// Explains that a command would read the file that it writes.
pub fn would_be_read_and_written(destination: &Endpoint) -> Failure {
    Failure::usage(destination, "would be read and written at once")
        .hint("name another place with --output")
}

/// What has become of a file.
#[derive(Debug)]
pub struct Stats {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Bytes of the uncompressed side.
    pub original: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// What the user should know of it all the same.
    pub warning: Option<String>,
}

/// A line about a result, for people.
pub fn summary(source: &Endpoint, destination: &Endpoint, stats: &Stats) -> String {
    format!(
        "{source} -> {destination}  {} -> {} ({}), {}",
        units::bytes(stats.read),
        units::bytes(stats.written),
        units::percent(stats.written, stats.read),
        units::rate(stats.original, stats.elapsed),
    )
}

/// Says on a terminal what has been done.
pub fn show(summary: &str, files: &Files) {
    if !files.quiet && stderr().is_terminal() {
        say(summary);
    }
}

/// Gives a result its name, and removes the source if that was asked for: once the result is on
/// the disk, and `compare(result, source)` has found nothing. Nothing is written if the source has
/// changed since `metadata` was read, when it was opened.
pub fn finish(
    mut output: Output,
    source: &Endpoint,
    metadata: Option<&Metadata>,
    files: &Files,
    compare: impl FnOnce(&Path, &Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let snapshot = Snapshot::new(source, metadata);
    snapshot.iter().try_for_each(Snapshot::check)?;
    let Some(source) = source.path().filter(|_| files.rm) else {
        return output.finish(metadata);
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
    let destination = output.endpoint().clone();
    output.finish(metadata)?;
    Output::sync_name(&destination);
    snapshot.check_removable()?;
    remove_source(source, &destination)
}

/// Removes a source whose result has been verified.
pub fn remove_source(source: &Path, result: impl fmt::Display) -> Result<(), Failure> {
    fs::remove_file(source).map_err(|error| {
        Failure::new(source.display(), format_args!("cannot be removed: {error}"))
            .hint(format_args!("its result {result} is complete and verified"))
    })
}

/// Gives the readable part of a file its name, and returns the failure that names the lost part. A
/// part never replaces its source.
pub fn keep(
    output: Output,
    metadata: Option<&Metadata>,
    files: &Files,
    failure: impl Fn(Option<&Endpoint>) -> Failure,
    is_empty: bool,
) -> Failure {
    if files.rm || files.many.hub.is_some() {
        return failure(None).hint(
            "only a complete result replaces its source: to save this part, decompress the file \
             without --rm or --hub",
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
                "fetch or copy the file once more to get the rest, and make sure that --delta names \
                 the file that it was made against"
            }
        }),
        Err(failure) => failure,
    }
}
