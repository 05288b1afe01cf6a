//! Finding the files of a directory and of all directories in it.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::fs::selection::Selection;
use crate::fs::{names, temp};
use crate::report::failure::Failure;

/// A file in a directory.
#[derive(Debug, Clone)]
pub struct FoundFile {
    pub path: PathBuf,
    /// The path relative to the directory.
    pub relative: PathBuf,
    /// Length in bytes.
    pub len: u64,
}

/// The files of a directory.
#[derive(Debug, Default)]
pub struct Tree {
    /// Selected files.
    pub files: Vec<FoundFile>,
    /// Index files of models, and links to them.
    pub indexes: Vec<FoundFile>,
    /// Number of symbolic links with selected names.
    pub links: usize,
    /// Results of earlier runs, by their names.
    pub done: Vec<PathBuf>,
    /// Files and directories that could not be read.
    pub failures: Vec<Failure>,
}

/// Lists a directory. Removes temporary files of killed processes, unless files are only read.
///
/// Does not follow links to directories. Follows links to files only if files are only read, and
/// links to indexes, which name files beside the link.
pub fn walk(root: &Path, selection: &Selection) -> Tree {
    let mut tree = Tree::default();
    let is_included =
        |entry: &DirEntry| entry.depth() == 0 || selection.takes_hidden() || !is_hidden(entry);
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(is_included) {
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
                self.failures.push(dangling_link(path));
            }
            return;
        }
        if selection.is_result(relative) && kind.is_file() {
            selection.note(relative);
            self.done.push(path.to_owned());
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

fn dangling_link(path: &Path) -> Failure {
    Failure::new(path.display(), "is a link to a file that does not exist")
        .hint("fetch or copy the target of the link once more")
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}
