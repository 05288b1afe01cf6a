//! Compresses and decompresses models in the cache of the Hugging Face Hub. The Hub's library still
//! accepts the cache.
//!
//! A compressed file `model.safetensors` of a revision becomes `model.safetensors.znn`, a link to
//! `blobs/HASH.znn`. Everything else stays unchanged, including blobs without links, whose names
//! are unknown.

mod indexes;
mod layout;
mod pair;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use layout::Repository;
use pair::Pair;

use crate::args::Compress;
use crate::base::plan::SetPlan;
use crate::fs::names::{self, Direction};
use crate::fs::selection::{Purpose, Selection};
use crate::job::batch::{self, Action, BatchReport, Outcome, Task};
use crate::job::{FileSettings, Job, directory};
use crate::report::failure::{self, Failure};
use crate::set::files::{Member, Set};
use crate::set::members;
use crate::set::plan;

/// Processes a cached model, and returns the exit status.
pub fn run(job: Job<'_>, model: &str) -> u8 {
    match try_run(job, model) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}

fn try_run(job: Job<'_>, model: &str) -> Result<u8, Failure> {
    let mut planned;
    let mut job = job;
    let files = job.files();
    let direction = job.direction();
    let purpose = Purpose::Change(direction);
    let selection = Selection::new(purpose, &files.many.patterns, files.many.hidden)?;
    let repository = Repository::find(model, files.many.cache.as_deref())?;
    let _lock = repository.lock()?;
    repository.remove_abandoned();
    let wrong = indexes::check_all(&repository);
    if !wrong.is_empty() {
        return Ok(failure::report_all(wrong));
    }
    let compressed_on_the_hub = match direction {
        Direction::Compress => Vec::new(),
        Direction::Decompress => pair::adopt(&repository)?,
    };
    let is_selected =
        |path: &Path| selection.takes(&repository.path_in_tree(path)) && !names::is_index(path);
    note_matches(&selection, &repository);
    let pairs = pair::plan(direction, &repository, |link| is_selected(&link.path));
    if let Job::Compress(arguments) = job
        && arguments.is_set()
    {
        planned = arguments.clone();
        planned.plan = Arc::new(plan_of(arguments, &repository, &pairs)?);
        job = Job::Compress(&planned);
    }
    let shared = pairs.iter().filter(|pair| repository.blob(&pair.source).is_symlink()).count();
    let mut loose = repository.scan().files;
    loose.retain(|file| is_selected(&file.path));

    let pair_len = |pair: &Pair| length(&repository.blob(&pair.source));
    let pair_lens = pairs.iter().map(pair_len);
    let lens: Vec<u64> = pair_lens.chain(loose.iter().map(|file| file.len)).collect();
    let total = directory::progress(&lens, files.quiet);
    let (repository, total) = (&repository, &total);
    let mut report = BatchReport::default();
    for pairs in stages(job, repository, pairs) {
        let replacing = pairs.iter().map(|pair| {
            let run = action(move |threads| pair.replace(job, repository, threads, total));
            Task { len: pair_len(pair), run }
        });
        report.extend(batch::run(replacing.collect(), files.threads.count(), total));
    }
    let moving = loose.iter().map(|file| {
        let run = action(move |threads| {
            let settings = FileSettings { threads, force: files.force, rm: true };
            let destination = direction.rename(&file.path)?;
            directory::process_file(job, &file.path, &destination, settings, total)
        });
        Task { len: file.len, run }
    });
    report.extend(batch::run(moving.collect(), files.threads.count(), total));
    report.failures.extend(indexes::rewrite_all(repository, direction));
    report.warnings.extend(compressed_on_the_hub.iter().map(|path| {
        let path = path.display();
        format!(
            "zipnn: {path}: is compressed on the Hub, and stays unchanged; decompress it \
                 without --hub, and name the result with --output"
        )
    }));
    if shared > 0 {
        report.warnings.push(format!(
            "zipnn: {model}: data of {} still in the store that models share; \
             `hf cache prune` removes unused data",
            match shared {
                1 => "1 file is".to_owned(),
                _ => format!("{shared} files are"),
            }
        ));
    }
    let status = report.print(&report.summary(model, direction, total), files.quiet)?;
    Ok(status.max(failure::report_all(selection.unmatched())))
}

/// Divides blobs into those to process first, and the others.
fn stages(job: Job<'_>, repository: &Repository, pairs: Vec<Pair>) -> [Vec<Pair>; 2] {
    let pairs = pairs.into_iter().map(|pair| (repository.blob(&pair.source), pair)).collect();
    job.stages(pairs, |(path, _): &(PathBuf, Pair)| path)
        .map(|stage| stage.into_iter().map(|(_, pair)| pair).collect())
}

/// Decides which blobs are stored as differences: to blobs of any revision, and to `--base`.
fn plan_of(
    arguments: &Compress,
    repository: &Repository,
    pairs: &[Pair],
) -> Result<SetPlan, Failure> {
    let member = |pair: &Pair| Member {
        path: repository.blob(&pair.source),
        result: repository.blob(&pair.result),
    };
    let mut bases = members::bases(&arguments.files)?;
    if arguments.dedup {
        let blobs = repository.scan().links.into_keys();
        bases.extend(blobs.filter_map(|blob| members::whole(&repository.blob(&blob))));
    }
    plan::plan(&Set {
        members: pairs.iter().map(member).collect(),
        bases,
        is_deduplicated: arguments.dedup,
        replaces: arguments.files.force,
    })
}

/// Records which patterns match files of the model, processed before or not.
fn note_matches(selection: &Selection, repository: &Repository) {
    let contents = repository.scan();
    let links = contents.links.into_values().flatten().map(|link| link.path);
    for path in links.chain(contents.files.into_iter().map(|file| file.path)) {
        let relative = repository.path_in_tree(&path);
        if selection.takes(&relative) || selection.is_result(&relative) {
            selection.note(&relative);
        }
    }
}

fn action<'a>(run: impl FnOnce(usize) -> Result<Outcome, Failure> + Send + 'a) -> Action<'a> {
    Box::new(run)
}

/// Returns the length of a file in bytes; 0 if it does not exist, which is reported later.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
