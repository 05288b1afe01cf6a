//! Which name a result gets.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::args::Files;
use super::failure::Failure;
use super::target;

/// What compressed files end in.
pub const SUFFIX: &str = "znn";
/// What files of tensors end in; before that comes the other one where tensors are compressed.
const TENSORS_SUFFIX: &str = "safetensors";
/// Standard input or output on the command line.
const DASH: &str = "-";

/// Something that can be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Standard input, or standard output.
    Standard,
    /// A file.
    Path(PathBuf),
}

impl Place {
    /// What is meant by a path on the command line.
    pub fn new(path: &Path) -> Self {
        if path == Path::new(DASH) { Self::Standard } else { Self::Path(path.to_owned()) }
    }

    /// The path, where it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Standard => None,
            Self::Path(path) => Some(path),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str(DASH),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

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

impl Direction {
    /// What the result of `source` is called.
    pub fn rename(self, source: &Path) -> Result<PathBuf, Failure> {
        match (self, is_compressed(source)) {
            (Self::Compress, false) => Ok(with_suffix(source, SUFFIX)),
            (Self::Compress, true) => Err(compressed_already(source)),
            (Self::Decompress, true) => Ok(source.with_extension("")),
            (Self::Decompress, false) => Err(not_named(source, SUFFIX)),
        }
    }

    /// What the result of `source` is called, where the tensors inside are what is compressed.
    fn rename_inside(self, source: &Path) -> Result<PathBuf, Failure> {
        let has_tensors = source.extension() == Some(OsStr::new(TENSORS_SUFFIX));
        let is_compressed = has_tensors && is_compressed(&source.with_extension(""));
        let suffix = format!("{SUFFIX}.{TENSORS_SUFFIX}");
        match (self, is_compressed) {
            (Self::Compress, false) if has_tensors => Ok(source.with_extension(suffix)),
            (Self::Compress, false) => Err(not_named(source, TENSORS_SUFFIX)),
            (Self::Compress, true) => Err(compressed_already(source)),
            (Self::Decompress, true) => {
                Ok(source.with_extension("").with_extension(TENSORS_SUFFIX))
            }
            (Self::Decompress, false) => Err(not_named(source, &suffix)),
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

/// Where the result of `source` goes.
pub fn destination(
    source: &Place,
    output: Option<&Path>,
    direction: Direction,
    form: Form,
) -> Result<Place, Failure> {
    let rename = |source: &Path| match form {
        Form::Whole => direction.rename(source),
        Form::Inside => direction.rename_inside(source),
    };
    match (source, output) {
        (_, Some(output)) if output == Path::new(DASH) => Ok(Place::Standard),
        (Place::Standard, None) => Ok(Place::Standard),
        (Place::Path(source), None) if target::is_descriptor_or_device(source) => {
            Err(Failure::usage(source.display(), "is no file, beside which a result could lie")
                .hint("name the result with --output"))
        }
        (Place::Path(source), None) => rename(source).map(Place::Path),
        (Place::Path(source), Some(directory)) if directory.is_dir() => {
            let name = rename(Path::new(source.file_name().unwrap_or_default()))?;
            Ok(Place::Path(directory.join(name)))
        }
        (Place::Standard, Some(directory)) if directory.is_dir() => Err(Failure::usage(
            directory.display(),
            "is a directory, and standard input has no name",
        )
        .hint("name a file with --output")),
        (_, Some(output)) => Ok(Place::Path(output.to_owned())),
    }
}

/// Refuses what makes no sense for any file.
pub fn check(files: &Files) -> Result<(), Failure> {
    let reads_standard = files.inputs.iter().any(|input| Place::new(input) == Place::Standard);
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
    if files.output.is_some() && files.inputs.len() > 1 {
        check_distinct(&files.inputs)?;
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
    if files.delta.as_deref() == Some(Path::new(DASH)) {
        return Err(Failure::usage("--delta", "the base must be a file"));
    }
    Ok(())
}

/// Whether `--rm` may remove a file: not what is only reached by a link, and nothing that cannot be
/// read a second time. Of a directory, the files in it are removed.
fn may_be_removed(path: &Path) -> bool {
    // What is not there is reported when it is opened.
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

/// Refuses files whose results would get the same name in one directory.
fn check_distinct(inputs: &[PathBuf]) -> Result<(), Failure> {
    let mut names = HashSet::new();
    match inputs.iter().find(|input| !names.insert(input.file_name())) {
        Some(input) => Err(Failure::usage(input.display(), "has the same name as another input")
            .hint("their results would overwrite each other: do them one at a time")),
        None => Ok(()),
    }
}

/// Whether both are the same file, under whatever names.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
