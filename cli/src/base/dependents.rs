//! Finds files that are differences to another file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::{paths, resolve};
use crate::fs::endpoint::Endpoint;
use crate::fs::names;

/// Returns a file beside `path` that needs it as a base, if neither its compressed nor its
/// uncompressed form remains when `path` is removed.
pub fn first(path: &Path) -> Option<PathBuf> {
    let (name, other_form) = match names::is_compressed(path) {
        true => (path.with_extension(""), path.with_extension("")),
        false => (path.to_owned(), names::with_suffix(path, names::SUFFIX)),
    };
    if other_form.is_file() {
        return None;
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().find(|file| file != path && names::is_compressed(file) && needs(file, &name))
}

/// Returns whether a compressed file is a difference to the file with this uncompressed name.
fn needs(file: &Path, name: &Path) -> bool {
    let Some(map) = resolve::map(&Endpoint::Path(file.to_owned())) else { return false };
    let directory = file.parent().unwrap_or(Path::new(""));
    let is_same = |one: &Path, other: &Path| {
        let folder = |path: &Path| path.parent().and_then(|parent| parent.canonicalize().ok());
        one.file_name() == other.file_name() && folder(one) == folder(other)
    };
    map.sources().iter().any(|source| is_same(&paths::resolve(directory, &source.path), name))
}
