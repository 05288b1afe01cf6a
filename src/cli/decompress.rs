//! `zipnn decompress`.

use super::args::Decompress;
use super::decode::{self, Checks, Decoding};
use super::failure::{Failure, say};
use super::names::{self, Direction, Place};
use super::output::Output;
use super::progress::Progress;
use super::transfer;
use super::units;

/// Decompresses one of the inputs.
pub fn run(source: &Place, arguments: &Decompress) -> Result<(), Failure> {
    let files = &arguments.files;
    let destination = names::destination(source, files.output.as_deref(), Direction::Decompress)?;
    transfer::check(source, &destination, files)?;
    let checks = if arguments.no_verify { Checks::None } else { Checks::Decoded };
    let decoding = Decoding::open(source, files.delta.as_deref(), checks)?.require_base()?;
    let metadata = decoding.metadata().cloned();
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(source.to_string(), decoding.file_len(), files.quiet);
    let totals =
        decoding.run(files.threads.count(), &mut progress, |decoded| output.write(decoded))?;
    if totals.trailing > 0 && files.rm {
        // Whatever those bytes are, they may be nowhere else.
        let message = format!("{}; {source} is kept", units::trailing(totals.trailing));
        return Err(Failure::new(source, message)
            .hint("nothing has been written; leave out --rm to decompress the frame alone"));
    }
    let summary = transfer::summary(&progress, source, totals.stored, &output, totals.decoded);
    drop(progress);
    transfer::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(source, result, files)
    })?;
    if totals.trailing > 0 && !files.quiet {
        let trailing = units::trailing(totals.trailing);
        say(format_args!("zipnn: {source}: warning: {trailing}, and have been left out"));
    }
    transfer::show(&summary, files);
    Ok(())
}
