//! Compresses and decompresses files: the jobs that write results.
//!
//! A [`Job`] describes the work of one run of `zipnn compress` or `zipnn decompress` on each file.

pub mod batch;
pub mod check;
pub mod commit;
pub mod comparison;
pub mod compress;
pub mod decode;
pub mod decompress;
pub mod destination;
pub mod directory;
pub mod frames;
pub mod framing;
pub mod inside;
pub mod pipeline;
pub mod read_only;
pub mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use zipnn::Limits;

use crate::args::{Compress, Decompress, Files};
use crate::base::resolve;
use crate::content::beginning;
use crate::content::tensor_source::TensorSource;
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{Direction, Scope};
use crate::fs::output;
use crate::fs::selection::Purpose;
use crate::job::commit::Stats;
use crate::report::failure::Failure;
use crate::report::progress::{Progress, TotalProgress};

/// A command that writes a result for each file, with its arguments.
#[derive(Debug, Clone, Copy)]
pub enum Job<'a> {
    Compress(&'a Compress),
    Decompress(&'a Decompress),
}

/// Settings for one of many files.
#[derive(Debug, Clone, Copy)]
pub struct FileSettings {
    /// Number of threads that compress or decompress.
    pub threads: usize,
    /// Whether to overwrite an existing result.
    pub force: bool,
    /// Whether to remove the source.
    pub rm: bool,
}

impl<'a> Job<'a> {
    /// Returns the arguments that both commands share.
    pub fn files(&self) -> &'a Files {
        match self {
            Self::Compress(arguments) => &arguments.files,
            Self::Decompress(arguments) => &arguments.files,
        }
    }

    /// Returns whether the compressed form of a file is a difference to other files.
    pub fn is_difference(&self, source: &Path) -> bool {
        match self {
            Self::Compress(arguments) => arguments.plan.is_difference(source),
            Self::Decompress(_) => resolve::is_difference(source),
        }
    }

    /// Divides files into those to process first, and the others.
    ///
    /// When differences are written, all files to which they refer exist in their final form. When
    /// they are read, these files do not change.
    pub fn stages<T>(&self, files: Vec<T>, path: impl Fn(&T) -> &Path) -> [Vec<T>; 2] {
        let (differences, whole) =
            files.into_iter().partition(|file| self.is_difference(path(file)));
        match self.direction() {
            Direction::Compress => [whole, differences],
            Direction::Decompress => [differences, whole],
        }
    }

    pub fn direction(&self) -> Direction {
        match self {
            Self::Compress(_) => Direction::Compress,
            Self::Decompress(_) => Direction::Decompress,
        }
    }

    /// Returns the purpose for which files of a directory are selected.
    pub fn purpose(&self) -> Purpose {
        match self.scope() {
            Scope::File => Purpose::Change(self.direction()),
            Scope::Tensors => Purpose::CompressInside,
        }
    }

    /// Returns whether the job processes whole files or the tensors inside them.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Compress(arguments) if arguments.inside_safetensors => Scope::Tensors,
            _ => Scope::File,
        }
    }

    /// Returns the name of the result of `source`.
    pub fn rename(&self, source: &Path) -> Result<PathBuf, Failure> {
        self.direction().rename_in(source, self.scope())
    }

    /// Writes the result of `source` to `destination`.
    pub fn convert(
        &self,
        source: &Path,
        destination: &Path,
        settings: FileSettings,
        total: &Arc<TotalProgress>,
    ) -> Result<Stats, Failure> {
        let source = Endpoint::Path(source.to_owned());
        let destination = Endpoint::Path(destination.to_owned());
        let progress = |_| Progress::part_of(total);
        let files = self.files_of_one(settings);
        match *self {
            Self::Compress(arguments) if arguments.inside_safetensors => {
                convert_inside(&source, &destination, files, |files| {
                    inside::compress(&source, files, !arguments.plain)
                })
            }
            Self::Compress(arguments) => {
                let mut arguments = arguments.clone();
                arguments.files = files;
                compress::compress(&source, &destination, &arguments, progress)
            }
            Self::Decompress(arguments) if beginning::is_safetensors(&source) => {
                let verify = !arguments.no_verify;
                // The tensors of a damaged file may not be readable.
                if !self.files().quiet && verify {
                    inside::warn_of_rotated(&mut TensorSource::open(&source, Limits::default())?)?;
                }
                let stats = convert_inside(&source, &destination, files, |files| {
                    inside::decompress(&source, files, verify)
                })?;
                Ok(Stats { original: stats.written, ..stats })
            }
            Self::Decompress(arguments) => {
                let mut arguments = arguments.clone();
                arguments.files = files;
                decompress::decompress(&source, &destination, &arguments, progress)
            }
        }
    }

    /// Writes `result` to the disk, and verifies that it contains all data of `source`.
    pub fn confirm(
        &self,
        source: &Path,
        result: &Path,
        settings: FileSettings,
    ) -> Result<(), Failure> {
        output::sync_file(result)?;
        let files = self.files_of_one(settings);
        let endpoint = Endpoint::Path(source.to_owned());
        match (self, self.scope()) {
            (Self::Compress(_), Scope::Tensors) => inside::compare(result, source, &files),
            (Self::Compress(arguments), Scope::File) => {
                let base = arguments.files_to_verify(source).base;
                decode::compare(result, source, &Files { base, ..files }).map(drop)
            }
            (Self::Decompress(_), _) if beginning::is_safetensors(&endpoint) => {
                inside::compare(source, result, &files)
            }
            (Self::Decompress(_), _) => {
                let totals = decode::compare(source, result, &files)?;
                decompress::check_all_decoded(&totals, &endpoint)
            }
        }
    }

    fn files_of_one(&self, settings: FileSettings) -> Files {
        let files = self.files().of_one(settings.threads);
        Files { rm: settings.rm, force: settings.force, ..files }
    }
}

/// Compresses or decompresses the tensors inside one of many files.
fn convert_inside(
    source: &Endpoint,
    destination: &Endpoint,
    files: Files,
    run: impl FnOnce(&Files) -> Result<(), Failure>,
) -> Result<Stats, Failure> {
    let start = Instant::now();
    let read = length(source)?;
    let output = destination.path().map(Path::to_owned);
    run(&Files { output, quiet: true, ..files })?;
    let written = length(destination)?;
    Ok(Stats { read, written, original: read, elapsed: start.elapsed(), warning: None })
}

fn length(endpoint: &Endpoint) -> Result<u64, Failure> {
    let metadata = fs::metadata(endpoint.path().unwrap_or(Path::new("")));
    metadata.map(|metadata| metadata.len()).map_err(|error| Failure::reading(endpoint, error))
}
