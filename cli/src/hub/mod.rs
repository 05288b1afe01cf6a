//! `zipnn compress --hub MODEL` and `zipnn decompress --hub MODEL`: models in the cache of the
//! Hugging Face Hub, so that its library goes on accepting the cache.
//!
//! Compressed, a file `model.safetensors` of a revision is called `model.safetensors.znn`, and its
//! link leads to `blobs/HASH.znn`. Everything else stays as it is; so does what nobody links to,
//! whose name is unknown.

mod indexes;
mod layout;
mod pair;

use std::fs;
use std::path::Path;

use layout::Repository;

use crate::fs::names::{self, Direction};
use crate::fs::selection::{Purpose, Selection};
use crate::job::batch::{self, Outcome, Task};
use crate::job::{FileSettings, Job, directory};
use crate::report::failure::{self, Failure};

/// Works on a cached model, and returns the exit status.
pub fn run(job: Job<'_>, model: &str) -> u8 {
    match try_run(job, model) {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}

fn try_run(job: Job<'_>, model: &str) -> Result<u8, Failure> {
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
    let shared = pairs.iter().filter(|pair| repository.blob(&pair.source).is_symlink()).count();
    let mut loose = repository.scan().files;
    loose.retain(|file| is_selected(&file.path));

    let pair_lens = pairs.iter().map(|pair| length(&repository.blob(&pair.source)));
    let lens: Vec<u64> = pair_lens.chain(loose.iter().map(|file| file.len)).collect();
    let total = directory::progress(&lens, files.quiet);
    let (repository, total) = (&repository, &total);
    let replacing =
        pairs.iter().map(|pair| task(move |threads| pair.replace(job, repository, threads, total)));
    let moving = loose.iter().map(|file| {
        task(move |threads| {
            let settings = FileSettings { threads, force: files.force, rm: true };
            let destination = direction.rename(&file.path)?;
            directory::one(job, &file.path, &destination, settings, total)
        })
    });
    let tasks = replacing.chain(moving).zip(lens).map(|(run, len)| Task { len, run });
    let mut report = batch::run(tasks.collect(), files.threads.count(), total);
    report.failures.extend(indexes::rewrite_all(repository, direction));
    report.warnings.extend(compressed_on_the_hub.iter().map(|path| {
        let path = path.display();
        format!(
            "zipnn: {path}: the Hub has it compressed, so that it stays as it is; decompress \
                 it to another place with --output"
        )
    }));
    if shared > 0 {
        report.warnings.push(format!(
            "zipnn: {model}: data of {} still in the store that models share; \
             `hf cache prune` removes what no model needs",
            match shared {
                1 => "1 file is".to_owned(),
                _ => format!("{shared} files are"),
            }
        ));
    }
    let status = report.tell(&report.summary(model, direction, total), files.quiet)?;
    Ok(status.max(failure::report_all(selection.unmatched())))
}

/// Notes which patterns match a file of the model, done before or not.
fn note_matches(selection: &Selection, repository: &Repository) {
    let contents = repository.scan();
    let links = contents.links.into_values().flatten().map(|link| link.path);
    for path in links.chain(contents.files.into_iter().map(|file| file.path)) {
        let relative = repository.path_in_tree(&path);
        if selection.takes(&relative) || selection.has_taken(&relative) {
            selection.note(&relative);
        }
    }
}

type Run<'a> = Box<dyn FnOnce(usize) -> Result<Outcome, Failure> + Send + 'a>;

fn task<'a>(run: impl FnOnce(usize) -> Result<Outcome, Failure> + Send + 'a) -> Run<'a> {
    Box::new(run)
}

/// Length of a file in bytes, 0 if it is not there: that will be found out later.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
