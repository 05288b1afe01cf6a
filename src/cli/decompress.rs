//! `zipnn decompress`.

use std::fs::Metadata;

use super::args::{Decompress, Files};
use super::decode::{self, Checks, Decoding, Totals};
use super::failure::{Failure, say};
use super::inside;
use super::names::{self, Direction, Form, Place};
use super::output::Output;
use super::progress::Progress;
use super::salvage::Salvage;
use super::transfer::{self, Moved};
use super::units;

/// Decompresses one of the inputs.
pub fn run(source: &Place, arguments: &Decompress) -> Result<(), Failure> {
    let files = &arguments.files;
    if inside::is_safetensors(source) {
        return inside::decompress(source, files, !arguments.no_verify);
    }
    let destination =
        names::destination(source, files.output.as_deref(), Direction::Decompress, Form::Whole)?;
    transfer::check(source, &destination, files)?;
    let moved = decompress(source, &destination, arguments, |len| {
        Progress::new(source.to_string(), len, files.quiet)
    })?;
    if let (Some(warning), false) = (&moved.warning, files.quiet) {
        say(warning);
    }
    transfer::show(&transfer::summary(source, &destination, &moved), files);
    Ok(())
}

/// Decompresses `source` to `destination`. `progress` is told the length of the source.
pub fn decompress(
    source: &Place,
    destination: &Place,
    arguments: &Decompress,
    progress: impl FnOnce(Option<u64>) -> Progress,
) -> Result<Moved, Failure> {
    let files = &arguments.files;
    let checks = if arguments.no_verify { Checks::None } else { Checks::Decoded };
    let decoding = Decoding::open(source, files.delta.as_deref(), checks)?.require_base()?;
    let metadata = decoding.metadata().cloned();
    let mut output = Output::create(destination, files.force)?;
    let mut progress = progress(decoding.file_len());
    let threads = files.threads.count();
    let write = |decoded: &[u8]| output.write(decoded);
    let totals = match arguments.no_verify {
        false => decoding.run(threads, &mut progress, write)?,
        true => {
            let (totals, salvage) = decoding.salvage(threads, &mut progress, write)?;
            if !salvage.is_whole() {
                drop(progress);
                return Err(keep(output, source, metadata.as_ref(), &salvage, files));
            }
            totals
        }
    };
    if files.rm {
        check_all_decoded(&totals, source)?;
    }
    let (written, elapsed) = (output.len(), progress.elapsed());
    drop(progress);
    transfer::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(source, result, files).map(drop)
    })?;
    let warning = (totals.trailing > 0).then(|| {
        let trailing = units::trailing(totals.trailing);
        format!("zipnn: {source}: warning: {trailing}, and have been left out")
    });
    Ok(Moved { read: totals.stored, written, original: totals.decoded, elapsed, warning })
}

/// Keeps what is saved of a file that is not whole, and says what is lost.
fn keep(
    output: Output,
    source: &Place,
    metadata: Option<&Metadata>,
    salvage: &Salvage,
    files: &Files,
) -> Failure {
    if files.rm {
        return salvage.failure(source, None).hint(
            "a source is only removed for a whole result: without --rm, what is left is written",
        );
    }
    if salvage.is_empty() {
        return salvage.failure(source, None).hint("fetch or copy the file once more");
    }
    let destination = output.place().clone();
    if let Err(failure) = output.finish_partial(metadata) {
        return failure;
    }
    salvage
        .failure(source, Some(&destination))
        .hint("fetch or copy the file once more to get the rest")
}

/// Refuses to let a file go of which a part was not decoded: whatever those bytes are, they may be
/// nowhere else.
pub fn check_all_decoded(totals: &Totals, source: &Place) -> Result<(), Failure> {
    if totals.trailing == 0 {
        return Ok(());
    }
    let message = format!("{}; {source} is kept", units::trailing(totals.trailing));
    Err(Failure::new(source, message)
        .hint("nothing has been written; leave out --rm to decompress the frame alone"))
}
