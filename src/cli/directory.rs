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

use super::batch::{self, Outcome, Report, Task};
use super::failure::Failure;
use super::index_file;
use super::interrupt;
use super::names::{self, Direction, Place};
use super::progress::Whole;
use super::selection::Selection;
use super::snapshot::Snapshot;
use super::tree::{self, Found, Tree};
use super::way::{self, Manner, Way};

/// How far times of the same file may be apart where one is of whole seconds: some file systems
/// count in pairs of them.
const COARSE: Duration = Duration::from_secs(2);
/// The same, where both are finer: some count in steps of a few hundred nanoseconds.
const FINE: Duration = Duration::from_micros(1);

/// Works on all files of a directory, and returns the exit status.
pub fn run(way: Way<'_>, root: &Path) -> u8 {
    match try_run(way, root) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}

fn try_run(way: Way<'_>, root: &Path) -> Result<u8, Failure> {
    let files = way.files();
    if files.delta.is_some() {
        return Err(Failure::usage(root.display(), "is a directory, and --delta is for one file")
            .hint("name the file that goes with the base"));
    }
    if files.output.as_deref().is_some_and(|output| !output.is_dir()) {
        return Err(Failure::usage(root.display(), "is a directory, and --output names none")
            .hint("for a directory, --output must name a directory that exists"));
    }
    let selection = Selection::new(way.direction(), &files.many)?;
    let Tree { files: found, indexes, links, failures } = tree::walk(root, &selection);
    let lens: Vec<u64> = found.iter().map(|file| file.len).collect();
    let whole = progress(&lens, files.quiet);
    let mut results = Results::default();
    let tasks = found.iter().map(|file| {
        let (whole, destination) = (&whole, results.place(way, file));
        Task {
            len: file.len,
            run: Box::new(move |threads| {
                let manner = Manner { threads, force: files.force, rm: files.rm };
                one(way, &file.path, &destination?, manner, whole)
            }),
        }
    });
    let mut report = batch::run(tasks.collect(), files.threads.count(), &whole);
    report.failures.extend(failures);
    if files.many.rewrite_index {
        rewrite_indexes(&indexes, way.direction(), &mut report);
    }
    if links > 0 && !files.quiet {
        let hint = "links are not followed; for a cache of the Hub there is --hub";
        report.warnings.push(format!("zipnn: {}: {links} {hint}", root.display()));
    }
    let summary = report.summary(&root.display().to_string(), way.direction(), &whole);
    report.tell(&summary, files.quiet)
}

/// Progress through files of these lengths.
pub fn progress(lens: &[u64], quiet: bool) -> Arc<Whole> {
    Whole::new(format!("0 of {} files", lens.len()), lens.iter().sum(), quiet)
}

/// Lets indexes name what is beside them.
pub fn rewrite_indexes(indexes: &[PathBuf], direction: Direction, report: &mut Report) {
    for index in indexes {
        if let Err(failure) = index_file::rewrite_file(index, direction) {
            report.failures.push(failure);
        }
    }
}

/// Where results go.
#[derive(Default)]
struct Results {
    /// Directories that are there, and in which nothing is abandoned.
    ready: HashSet<PathBuf>,
}

impl Results {
    /// Where the result of a file goes: beside it, or to the same place in another directory.
    fn place(&mut self, way: Way<'_>, file: &Found) -> Result<PathBuf, Failure> {
        let Some(output) = &way.files().output else { return way.direction().rename(&file.path) };
        let destination = output.join(way.direction().rename(&file.relative)?);
        if let Some(parent) = destination.parent()
            && self.ready.insert(parent.to_owned())
        {
            fs::create_dir_all(parent)
                .map_err(|error| Failure::writing(parent.display(), error))?;
            interrupt::remove_abandoned(parent);
        }
        Ok(destination)
    }
}

/// Works on one file, unless its result is there.
pub fn one(
    way: Way<'_>,
    source: &Path,
    destination: &Path,
    manner: Manner,
    whole: &Arc<Whole>,
) -> Result<Outcome, Failure> {
    // A link that leads to nothing is as good as no result: the file is made where it leads.
    if manner.force || fs::metadata(destination).is_err() {
        return way.transfer(source, destination, manner, whole).map(Outcome::Moved);
    }
    if !manner.rm && have_same_time(source, destination) {
        return Ok(Outcome::Ready);
    }
    let place = Place::Path(source.to_owned());
    let snapshot = Snapshot::new(&place, fs::symlink_metadata(source).ok().as_ref());
    way.confirm(source, destination, manner)
        .map_err(|failure| other_result(destination, failure))?;
    if manner.rm {
        snapshot.ok_or_else(|| names::not_removable(source))?.check_removable()?;
        way::remove_source(source, destination)?;
    }
    Ok(Outcome::Ready)
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
