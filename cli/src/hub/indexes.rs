//! Updates files of a cached model that name other files: indexes of shards, and the library's
//! listings of revisions.
//!
//! An index is a blob, whose name is the hash of its contents. A changed index therefore becomes
//! another blob, `HASH.znn.json`. The original blob can be restored from it, and is removed.
//!
//! A listing contains the names of a revision's files on the Hub. If one of these files is missing,
//! the library treats the revision as incomplete and fetches it again. Listings therefore get the
//! names of the files in the cache.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::fs::names::{Direction, Scope, is_index};
use crate::fs::{output, temp};
use crate::hub::layout::{Link, Repository};
use crate::report::failure::Failure;
use crate::set::index_file;

/// The end of the names of changed index blobs.
const REWRITTEN: &str = ".znn.json";

/// Reads every index and listing of a repository. Returns failures for files that could not be
/// updated after renaming others.
pub fn check_all(repository: &Repository) -> Vec<Failure> {
    let contents = repository.scan();
    let files = contents.files.into_iter().map(|file| file.path);
    let linked = contents
        .links
        .into_values()
        .filter_map(|links| links.into_iter().map(|link| link.path).find(|path| is_index(path)));
    let indexes = files.chain(linked).filter(|path| is_index(path));
    let listings = repository.listings().into_iter().map(|(listing, _)| listing);
    indexes.chain(listings).filter_map(|path| index_file::check(&path).err()).collect()
}

/// Updates all names in the indexes and listings of a repository. Returns the failures.
pub fn rewrite_all(repository: &Repository, direction: Direction) -> Vec<Failure> {
    let contents = repository.scan();
    let mut results = Vec::new();
    for file in contents.files.iter().filter(|file| is_index(&file.path)) {
        let path = &file.path;
        results.push(index_file::rewrite_file(path, path, direction, Scope::File, false));
    }
    for (blob, links) in &contents.links {
        if links.iter().any(|link| is_index(&link.path)) {
            let index = IndexBlob { repository, blob, links };
            results.push(index.rewrite(direction));
        }
    }
    for (listing, tree) in repository.listings() {
        results.push(rewrite_listing(&listing, &tree, direction));
    }
    results.into_iter().filter_map(Result::err).collect()
}

/// The blob of an index, and the links to it.
struct IndexBlob<'a> {
    repository: &'a Repository,
    blob: &'a OsStr,
    links: &'a [Link],
}

