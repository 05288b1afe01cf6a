//! Determines where the result of a file goes.

use std::path::Path;

use crate::content::compression;
use crate::fs::endpoint::{DASH, Endpoint};
use crate::fs::names::{Direction, Scope};
use crate::fs::target;
use crate::report::failure::Failure;

/// Returns the destination of the result of `source`: `output`, if that names a file; otherwise
/// the renamed source in the directory `output` or beside the source.
pub fn destination(
    source: &Endpoint,
    output: Option<&Path>,
    direction: Direction,
    scope: Scope,
) -> Result<Endpoint, Failure> {
    let rename = |source: &Path| {
        let renamed = direction.rename_in(source, scope);
        match direction {
            Direction::Compress => renamed,
            Direction::Decompress => renamed.map_err(|failure| explain(failure, source)),
        }
    };
    match (source, output) {
        (_, Some(output)) if output == Path::new(DASH) => Ok(Endpoint::Standard),
        (Endpoint::Standard, None) => Ok(Endpoint::Standard),
        (Endpoint::Path(source), None) if target::is_descriptor_or_device(source) => {
            Err(Failure::usage(source.display(), "is a device or a descriptor, not a file")
                .hint("name the result with --output"))
        }
        (Endpoint::Path(source), None) => rename(source).map(Endpoint::Path),
        (Endpoint::Path(source), Some(directory)) if directory.is_dir() => {
            let result = rename(source)?;
            Ok(Endpoint::Path(directory.join(result.file_name().unwrap_or_default())))
        }
        (Endpoint::Standard, Some(directory)) if directory.is_dir() => Err(Failure::usage(
            directory.display(),
            "is a directory, and standard input has no name",
        )
        .hint("name a file with --output")),
        (_, Some(output)) => Ok(Endpoint::Path(output.to_owned())),
    }
}

/// Returns the reason why `source` cannot be decompressed if it is not a compressed file, because
/// another name for the result would not help then. Otherwise returns `failure`.
fn explain(failure: Failure, source: &Path) -> Failure {
    match compression::detect(&Endpoint::Path(source.to_owned())) {
        Err(failure) => failure,
        Ok(None) => Failure::new(source.display(), "is not compressed").hint(
            "only files that `zipnn compress` or the original ZipNN wrote can be decompressed",
        ),
        Ok(Some(_)) => failure,
    }
}
