//! `zipnn decompress`.

use crate::args::Decompress;
use crate::commands::inputs;
use crate::content::beginning;
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{Direction, Scope};
use crate::job::destination::destination;
use crate::job::{Job, commit, decompress, inside};
use crate::report::failure::{Failure, say};
use crate::report::progress::Progress;

/// Decompresses all inputs, and returns the exit status.
pub fn run(arguments: &Decompress) -> u8 {
    inputs::run(Job::Decompress(arguments), |source| decompress_file(source, arguments))
}

fn decompress_file(source: &Endpoint, arguments: &Decompress) -> Result<(), Failure> {
    let files = &arguments.files;
    if beginning::is_safetensors(source) {
        return inside::decompress(source, files, !arguments.no_verify);
    }
    let destination =
        destination(source, files.output.as_deref(), Direction::Decompress, Scope::File)?;
    let stats = decompress::decompress(source, &destination, arguments, |len| {
        Progress::new(source.to_string(), len, files.quiet)
    })?;
    if let (Some(warning), false) = (&stats.warning, files.quiet) {
        say(warning);
    }
    commit::show(&commit::summary(source, &destination, &stats), files);
    Ok(())
}
