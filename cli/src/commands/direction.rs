//! Compressing or decompressing: what the two commands look like to those who run them on many
//! files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use zipnn::Limits;

use crate::args::{Compress, Decompress, Files};
use crate::commands::{compress, decompress};
use crate::content::beginning;
use crate::content::tensor_source::TensorSource;
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{Direction, Form};
use crate::fs::output;
use crate::fs::selection::Purpose;
use crate::job::commit::Stats;
use crate::job::{decode, inside};
use crate::report::failure::Failure;
use crate::report::progress::{Progress, Whole};

/// A command, with what was said about it.
#[derive(Debug, Clone, Copy)]
pub enum Job<'a> {
    Compress(&'a Compress),
    Decompress(&'a Decompress),
}

/// What is done with one of many files.
#[derive(Debug, Clone, Copy)]
pub struct FileSettings {
    /// Threads that code.
    pub threads: usize,
    /// Whether to overwrite what is there.
    pub force: bool,
    /// Whether to remove the source.
    pub rm: bool,
}

impl<'a> Job<'a> {
    /// What both commands have in common.
    pub fn files(&self) -> &'a Files {
        match self {
            Self::Compress(arguments) => &arguments.files,
            Self::Decompress(arguments) => &arguments.files,
        }
    }

    /// Whether the tensors inside files are what is compressed.
    pub fn is_inside(&self) -> bool {
        matches!(self, Self::Compress(arguments) if arguments.inside_safetensors)
    }

    pub fn direction(&self) -> Direction {
        match self {
            Self::Compress(_) => Direction::Compress,
            Self::Decompress(_) => Direction::Decompress,
        }
    }

    /// Returns the purpose for which files of a directory are selected.
    pub fn purpose(&self) -> Purpose {
        if self.is_inside() { Purpose::CompressInside } else { Purpose::Change(self.direction()) }
    }

    /// Returns the form of the results.
    pub fn form(&self) -> Form {
        if self.is_inside() { Form::Inside } else { Form::Whole }
    }

    /// Returns the name of the result of `source`.
    pub fn rename(&self, source: &Path) -> Result<PathBuf, Failure> {
        match self.form() {
            Form::Whole => self.direction().rename(source),
            Form::Inside => self.direction().rename_inside(source),
        }
    }

    /// Makes `destination` from `source`.
    pub fn transfer(
        &self,
        source: &Path,
        destination: &Path,
        settings: FileSettings,
        whole: &Arc<Whole>,
    ) -> Result<Stats, Failure> {
        let source = Endpoint::Path(source.to_owned());
        let destination = Endpoint::Path(destination.to_owned());
        let progress = |_| Progress::part_of(whole);
        let files = self.files_of_one(settings);
        match *self {
            Self::Compress(arguments) if arguments.inside_safetensors => {
                transfer_inside(&source, &destination, files, |files| {
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
                // Of a damaged file, the tensors may not be readable.
                if !self.files().quiet && verify {
                    inside::warn_of_rotated(&mut TensorSource::open(&source, Limits::default())?)?;
                }
                let stats = transfer_inside(&source, &destination, files, |files| {
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

    /// Makes sure that `result` is on the disk and is everything that there is in `source`.
    pub fn confirm(
        &self,
        source: &Path,
        result: &Path,
        settings: FileSettings,
    ) -> Result<(), Failure> {
        output::sync_file(result)?;
        let files = self.files_of_one(settings);
        match self {
            Self::Compress(_) if self.is_inside() => inside::compare(result, source, &files),
            Self::Compress(_) => decode::compare(result, source, &files).map(drop),
            Self::Decompress(_)
                if beginning::is_safetensors(&Endpoint::Path(source.to_owned())) =>
            {
                inside::compare(source, result, &files)
            }
            Self::Decompress(_) => {
                let totals = decode::compare(source, result, &files)?;
                decompress::check_all_decoded(&totals, &Endpoint::Path(source.to_owned()))
            }
        }
    }

    fn files_of_one(&self, settings: FileSettings) -> Files {
        let files = self.files().of_one(settings.threads);
        Files { rm: settings.rm, force: settings.force, ..files }
    }
}

/// Compresses or decompresses the tensors inside a file, one of many.
fn transfer_inside(
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

/// Removes a file whose result has been confirmed.
pub fn remove_source(source: &Path, result: &Path) -> Result<(), Failure> {
    fs::remove_file(source).map_err(|error| {
        Failure::new(source.display(), format_args!("cannot be removed: {error}"))
            .hint(format_args!("{} is there and is sound", result.display()))
    })
}
