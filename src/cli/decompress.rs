//! `zipnn decompress`.

use super::args::Decompress;
use super::decode::{self, Decoding};
use super::failure::Failure;
use super::names::{self, Direction, Place};
use super::output::Output;
use super::progress::Progress;
use super::transfer;

/// Decompresses one of the inputs.
pub fn run(source: &Place, arguments: &Decompress) -> Result<(), Failure> {
    let files = &arguments.files;
    let destination = names::destination(source, files.output.as_deref(), Direction::Decompress)?;
    transfer::check(source, &destination, files)?;
    let decoding = Decoding::open(source, files.delta.as_deref())?.require_base()?;
    let metadata = decoding.metadata().cloned();
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(source.to_string(), decoding.file_len(), files.quiet);
    let totals =
        decoding.run(files.threads.count(), &mut progress, |decoded| output.write(decoded))?;
    let summary = transfer::summary(&progress, source, totals.stored, &output, totals.decoded);
    drop(progress);
    transfer::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(source, result, files)
    })?;
    transfer::show(&summary, files);
    Ok(())
}
