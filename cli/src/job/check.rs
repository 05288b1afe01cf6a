//! Checks the arguments of `compress` and `decompress` before any file is opened.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Files;
use crate::fs::endpoint::{DASH, Endpoint};
use crate::fs::names::Direction;
use crate::fs::target;
use crate::report::failure::Failure;

/// Returns an error if the arguments contradict each other for any files.
pub fn check(files: &Files, direction: Direction) -> Result<(), Failure> {
    let reads_standard =
        files.inputs.iter().any(|input| Endpoint::new(input) == Endpoint::Standard);
    let writes_standard = files.output.as_deref() == Some(Path::new(DASH));
    check_output(files)?;
    if files.output.is_some() || files.force {
        check_distinct(files, direction)?;
    }
    if files.rm && reads_standard {
        return Err(Failure::usage(DASH, "standard input cannot be removed").hint("leave out --rm"));
    }
    if files.rm
        && let Some(input) = files.inputs.iter().find(|input| !may_be_removed(input))
    {
        return Err(not_removable(input));
    }
    if files.rm && writes_standard {
        return Err(Failure::usage(DASH, "a result on standard output cannot be verified")
            .hint("leave out --rm"));
    }
    if files.many.rewrite_index && (reads_standard || writes_standard) {
        return Err(Failure::usage(DASH, "no index names standard input or output")
            .hint("leave out --rewrite-index, or name files"));
    }
    if files.delta.as_deref() == Some(Path::new(DASH)) {
        return Err(Failure::usage("--delta", "the base cannot be standard input")
            .hint("name a file with --delta"));
    }
    Ok(())
}

/// Returns an error if several files would be written to one output that is not a directory.
fn check_output(files: &Files) -> Result<(), Failure> {
    match &files.output {
        Some(output) if files.inputs.len() > 1 && output == Path::new(DASH) => {
            Err(Failure::usage(DASH, "takes the result of one file, and there are several")
                .hint("run the command once for each file, or name a directory with --output"))
        }
        Some(output) if files.inputs.len() > 1 && !output.is_dir() => {
            Err(Failure::usage(output.display(), "is not a directory")
                .hint("for several files, --output must name an existing directory"))
        }
        _ => Ok(()),
    }
}

/// Returns whether `--rm` may remove a path: a regular file that is reached without a link, or a
/// directory, whose files are removed.
fn may_be_removed(path: &Path) -> bool {
    // A missing file is reported when it is opened.
    let Ok(metadata) = fs::symlink_metadata(path) else { return true };
    (metadata.is_file() && !target::is_descriptor(path)) || path.is_dir()
}

/// Returns the error for a path that `--rm` does not remove.
pub fn not_removable(path: &Path) -> Failure {
    let message = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => "is a link, and --rm would remove only the link",
        _ => "is not a regular file, and --rm removes only regular files",
    };
    Failure::usage(path.display(), message).hint("leave out --rm, or name the file itself")
}

/// Returns the error for a directory that is combined with `--delta`.
pub fn base_for_directory(directory: &Path) -> Failure {
    Failure::usage(directory.display(), "is a directory, and --delta takes a single file")
        .hint("name the file that goes with the base")
}

/// Returns an error if a base is given for a whole directory.
pub fn check_base(files: &[PathBuf], base: Option<&Path>) -> Result<(), Failure> {
    match files.iter().find(|file| base.is_some() && file.is_dir()) {
        Some(directory) => Err(base_for_directory(directory)),
        None => Ok(()),
    }
}

/// Returns an error if the results of two inputs would overwrite each other.
fn check_distinct(files: &Files, direction: Direction) -> Result<(), Failure> {
    let result = |input: &Path| {
        let name = direction.rename(input).unwrap_or_else(|_| input.to_owned());
        match (&files.output, name.file_name()) {
            (Some(_), Some(name)) => PathBuf::from(name),
            _ => name,
        }
    };
    let mut results = HashSet::new();
    match files.inputs.iter().find(|input| !results.insert(result(input))) {
        Some(input) => Err(Failure::usage(
            input.display(),
            "its result would have the same name as the result of another input",
        )
        .hint("process these files one at a time, each with its own --output")),
        None => Ok(()),
    }
}
