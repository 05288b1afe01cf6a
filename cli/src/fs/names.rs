//! Names of compressed files: which files are compressed, and the name of each result.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::report::failure::Failure;

/// Extension of compressed files.
pub const SUFFIX: &str = "znn";
/// Extension of safetensors files. [`SUFFIX`] precedes it if tensors in the file are compressed.
const TENSORS_SUFFIX: &str = "safetensors";
/// End of the names of index files, in any case.
const INDEX_SUFFIX: &[u8] = b".index.json";

/// Whether a command compresses or decompresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Compress,
    Decompress,
}

/// What is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The file as a whole.
    File,
    /// The tensors inside the file, one by one.
    Tensors,
}

/// Returns whether a file is compressed as a whole, by its name.
pub fn is_compressed(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(SUFFIX))
}

/// Returns whether a file is a safetensors file, by its name.
pub fn is_tensors(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(TENSORS_SUFFIX))
}

/// Returns whether a file maps tensors to files, by its name.
pub fn is_index(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let stem_len = name.len().checked_sub(INDEX_SUFFIX.len());
    stem_len.is_some_and(|at| name[at..].eq_ignore_ascii_case(INDEX_SUFFIX))
}

/// Appends an extension to a path.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Returns the uncompressed name of a file that is compressed by its name, as a whole or inside.
pub fn uncompressed(path: &Path) -> Option<PathBuf> {
    if is_compressed(path) {
        return Some(path.with_extension(""));
    }
    let stem = path.with_extension("");
    let is_inside = is_tensors(path) && is_compressed(&stem);
    is_inside.then(|| stem.with_extension(TENSORS_SUFFIX))
}

impl Direction {
    /// Returns the opposite direction.
    pub fn reverse(self) -> Self {
        match self {
            Self::Compress => Self::Decompress,
            Self::Decompress => Self::Compress,
        }
    }

    /// Returns the name of the result of `source`.
    pub fn rename_in(self, source: &Path, scope: Scope) -> Result<PathBuf, Failure> {
        match scope {
            Scope::File => self.rename(source),
            Scope::Tensors => self.rename_inside(source),
        }
    }

    /// Returns the name of the result of `source`, which is compressed as a whole.
    pub fn rename(self, source: &Path) -> Result<PathBuf, Failure> {
        match (self, uncompressed(source)) {
            (Self::Compress, None) => Ok(with_suffix(source, SUFFIX)),
            (Self::Compress, Some(_)) => Err(compressed_already(source)),
            (Self::Decompress, Some(uncompressed)) => Ok(uncompressed),
            (Self::Decompress, None) => Err(without_suffix(source, SUFFIX)),
        }
    }

    /// Returns the name of the result of `source`, in which tensors are compressed one by one.
    pub fn rename_inside(self, source: &Path) -> Result<PathBuf, Failure> {
        let suffix = format!("{SUFFIX}.{TENSORS_SUFFIX}");
        match (self, uncompressed(source)) {
            (Self::Compress, None) if is_tensors(source) => Ok(source.with_extension(suffix)),
            (Self::Compress, None) => Err(without_suffix(source, TENSORS_SUFFIX)),
            (Self::Compress, Some(_)) => Err(compressed_already(source)),
            (Self::Decompress, Some(uncompressed)) if !is_compressed(source) => Ok(uncompressed),
            (Self::Decompress, _) => Err(without_suffix(source, &suffix)),
        }
    }
}

fn compressed_already(source: &Path) -> Failure {
    Failure::new(source.display(), "is already compressed, by its name")
        .hint("to compress it again, name the result with --output")
}

fn without_suffix(source: &Path, suffix: &str) -> Failure {
    Failure::new(source.display(), format_args!("does not end in .{suffix}"))
        .hint("name the result with --output")
}
