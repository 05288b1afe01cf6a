//! `zipnn compress DIR` and `zipnn decompress DIR`.
//!
//! Every result is written under a name of its own, and gets its name when it is complete. With
//! `--rm` its source goes once the result is on the disk and has been compared with it. So whenever
//! a run is killed, each file is as it was, or done, or both are there; and the next run goes on:
//! where both are there, it compares them instead of compressing once more. Without `--rm`,
//! equal times are enough.

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

/// How far times of the same file may be apart where one is of whole seconds: some file systems
/// count in pairs of them.
const COARSE: Duration = Duration::from_secs(2);
/// The same, where both are finer: some count in steps of a few hundred nanoseconds.
const FINE: Duration = Duration::from_micros(1);

/// Works on all selected files of a directory, and returns the exit status.
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
        return Err(Failure::usage(root.display(), "is a directory, and --output names none")
            .hint("for a directory, --output must name a directory that exists"));
    }
    let Tree { files: found, links, done, failures, .. } = tree::walk(root, selection);
    let lens: Vec<u64> = found.iter().map(|file| file.len).collect();
    let total = progress(&lens, files.quiet);
    let mut results = Results::default();
    let (first, second): (Vec<_>, Vec<_>) =
        found.iter().partition(|file| results.is_new(job, file));
    let mut report = BatchReport::default();
    // Where two become the same file, the second is compared with what the first became, and never
    // overwrites it.
    for (part, is_second) in [(first, false), (second, true)] {
        let tasks = part.into_iter().map(|file| {
            let destination = results.destination(job, file);
            task(job, file, destination, is_second, &total)
        });
        report.extend(batch::run(tasks.collect(), files.threads.count(), &total));
    }
    report.failures.extend(failures);
    if links > 0 {
        let hint = "links are not followed; for a cache of the Hub there is --hub";
        report.warnings.push(format!("zipnn: {}: {links} {hint}", root.display()));
    }
    let subject = Endpoint::Path(root.to_owned()).to_string();
    let mut summary = report.summary(&subject, job.direction(), &total);
    if let (Some(hint), true, 0, 0) = (selection.hint(), found.is_empty(), done, links) {
        summary += &format!("; {hint}");
    }
    report.tell(&summary, files.quiet)
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
        let outcome = one(job, &file.path, &destination?, settings, total);
        match is_second {
            true => outcome.map_err(|failure| {
                failure.hint("another file becomes it: name a different place with --output")
            }),
            false => outcome,
        }
    };
    Task { len: file.len, run: Box::new(run) }
}

/// Progress through files of these lengths.
pub fn progress(lens: &[u64], quiet: bool) -> Arc<TotalProgress> {
    TotalProgress::new(format!("0 of {} files", lens.len()), lens.iter().sum(), quiet)
}

/// Where results go.
#[derive(Default)]
struct Results {
    /// Directories that are there, and in which nothing is abandoned.
    ready: HashSet<PathBuf>,
    /// Names that results have, from the directory on.
    names: HashSet<PathBuf>,
}

impl Results {
    /// Returns whether no other file before this one becomes the same: `X.safetensors` comes both
    /// from `X.safetensors.znn` and from `X.znn.safetensors`.
    fn is_new(&mut self, job: Job<'_>, file: &FoundFile) -> bool {
        job.rename(&file.relative).is_ok_and(|name| self.names.insert(name))
    }

    /// Where the result of a file goes: beside it, or to the same place in another directory.
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

/// Works on one file, unless its result is there.
pub fn one(
    job: Job<'_>,
    source: &Path,
    destination: &Path,
    settings: FileSettings,
    total: &Arc<TotalProgress>,
) -> Result<Outcome, Failure> {
    // A link that leads to nothing is as good as no result: the file is made where it leads.
    let there = fs::metadata(destination);
    if settings.force || there.is_err() {
        return job.convert(source, destination, settings, total).map(Outcome::Done);
    }
    // A named pipe would wait for data when it is opened.
    if there.is_ok_and(|there| !there.is_file()) {
        return Err(Failure::new(destination.display(), "exists already, and is not a file")
            .hint("remove it, or name another place with --output"));
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
        commit::remove_source(source, destination.display())?;
    }
    Ok(Outcome::UpToDate)
}

/// What is said of a file that is there and is not the result.
pub fn other_result(destination: &Path, failure: Failure) -> Failure {
    failure
        .because(destination.display(), "exists already, and is not what it would become")
        .hint("use --force to overwrite it")
}

/// Whether one of the files has been made from the other, going by the time that was passed on. One
/// that was changed at once after that must not pass for the same.
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