impl IndexBlob<'_> {
    fn rewrite(&self, direction: Direction) -> Result<(), Failure> {
        match (self.original(), direction) {
            (None, Direction::Compress) => self.replace_by_rewritten(),
            (Some(original), Direction::Compress) => {
                self.rewrite_in_place(direction)?;
                self.remove_original(&original)
            }
            (Some(original), Direction::Decompress) => self.restore(&original),
            (None, Direction::Decompress) => {
                // The original's scripts change blobs in place.
                self.rewrite_in_place(direction)?;
                self.remove_if_unused(&rewritten_name(self.blob))
            }
        }
    }

    /// Returns the name of the original blob, if this is a changed one.
    fn original(&self) -> Option<OsString> {
        self.blob.to_str()?.strip_suffix(REWRITTEN).map(OsString::from)
    }

    fn path(&self) -> PathBuf {
        self.repository.blob(self.blob)
    }

    /// Redirects all links to a changed blob.
    fn replace_by_rewritten(&self) -> Result<(), Failure> {
        let Some(text) = self.rewritten(Direction::Compress)? else { return Ok(()) };
        let name = rewritten_name(self.blob);
        write_like(&self.repository.blob(&name), &text, &self.path())?;
        self.redirect_to(&name)?;
        let rewritten = IndexBlob { blob: &name, ..*self };
        rewritten.remove_original(self.blob)
    }

    /// Redirects all links to the original blob, unless some shards still have the changed names.
    fn restore(&self, original: &OsStr) -> Result<(), Failure> {
        self.rewrite_in_place(Direction::Decompress)?;
        let text = index_file::read(&self.path())?;
        let left = index_file::rewrite(&text, Direction::Decompress, |old, _| self.has(old));
        if left.map_err(|error| index_file::not_an_index(&self.path(), error))?.is_some() {
            return Ok(());
        }
        let path = self.repository.blob(original);
        if !path.exists() {
            write_like(&path, &text, &self.path())?;
        }
        self.redirect_to(original)?;
        self.remove_if_unused(self.blob)
    }

    fn rewrite_in_place(&self, direction: Direction) -> Result<(), Failure> {
        match self.rewritten(direction)? {
            Some(text) => write_like(&self.path(), &text, &self.path()),
            None => Ok(()),
        }
    }

    /// Returns the updated text. Several trees share the blob: a name changes only if no tree has
    /// the file under just its old name.
    fn rewritten(&self, direction: Direction) -> Result<Option<String>, Failure> {
        let path = self.path();
        let is_renamed = |old: &str, new: &str| {
            self.has(new) && !self.trees().any(|tree| exists(tree, old) && !exists(tree, new))
        };
        index_file::rewrite(&index_file::read(&path)?, direction, is_renamed)
            .map_err(|error| index_file::not_an_index(&path, error))
    }

    /// Returns whether a file exists beside one of the links.
    fn has(&self, name: &str) -> bool {
        self.trees().any(|tree| exists(tree, name))
    }

    fn trees(&self) -> impl Iterator<Item = &Path> {
        self.links.iter().filter_map(|link| link.path.parent())
    }

    fn redirect_to(&self, blob: &OsStr) -> Result<(), Failure> {
        for link in self.links {
            temp::redirect(&link.path, &link.target.with_file_name(blob))
                .map_err(|error| Failure::writing(link.path.display(), error))?;
            output::sync_directory_of(&link.path);
        }
        Ok(())
    }

    /// Removes the original blob, if it can be restored from this one.
    fn remove_original(&self, original: &OsStr) -> Result<(), Failure> {
        let path = self.repository.blob(original);
        let Ok(expected) = fs::read_to_string(&path) else { return Ok(()) };
        let text = index_file::read(&self.path())?;
        let undone = index_file::rewrite(&text, Direction::Decompress, |_, _| true);
        if undone.is_ok_and(|undone| undone.as_ref() == Some(&expected)) {
            self.remove_if_unused(original)?;
        }
        Ok(())
    }

    /// Removes another blob, if it exists and no link leads to it.
    fn remove_if_unused(&self, blob: &OsStr) -> Result<(), Failure> {
        let path = self.repository.blob(blob);
        if !path.exists() || self.repository.scan().links.contains_key(blob) {
            return Ok(());
        }
        fs::remove_file(&path).map_err(|error| {
            Failure::new(path.display(), format_args!("cannot be removed: {error}"))
        })
    }
}

fn exists(tree: &Path, name: &str) -> bool {
    tree.join(name).exists()
}

fn rewritten_name(blob: &OsStr) -> OsString {
    let mut name = blob.to_owned();
    name.push(REWRITTEN);
    name
}

/// Writes a blob with the permissions of `like`.
fn write_like(path: &Path, text: &str, like: &Path) -> Result<(), Failure> {
    let like = fs::metadata(like).map_err(|error| Failure::reading(like.display(), error))?;
    output::replace(path, text.as_bytes(), &like)
}

fn rewrite_listing(path: &Path, tree: &Path, direction: Direction) -> Result<(), Failure> {
    const FILES: &str = "files";
    let is_renamed = |old: &str, new: &str| exists(tree, new) && !exists(tree, old);
    let rewritten =
        index_file::rewrite_where(&index_file::read(path)?, direction, is_renamed, |name| {
            name.is_key && name.path == [FILES]
        });
    match rewritten.map_err(|error| index_file::not_an_index(path, error))? {
        Some(text) => write_like(path, &text, path),
        None => Ok(()),
    }
}
