//! `zipnn compress`.

use crate::args::Compress;
use crate::commands::inputs;
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{Direction, Scope};
use crate::job::destination::destination;
use crate::job::{Job, commit, compress, inside};
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// Compresses all inputs, and returns the exit status.
pub fn run(arguments: &Compress) -> u8 {
    inputs::run(Job::Compress(arguments), |source| compress_file(source, arguments))
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
