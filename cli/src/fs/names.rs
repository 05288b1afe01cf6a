//! Which name a result gets.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Files;
use crate::content::kind::Kind;
use crate::fs::endpoint::{DASH, Endpoint};
use crate::fs::target;
use crate::report::failure::Failure;

/// What compressed files end in.
pub const SUFFIX: &str = "znn";
/// What files of tensors end in; before that comes the other one where tensors are compressed.
const TENSORS_SUFFIX: &str = "safetensors";

/// Which way a name is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Compress,
    Decompress,
}

/// What is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The file.
    Whole,
    /// The tensors inside it, one by one.
    Inside,
}

/// Whether a file is compressed, going by its name.
pub fn is_compressed(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(SUFFIX))
}

/// A path with something added to its end.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Returns what a file decompresses to is called, if it is compressed by its name: as a whole, or
/// the tensors inside it.
pub fn uncompressed(path: &Path) -> Option<PathBuf> {
    if is_compressed(path) {
        return Some(path.with_extension(""));
    }
    let stem = path.with_extension("");
    let is_inside = path.extension() == Some(OsStr::new(TENSORS_SUFFIX)) && is_compressed(&stem);
    is_inside.then(|| stem.with_extension(TENSORS_SUFFIX))
}

impl Direction {
    /// What the result of `source` is called.
    pub fn rename(self, source: &Path) -> Result<PathBuf, Failure> {
        match (self, uncompressed(source)) {
            (Self::Compress, None) => Ok(with_suffix(source, SUFFIX)),
            (Self::Compress, Some(_)) => Err(compressed_already(source)),
            (Self::Decompress, Some(uncompressed)) => Ok(uncompressed),
            (Self::Decompress, None) => Err(not_named(source, SUFFIX)),
        }
    }

    /// What the result of `source` is called, where the tensors inside are what is compressed.
    pub fn rename_inside(self, source: &Path) -> Result<PathBuf, Failure> {
        let suffix = format!("{SUFFIX}.{TENSORS_SUFFIX}");
        match (self, uncompressed(source)) {
            (Self::Compress, None) if source.extension() == Some(OsStr::new(TENSORS_SUFFIX)) => {
                Ok(source.with_extension(suffix))
            }
            (Self::Compress, None) => Err(not_named(source, TENSORS_SUFFIX)),
            (Self::Compress, Some(_)) => Err(compressed_already(source)),
            (Self::Decompress, Some(uncompressed)) if !is_compressed(source) => Ok(uncompressed),
            (Self::Decompress, _) => Err(not_named(source, &suffix)),
        }
    }
}

fn compressed_already(source: &Path) -> Failure {
    Failure::new(source.display(), "is compressed already, by its name")
        .hint("to compress it again, name the result with --output")
}

fn not_named(source: &Path, suffix: &str) -> Failure {
    Failure::new(source.display(), format_args!("does not end in .{suffix}"))
        .hint("name the result with --output")
}

/// Returns why there is no name for what `source` decompresses to: another name helps only where
/// there is something to decompress.
fn explain(failure: Failure, source: &Path) -> Failure {
    match Kind::of(&Endpoint::Path(source.to_owned())) {
        Err(failure) => failure,
        Ok(Kind::Plain) => Failure::new(source.display(), "is not compressed")
            .hint("nothing to decompress here: only what `zipnn compress` has written can be"),
        Ok(_) => failure,
    }
}

/// Where the result of `source` goes.
pub fn destination(
    source: &Endpoint,
    output: Option<&Path>,
    direction: Direction,
    form: Form,
) -> Result<Endpoint, Failure> {
    let rename = |source: &Path| {
        let renamed = match form {
            Form::Whole => direction.rename(source),
            Form::Inside => direction.rename_inside(source),
        };
        match direction {
            Direction::Compress => renamed,
            Direction::Decompress => renamed.map_err(|failure| explain(failure, source)),
        }
    };
    match (source, output) {
        (_, Some(output)) if output == Path::new(DASH) => Ok(Endpoint::Standard),
        (Endpoint::Standard, None) => Ok(Endpoint::Standard),
        (Endpoint::Path(source), None) if target::is_descriptor_or_device(source) => {
            Err(Failure::usage(source.display(), "is no file, beside which a result could lie")
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

/// Refuses what makes no sense for any file.
pub fn check(files: &Files, direction: Direction) -> Result<(), Failure> {
    let reads_standard =
        files.inputs.iter().any(|input| Endpoint::new(input) == Endpoint::Standard);
    if let Some(output) = &files.output
        && files.inputs.len() > 1
        && !output.is_dir()
    {
        if output == Path::new(DASH) {
            return Err(Failure::usage(
                DASH,
                "takes the result of one file, and there are several",
            )
            .hint("run the command once for each file, or name a directory with --output"));
        }
        return Err(Failure::usage(output.display(), "is not a directory")
            .hint("for several files, --output must name a directory that exists"));
    }
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
    if files.rm && files.output.as_deref() == Some(Path::new(DASH)) {
        return Err(Failure::usage(DASH, "what goes to standard output cannot be verified")
            .hint("leave out --rm"));
    }
    let writes_standard = files.output.as_deref() == Some(Path::new(DASH));
    if files.many.rewrite_index && (reads_standard || writes_standard) {
        return Err(Failure::usage(DASH, "no index names standard input or output")
            .hint("leave out --rewrite-index, or name files"));
    }
    if files.delta.as_deref() == Some(Path::new(DASH)) {
        return Err(Failure::usage("--delta", "the base must be a file"));
    }
    Ok(())
}

/// Returns whether `--rm` may remove a path: a regular file that is reached without a link, or a
/// directory, of which the files are removed.
fn may_be_removed(path: &Path) -> bool {
    // A missing file is reported when it is opened.
    let Ok(metadata) = fs::symlink_metadata(path) else { return true };
    (metadata.is_file() && !target::is_descriptor(path)) || path.is_dir()
}

/// Explains that `--rm` does not remove a path.
pub fn not_removable(path: &Path) -> Failure {
    let what = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => "is a link, and --rm would remove the link alone",
        _ => "is not a regular file, and --rm removes nothing else",
    };
    Failure::usage(path.display(), what).hint("leave out --rm, or name the file itself")
}

/// Explains that `--delta` does not take a directory.
pub fn base_for_directory(directory: &Path) -> Failure {
    Failure::usage(directory.display(), "is a directory, and --delta is for one file")
        .hint("name the file that goes with the base")
}

/// Refuses a base for a whole directory.
pub fn check_base(files: &[PathBuf], base: Option<&Path>) -> Result<(), Failure> {
    match files.iter().find(|file| base.is_some() && file.is_dir()) {
        Some(directory) => Err(base_for_directory(directory)),
        None => Ok(()),
    }
}

/// Refuses files whose results would overwrite each other.
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
            "has the same name as another input, or would get the same",
        )
        .hint("their results would overwrite each other: do them one at a time")),
        None => Ok(()),
    }
}
