//! The files of a directory and of all directories in it.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::failure::Failure;
use super::index_file;
use super::interrupt;
use super::selection::Selection;

/// A file that is to be worked on.
#[derive(Debug, Clone)]
pub struct Found {
    pub path: PathBuf,
    /// The path from the directory on.
    pub relative: PathBuf,
    /// Length in bytes.
    pub len: u64,
}

/// What is in a directory.
#[derive(Debug, Default)]
pub struct Tree {
    /// Files that were selected.
    pub files: Vec<Found>,
    /// Files that name the shards of a model.
    pub indexes: Vec<PathBuf>,
    /// Symbolic links that would have been selected, had they been files.
    pub links: usize,
    /// Directories that could not be read.
    pub failures: Vec<Failure>,
}

/// Looks into a directory, and removes what killed runs left in it. Links are not followed: what
/// they lead to may be outside, or come up twice, and may belong to somebody else.
pub fn walk(root: &Path, selection: &Selection) -> Tree {
    let mut tree = Tree::default();
    let is_meant =
        |entry: &DirEntry| entry.depth() == 0 || selection.takes_hidden() || !is_hidden(entry);
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(is_meant) {
        match entry {
            Ok(entry) => tree.add(entry, root, selection),
            Err(error) => {
                let path = error.path().unwrap_or(root).display().to_string();
                let message = match error.io_error() {
                    Some(error) => format!("cannot be read: {error}"),
                    None => error.to_string(),
                };
                tree.failures.push(Failure::new(path, message));
            }
        }
    }
    tree
}

impl Tree {
    fn add(&mut self, entry: DirEntry, root: &Path, selection: &Selection) {
        let kind = entry.file_type();
        let path = entry.path();
        if kind.is_dir() {
            interrupt::remove_abandoned(path);
            return;
        }
        if interrupt::is_unfinished(entry.file_name()) {
            return;
        }
        let relative = path.strip_prefix(root).unwrap_or(path);
        let is_selected = selection.takes(relative);
        if kind.is_symlink() {
            self.links += usize::from(is_selected);
        } else if kind.is_file() && is_selected {
            let len = entry.metadata().map_or(0, |metadata| metadata.len());
            self.files.push(Found { path: path.to_owned(), relative: relative.to_owned(), len });
        } else if kind.is_file() && index_file::is_index(path) {
            self.indexes.push(path.to_owned());
        }
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}
