//! Compresses or decompresses all files of a directory.
//!
//! Every result is written under a temporary name, and renamed when it is complete. With `--rm`,
//! the source is removed after the result was written to the disk and compared with it. If a run is
//! killed, each file exists as source, as result, or as both. The next run continues, and where
//! both exist, compares them instead of compressing again. Without `--rm`, it skips a file if both
//! have the same modification time.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::fs::endpoint::Endpoint;
use crate::fs::selection::Selection;
use crate::fs::snapshot::Snapshot;
use crate::fs::temp;
use crate::fs::tree::{self, FoundFile, Tree};
use crate::job::batch::{self, BatchReport, Outcome, Task};
use crate::job::{FileSettings, Job, check, commit};
use crate::report::failure::Failure;
use crate::report::progress::TotalProgress;
use crate::report::units;

/// Maximum difference between the times of source and result if one is in whole seconds: some file
/// systems store only even seconds.
const COARSE: Duration = Duration::from_secs(2);
/// Maximum difference if both are finer: some file systems store steps of 100 nanoseconds.
const FINE: Duration = Duration::from_micros(1);

/// Processes all selected files of a directory, and returns the exit status.
pub fn run(job: Job<'_>, root: &Path, selection: &Selection) -> u8 {
    match try_run(job, root, selection) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}

fn try_run(job: Job<'_>, root: &Path, selection: &Selection) -> Result<u8, Failure> {
    let files = job.files();
    if files.delta.is_some() {
        return Err(check::base_for_directory(root));
    }
    if files.output.as_deref().is_some_and(|output| !output.is_dir()) {
        return Err(Failure::usage(root.display(), "is a directory, but --output is not")
            .hint("for a directory, --output must name an existing directory"));
    }
    let Tree { files: found, links, done, failures, .. } = tree::walk(root, selection);
    let lens: Vec<u64> = found.iter().map(|file| file.len).collect();
    let total = progress(&lens, files.quiet);
    let mut results = Results::default();
    let (first, second): (Vec<_>, Vec<_>) =
        found.iter().partition(|file| results.is_new(job, file));
    let [first, then] = job.stages(first, |file| &file.path);
    let mut report = BatchReport::default();
    // If two files have the same result, the second is compared with the result of the first, and
    // never overwrites it.
    let parts = [(first, false), (then, false), (second, true)];
    for (part, is_second) in parts {
        let tasks = part.into_iter().map(|file| {
            let destination = results.destination(job, file);
            task(job, file, destination, is_second, &total)
        });
        report.extend(batch::run(tasks.collect(), files.threads.count(), &total));
    }
    report.failures.extend(failures);
    if links > 0 {
        let verb = if links == 1 { "is" } else { "are" };
        let count = units::count(links as u64, "link");
        let hint = "not followed; use --hub for a model in the cache of the Hub";
        report.warnings.push(format!("zipnn: {}: {count} {verb} {hint}", root.display()));
    }
    let subject = Endpoint::Path(root.to_owned()).to_string();
    let mut summary = report.summary(&subject, job.direction(), &total);
    if let (Some(hint), true, 0, 0) = (selection.hint(), found.is_empty(), done.len(), links) {
        summary += &format!("; {hint}");
    }
    report.print(&summary, files.quiet)
}

fn task<'a>(
    job: Job<'a>,
    file: &'a FoundFile,
    destination: Result<PathBuf, Failure>,
    is_second: bool,
    total: &'a Arc<TotalProgress>,
) -> Task<'a> {
    let files = job.files();
    let run = move |threads| {
        let settings = FileSettings { threads, force: files.force && !is_second, rm: files.rm };
        let outcome = process_file(job, &file.path, &destination?, settings, total);
        match is_second {
            true => outcome.map_err(|failure| {
                failure
                    .hint("another file has the same result: name another directory with --output")
            }),
            false => outcome,
        }
    };
    Task { len: file.len, run: Box::new(run) }
}

/// Creates the progress display for files of these lengths.
pub fn progress(lens: &[u64], quiet: bool) -> Arc<TotalProgress> {
    TotalProgress::new(format!("0 of {} files", lens.len()), lens.iter().sum(), quiet)
}

/// Names and directories of results.
#[derive(Default)]
struct Results {
    /// Directories that exist, without abandoned temporary files.
    ready: HashSet<PathBuf>,
    /// Names of results, relative to the directory.
    names: HashSet<PathBuf>,
}

impl Results {
    /// Returns whether no earlier file has the same result: `X.safetensors` is the result of both
    /// `X.safetensors.znn` and `X.znn.safetensors`.
    fn is_new(&mut self, job: Job<'_>, file: &FoundFile) -> bool {
        job.rename(&file.relative).is_ok_and(|name| self.names.insert(name))
    }

    /// Returns the path of a result: beside its source, or at the same relative path in `--output`.
    fn destination(&mut self, job: Job<'_>, file: &FoundFile) -> Result<PathBuf, Failure> {
        let Some(output) = &job.files().output else { return job.rename(&file.path) };
        let destination = output.join(job.rename(&file.relative)?);
        if let Some(parent) = destination.parent()
            && self.ready.insert(parent.to_owned())
        {
            fs::create_dir_all(parent)
                .map_err(|error| Failure::writing(parent.display(), error))?;
            temp::remove_abandoned(parent);
        }
        Ok(destination)
    }
}

/// Processes one file, unless its result exists.
pub fn process_file(
    job: Job<'_>,
    source: &Path,
    destination: &Path,
    settings: FileSettings,
    total: &Arc<TotalProgress>,
) -> Result<Outcome, Failure> {
    // A dangling link counts as no result: the file is created at its target.
    let existing = fs::metadata(destination);
    if settings.force || existing.is_err() {
        return job.convert(source, destination, settings, total).map(Outcome::Done);
    }
    // A named pipe would wait for data when it is opened.
    if existing.is_ok_and(|existing| !existing.is_file()) {
        return Err(Failure::new(destination.display(), "already exists, and is not a file")
            .hint("remove it, or name another directory with --output"));
    }
    if !settings.rm && have_same_time(source, destination) {
        return Ok(Outcome::UpToDate);
    }
    let endpoint = Endpoint::Path(source.to_owned());
    let snapshot = Snapshot::new(&endpoint, fs::symlink_metadata(source).ok().as_ref());
    job.confirm(source, destination, settings)
        .map_err(|failure| other_result(destination, failure))?;
    if settings.rm {
        snapshot.ok_or_else(|| check::not_removable(source))?.check_removable()?;
        commit::remove_source(source, destination.display(), job.files())?;
    }
    Ok(Outcome::UpToDate)
}

/// Returns the error for an existing file that is not the result.
pub fn other_result(destination: &Path, failure: Failure) -> Failure {
    failure
        .because(destination.display(), "already exists, and is not the result of this file")
        .hint("use --force to overwrite it")
}

/// Returns whether one file is the result of the other, by their modification times. The tolerance
/// is short, so that a change soon afterwards is still detected.
fn have_same_time(one: &Path, other: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let is_whole = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0)
    };
    match (time(one), time(other)) {
        (Some(one), Some(other)) => {
            let apart = one.duration_since(other).or_else(|_| other.duration_since(one));
            let most = if is_whole(one) || is_whole(other) { COARSE } else { FINE };
            apart.is_ok_and(|apart| apart <= most)
        }
        _ => false,
    }
}
