//! Finds files that are differences to another file.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use walkdir::{DirEntry, WalkDir};
use zipnn::io::ReadAt;

use crate::base::file::BaseFile;
use crate::base::{paths, resolve};
use crate::fs::endpoint::Endpoint;
use crate::fs::names;

/// A file that a difference needs.
#[derive(Debug, PartialEq, Eq)]
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

/// The differences that a run knows. Each directory is searched only once.
#[derive(Debug, Default)]
pub struct Dependents(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Files and directories that have been searched, and whether with all directories in them.
    searched: HashSet<(PathBuf, bool)>,
    examined: HashSet<PathBuf>,
    /// What differences need, by the name of the file without its directory.
    needed: HashMap<OsString, Vec<Needed>>,
}

impl Dependents {
    /// Returns a file that needs the file at `path` as a base, if no form of it that is whole remains
    /// when `path` is removed.
    ///
    /// Looks in the directory of `path`, and in all files and directories of `places`. Differences
    /// elsewhere are unknown.
    pub fn first<'p>(
        &self,
        path: &Path,
        places: impl Iterator<Item = &'p Path>,
    ) -> Option<PathBuf> {
        let (name, other_form) = match names::is_compressed(path) {
            true => (path.with_extension(""), path.with_extension("")),
            false => (path.to_owned(), names::with_suffix(path, names::SUFFIX)),
        };
        let is_difference =
            names::is_compressed(&other_form) && resolve::is_difference(&other_form);
        if other_form.is_file() && !is_difference {
            return None;
        }
        self.find(path, &name, places, |_| true)
    }

    /// Returns a file that needs what the compressed file `result` contains, if `source` contains
    /// something else. Looks where [`first`](Self::first) looks.
    pub fn first_to_lose<'p>(
        &self,
        result: &Path,
        source: &Path,
        places: impl Iterator<Item = &'p Path>,
    ) -> Option<PathBuf> {
        let content = LazyCell::new(|| content(source).ok());
        let name = result.with_extension("");
        self.find(result, &name, places, |needed| Some(needed.content) != *content)
    }

    /// Examines a file that this run has written.
    pub fn note(&self, path: &Path) {
        if names::is_compressed(path) {
            self.known().examine(path);
        }
    }

    /// Returns the first difference, other than `path`, that needs the file with an uncompressed name.
    fn find<'p>(
        &self,
        path: &Path,
        name: &Path,
        places: impl Iterator<Item = &'p Path>,
        is_meant: impl Fn(&Needed) -> bool,
    ) -> Option<PathBuf> {
        let mut known = self.known();
        known.search(directory_of(path), false);
        places.for_each(|place| known.search(place, true));
        let needed = known.needed.get(name.file_name()?)?.iter();
        let mut found: Vec<&PathBuf> = needed
            .filter(|needed| needed.dependent != path && needed.is_form_of(name))
            // The run may have removed or replaced it since.
            .filter(|needed| is_meant(needed) && needed_by(&needed.dependent).contains(needed))
            .map(|needed| &needed.dependent)
            .collect();
        found.sort();
        found.first().map(|&dependent| dependent.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Examines the files of a directory, perhaps with all directories in it; or a file.
    fn search(&mut self, place: &Path, is_deep: bool) {
        if !self.searched.insert((place.to_owned(), is_deep)) {
            return;
        }
        let files: Vec<PathBuf> = match is_deep {
            true => {
                let entries = WalkDir::new(place).into_iter().flatten();
                let files = entries.filter(|entry| entry.file_type().is_file());
                files.map(DirEntry::into_path).collect()
            }
            false => files_in(place),
        };
        for file in files {
            if !self.examined.contains(&file) {
                self.examine(&file);
            }
        }
    }

    fn examine(&mut self, file: &Path) {
        if !self.examined.insert(file.to_owned()) {
            self.needed.values_mut().for_each(|needed| needed.retain(|one| one.dependent != file));
        }
        for needed in needed_by(file) {
            let name = needed.name.file_name().unwrap_or_default().to_owned();
            self.needed.entry(name).or_default().push(needed);
        }
    }
}

fn content(path: &Path) -> io::Result<Content> {
    let file = BaseFile::open(path).map_err(|_| io::ErrorKind::InvalidData)?;
    let len = file.size()?;
    Ok((len, file.hash(0..len)?.to_le_bytes()))
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

#[cfg(test)]
mod tests {
    use zipnn::delta::{BaseId, BaseMap, MapSource};

    use super::*;

    /// Writes the beginning of a difference to the file `base`.
    fn write_difference(path: &Path) {
        let map = BaseMap::new(4, vec![MapSource::new("base", 4, [7; 16])]);
        fs::write(path, map.to_frame(BaseId::of(b"base"))).unwrap();
    }

    #[test]
    fn directories_are_searched_once() {
        let place = tempfile::tempdir().unwrap();
        let (base, none) = (place.path().join("base"), std::iter::empty);
        let one = place.path().join("1.znn");
        write_difference(&one);
        let known = Dependents::default();
        assert_eq!(known.first(&base, none()), Some(one.clone()));
        // What this run changes itself is known: what it removes, and what it writes.
        fs::remove_file(one).unwrap();
        assert_eq!(known.first(&base, none()), None);
        let two = place.path().join("2.znn");
        write_difference(&two);
        assert_eq!(known.first(&base, none()), None);
        known.note(&two);
        assert_eq!(known.first(&base, none()), Some(two.clone()));
        known.note(&two);
        assert_eq!(Dependents::default().first(&base, none()), Some(two));
    }

    #[test]
    fn places_are_searched_with_their_directories() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("deep/er");
        fs::create_dir_all(&deep).unwrap();
        let map = BaseMap::new(4, vec![MapSource::new("../../in/base", 4, [7; 16])]);
        fs::write(deep.join("1.znn"), map.to_frame(BaseId::of(b"base"))).unwrap();
        let base = place.path().join("in/base");
        fs::create_dir(base.parent().unwrap()).unwrap();
        let known = Dependents::default();
        assert_eq!(known.first(&base, std::iter::empty()), None);
        assert_eq!(known.first(&base, [place.path()].into_iter()), Some(deep.join("1.znn")));
        assert_eq!(known.first(&place.path().join("in/other"), [place.path()].into_iter()), None);
    }
}
