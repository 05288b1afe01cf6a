//! Finds files that are differences to another file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use walkdir::WalkDir;
use zipnn::io::ReadAt;

use crate::base::file::BaseFile;
use crate::base::{paths, resolve};
use crate::fs::endpoint::Endpoint;
use crate::fs::names;

/// A file that a difference needs.
pub struct Needed {
    /// The difference.
    pub dependent: PathBuf,
    /// The uncompressed name of the file.
    name: PathBuf,
    /// What the file contains.
    content: Content,
}

/// The length and the hash of a file.
type Content = (u64, [u8; 16]);

impl Needed {
    /// Returns whether this is the file with an uncompressed name.
    pub fn is_form_of(&self, name: &Path) -> bool {
        let folder = |path: &Path| directory_of(path).canonicalize().ok();
        self.name.file_name() == name.file_name() && folder(&self.name) == folder(name)
    }
}

/// Returns a file that needs the file at `path` as a base, if no form of it that is whole remains
/// when `path` is removed.
///
/// Looks in the directory of `path`, and in all files and directories of `places`. Differences
/// elsewhere are unknown.
pub fn first<'p>(path: &Path, places: impl Iterator<Item = &'p Path>) -> Option<PathBuf> {
    let (name, other_form) = match names::is_compressed(path) {
        true => (path.with_extension(""), path.with_extension("")),
        false => (path.to_owned(), names::with_suffix(path, names::SUFFIX)),
    };
    let is_difference = names::is_compressed(&other_form) && resolve::is_difference(&other_form);
    if other_form.is_file() && !is_difference {
        return None;
    }
    known(path, places).find(|needed| needed.is_form_of(&name)).map(|needed| needed.dependent)
}

/// Returns a file that needs what the compressed file `result` contains, if `source` contains
/// something else. Looks where [`first`] looks.
pub fn first_to_lose<'p>(
    result: &Path,
    source: &Path,
    places: impl Iterator<Item = &'p Path>,
) -> Option<PathBuf> {
    let name = result.with_extension("");
    let mut needed = known(result, places).filter(|needed| needed.is_form_of(&name)).peekable();
    needed.peek()?;
    let content = content(source).ok();
    needed.find(|needed| Some(needed.content) != content).map(|needed| needed.dependent)
}

fn content(path: &Path) -> io::Result<Content> {
    let file = BaseFile::open(path).map_err(|_| io::ErrorKind::InvalidData)?;
    let len = file.size()?;
    Ok((len, file.hash(0..len)?.to_le_bytes()))
}

/// Returns what differences need: those beside `path`, but itself, and in all files and directories
/// of `places`.
fn known<'p>(path: &Path, places: impl Iterator<Item = &'p Path>) -> impl Iterator<Item = Needed> {
    let beside = files_in(directory_of(path)).into_iter();
    let elsewhere = places.flat_map(|place| WalkDir::new(place).into_iter().flatten());
    let elsewhere = elsewhere.filter(|entry| entry.file_type().is_file());
    let files = beside.chain(elsewhere.map(|entry| entry.into_path()));
    let files: BTreeSet<_> = files.filter(|file| file != path).collect();
    files.into_iter().flat_map(|file| needed_by(&file))
}

/// Returns the files that the differences of a directory need.
pub fn needed_in(directory: &Path) -> impl Iterator<Item = Needed> {
    files_in(directory).into_iter().flat_map(|file| needed_by(&file))
}

/// Returns the directory of a file.
pub fn directory_of(path: &Path) -> &Path {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Returns the files that a difference needs; none for other files.
fn needed_by(file: &Path) -> Vec<Needed> {
    if !names::is_compressed(file) {
        return Vec::new();
    }
    let Some(map) = resolve::map(&Endpoint::Path(file.to_owned())) else { return Vec::new() };
    let needed = map.sources().iter().map(|source| Needed {
        dependent: file.to_owned(),
        name: paths::resolve(&resolve::directory_of_hints(file), &source.path),
        content: (source.len, source.hash),
    });
    needed.collect()
}
