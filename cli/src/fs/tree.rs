//! The files of a directory and of all directories in it.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::fs::selection::Selection;
use crate::fs::{names, temp};
use crate::report::failure::Failure;

/// A file that is to be worked on.
#[derive(Debug, Clone)]
pub struct FoundFile {
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
    pub files: Vec<FoundFile>,
    /// Files that name the shards of a model, or links to such files.
    pub indexes: Vec<FoundFile>,
    /// Symbolic links that would have been selected, had they been files.
    pub links: usize,
    /// Files on which the command has been run before, by their names.
    pub done: usize,
    /// What could not be read.
    pub failures: Vec<Failure>,
}

/// Looks into a directory, and removes what killed runs left in it, unless files are only read.
/// Links to directories are not followed; links to files only where files are only read, and to
/// indexes, which name what lies beside the link.
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
            if !selection.only_reads() {
                temp::remove_abandoned(path);
            }
            return;
        }
        if temp::is_unfinished(entry.file_name()) {
            return;
        }
        let relative = path.strip_prefix(root).unwrap_or(path);
        let is_link = kind.is_symlink();
        if selection.takes(relative) {
            if is_link && !selection.only_reads() {
                self.links += 1;
            } else if let Ok(file) = fs::metadata(path)
                && file.is_file()
            {
                selection.note(relative);
                let (path, relative) = (path.to_owned(), relative.to_owned());
                self.files.push(FoundFile { path, relative, len: file.len() });
            } else if is_link {
                self.failures.push(leads_nowhere(path));
            }
            return;
        }
        if selection.has_taken(relative) && kind.is_file() {
            selection.note(relative);
            self.done += 1;
        }
        if names::is_index(path) && (kind.is_file() || is_link) {
            self.indexes.push(FoundFile {
                path: path.to_owned(),
                relative: relative.to_owned(),
                len: 0,
            });
        }
    }
}

fn leads_nowhere(path: &Path) -> Failure {
    Failure::new(path.display(), "is a link that leads to no file")
        .hint("fetch or copy the file that it led to once more")
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}
