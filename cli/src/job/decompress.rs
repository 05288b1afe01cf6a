//! Decompresses one file that is compressed as a whole.

use crate::args::Decompress;
use crate::content::data_header::DataHeader;
use crate::fs::endpoint::Endpoint;
use crate::fs::output::Output;
use crate::fs::snapshot;
use crate::job::commit::{self, Stats};
use crate::job::decode::{self, Checks, Decoding, Totals};
use crate::report::failure::Failure;
use crate::report::progress::Progress;
use crate::report::units;

/// Decompresses `source` to `destination`. Passes the length of the source, if known, to
/// `progress`.
pub fn decompress(
    source: &Endpoint,
    destination: &Endpoint,
    arguments: &Decompress,
    progress: impl FnOnce(Option<u64>) -> Progress,
) -> Result<Stats, Failure> {
    let files = &arguments.files;
    commit::check(source, destination, files)?;
    let checks = if arguments.no_verify { Checks::None } else { Checks::Decoded };
    let decoding = Decoding::open(source, files.bases(), checks)?.require_base()?;
    let metadata = decoding.metadata().cloned();
    let snapshots = decoding.snapshots();
    let mut output = Output::create(destination, files.force)?;
    let mut progress = progress(decoding.file_len());
    let threads = files.threads.count();
    let explain = |failure| snapshot::explain(&snapshots, failure);
    let mut header = DataHeader::default();
    let write = |decoded: &[u8]| {
        header.push(decoded);
        output.write(decoded)
    };
    let totals = match arguments.no_verify {
        false => decoding.run(threads, &mut progress, write).map_err(explain)?,
        true => {
            let (totals, salvage) =
                decoding.salvage(threads, &mut progress, write).map_err(explain)?;
            if !salvage.is_whole() {
                drop(progress);
                let failure = |saved: Option<&Endpoint>| salvage.failure(source, saved, &header);
                return Err(commit::keep_partial(
                    output,
                    metadata.as_ref(),
                    files,
                    failure,
                    salvage.is_empty(),
                ));
            }
            totals
        }
    };
    if files.rm {
        check_all_decoded(&totals, source)?;
    }
    let (written, elapsed) = (output.len(), progress.elapsed());
    drop(progress);
    snapshot::check_all(&snapshots)?;
    commit::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(source, result, files).map(drop)
    })?;
    let trailing = (totals.trailing > 0)
        .then(|| format!("{}, which are left out", units::trailing(totals.trailing)));
    let shortage = totals.shortage(&header).map(units::shortage);
    let warning =
        trailing.or(shortage).map(|warning| format!("zipnn: {source}: warning: {warning}"));
    Ok(Stats { read: totals.stored, written, original: totals.decoded, elapsed, warning })
}

/// Returns an error if a part of a file was not decoded. `--rm` then keeps the file, because these
/// bytes may not exist anywhere else.
pub fn check_all_decoded(totals: &Totals, source: &Endpoint) -> Result<(), Failure> {
    if totals.trailing == 0 {
        return Ok(());
    }
    let message = format!("{}; the file is kept", units::trailing(totals.trailing));
    Err(Failure::new(source, message)
        .hint("nothing was written: leave out --rm to decompress only the frame"))
}
