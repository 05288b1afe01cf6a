//! `zipnn compress`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::args::Compress;
use crate::base::plan::SetPlan;
use crate::base::resolve;
use crate::commands::inputs;
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{self, Direction, Scope};
use crate::fs::selection::{Purpose, Selection};
use crate::fs::tree::{self, Tree};
use crate::job::destination::destination;
use crate::job::{Job, commit, compress, inside};
use crate::report::failure::Failure;
use crate::report::progress::Progress;
use crate::set::plan;

/// Compresses all inputs, and returns the exit status.
pub fn run(arguments: &Compress) -> u8 {
    let mut arguments = arguments.clone();
    if arguments.dedup || !arguments.files.base.is_empty() {
        match plan_of(&arguments) {
            Ok(plan) => arguments.plan = Arc::new(plan),
            Err(failure) => return failure.report(),
        }
    }
    inputs::run(Job::Compress(&arguments), |source| compress_file(source, &arguments))
}

/// Decides which inputs are stored as differences.
fn plan_of(arguments: &Compress) -> Result<SetPlan, Failure> {
    let files = &arguments.files;
    let selection = inputs::selection(Job::Compress(arguments))?;
    let everything = Selection::new(Purpose::Change(Direction::Compress), &[], files.many.hidden)?;
    let mut set = Members::default();
    files.inputs.iter().for_each(|input| set.add(input, &selection));
    let mut bases = Members::default();
    files.base.iter().for_each(|base| bases.add(base, &everything));
    let mut wholes = bases.files;
    wholes.extend(bases.wholes);
    if arguments.dedup {
        wholes.extend(set.wholes);
    }
    plan::plan(&set.files, &wholes, arguments.dedup)
}

/// Uncompressed names of the files of directories.
#[derive(Default)]
struct Members {
    /// Files that are not compressed.
    files: Vec<PathBuf>,
    /// Files of which only a compressed form exists, which is not a difference.
    wholes: Vec<PathBuf>,
}

impl Members {
    /// Adds a file, or the files of a directory.
    fn add(&mut self, path: &Path, selection: &Selection) {
        if !path.is_dir() {
            if path.is_file() {
                self.add_file(path);
            }
            return;
        }
        let Tree { files, done, .. } = tree::walk(path, selection);
        self.files.extend(files.into_iter().map(|file| file.path));
        done.iter().for_each(|path| self.add_file(path));
    }

    fn add_file(&mut self, path: &Path) {
        match names::uncompressed(path) {
            None => self.files.push(path.to_owned()),
            Some(name) if names::is_compressed(path) && !name.exists() => {
                if !resolve::is_difference(path) {
                    self.wholes.push(name);
                }
            }
            Some(_) => {}
        }
    }
}

fn compress_file(source: &Endpoint, arguments: &Compress) -> Result<(), Failure> {
    let files = &arguments.files;
    if arguments.inside_safetensors {
        return inside::compress(source, files, !arguments.plain);
    }
    let destination =
        destination(source, files.output.as_deref(), Direction::Compress, Scope::File)?;
    let stats = compress::compress(source, &destination, arguments, |len| {
        Progress::new(source.to_string(), len, files.quiet)
    })?;
    commit::show(&commit::summary(source, &destination, &stats), files);
    Ok(())
}
