//! `zipnn flatten`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::args::{Compress, Files, Flatten};
use crate::fs::endpoint::Endpoint;
use crate::fs::temp::Unfinished;
use crate::job::decode::{Checks, Decoding};
use crate::job::{commit, compress};
use crate::report::failure::{self, Failure};
use crate::report::progress::Progress;
use crate::report::{terminal, units};

/// Replaces differences by whole files, and returns the exit status.
pub fn run(arguments: &Flatten) -> u8 {
    let flatten = |path: &PathBuf| failure::status(flatten_file(path, arguments));
    arguments.files.iter().map(flatten).max().unwrap_or_default()
}

fn flatten_file(path: &Path, arguments: &Flatten) -> Result<(), Failure> {
    let source = Endpoint::Path(path.to_owned());
    let decoding = Decoding::open(
        &source,
        arguments.search_bases.with(arguments.delta.as_deref()),
        Checks::Decoded,
    )?;
    if !decoding.is_difference() {
        commit::show(
            &format!("{source}: is independent already"),
            &compress_arguments(arguments).files,
        );
        return Ok(());
    }
    let decoding = decoding.require_base()?;
    let (data, len) = decode(decoding, &source, arguments)?;
    let compress = compress_arguments(arguments);
    let progress = |len| Progress::new(source.to_string(), len, arguments.quiet);
    let stats =
        compress::compress(&Endpoint::Path(data.path().to_owned()), &source, &compress, progress)
            .map_err(|failure| failure.because(&source, "cannot be made independent"))?;
    let (before, after) = (units::bytes(len), units::bytes(stats.written));
    commit::show(
        &format!("{source}: independent, {before} {} {after}", terminal::arrow()),
        &compress.files,
    );
    Ok(())
}

/// Decodes a file to a temporary file beside it, and returns the compressed length of the file.
fn decode(
    decoding: Decoding,
    source: &Endpoint,
    arguments: &Flatten,
) -> Result<(Unfinished, u64), Failure> {
    let writing = |error| Failure::writing(source, error);
    let path = source.path().unwrap_or(Path::new(""));
    let mut data = Unfinished::create(path).map_err(writing)?;
    let mut progress = Progress::new(source.to_string(), decoding.file_len(), arguments.quiet);
    let metadata = decoding.metadata().cloned();
    let len = decoding.file_len().unwrap_or_default();
    decoding.run(arguments.threads.count(), &mut progress, |decoded| {
        data.file().write_all(decoded).map_err(writing)
    })?;
    // The new file inherits these from the temporary file.
    if let Some(metadata) = metadata {
        if let Ok(modified) = metadata.modified() {
            data.file().set_modified(modified).map_err(writing)?;
        }
        fs::set_permissions(data.path(), metadata.permissions()).map_err(writing)?;
    }
    Ok((data, len))
}

/// Returns the arguments for replacing a file by its data, compressed.
fn compress_arguments(arguments: &Flatten) -> Compress {
    let threads = arguments.threads.clone();
    let files = Files { force: true, quiet: arguments.quiet, threads, ..Files::default() };
    let (extended, max) = (arguments.extended, arguments.max);
    Compress { files, extended, max, ..Compress::default() }
}
