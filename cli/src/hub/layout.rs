//! The layout of the cache of the Hugging Face Hub.
//!
//! For each model, `models--ORG--NAME/blobs` contains the files, named by their hashes, and
//! `snapshots/REVISION` contains the tree of a revision: links to blobs, `../../blobs/…`. Revisions
//! share blobs. Without links (on Windows, or in copies), the tree contains the files themselves.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::fs::temp;
use crate::fs::tree::FoundFile;
use crate::report::failure::Failure;

const BLOBS: &str = "blobs";
const SNAPSHOTS: &str = "snapshots";
/// The directory of the library's listings, which name all files of revisions, fetched or not.
const LISTINGS: &str = "trees";
/// The directory in which the library records that the Hub does not have a file.
const ABSENT: &str = ".no_exist";

/// The directory of a model in the cache.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    /// The directory of the library's locks on blobs.
    locks: PathBuf,
}

/// A link in the tree of a revision to a blob.
#[derive(Debug, Clone)]
pub struct Link {
    pub path: PathBuf,
    /// The target as the link stores it.
    pub target: PathBuf,
}

/// The links and files of all revisions.
#[derive(Debug, Default)]
pub struct Contents {
    /// The links to each blob.
    pub links: BTreeMap<OsString, Vec<Link>>,
    /// Files in the tree that are not links.
    pub files: Vec<FoundFile>,
}

impl Repository {
    /// Finds a model in the given cache, or in the cache that the environment names.
    pub fn find(model: &str, cache: Option<&Path>) -> Result<Self, Failure> {
        if !is_model(model) {
            return Err(Failure::usage(model, "is not the name of a model on the Hub")
                .hint("name it as on the Hub: --hub ORG/NAME"));
        }
        let cache = cache.map(Path::to_owned).or_else(default_cache).ok_or_else(|| {
            Failure::usage("--hub", "the cache cannot be found").hint("name it with --cache")
        })?;
        let name = format!("models--{}", model.replace('/', "--"));
        let root = cache.join(&name);
        if !root.join(SNAPSHOTS).is_dir() {
            return Err(Failure::new(
                root.display(),
                "does not exist: the model is not in this cache",
            )
            .hint("name another cache with --cache, or with HF_HUB_CACHE or HF_HOME"));
        }
        Ok(Self { root, locks: cache.join(".locks").join(name) })
    }

    /// Locks the model against other runs until the result is dropped.
    pub fn lock(&self) -> Result<Option<File>, Failure> {
        // If directories cannot be locked, each file is still safe.
        let Ok(directory) = File::open(&self.root) else { return Ok(None) };
        match directory.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Err(Failure::new(self.root.display(), "is being processed by another run")
                    .hint("wait until that run has ended"))
            }
            _ => Ok(Some(directory)),
        }
    }

    /// Takes the library's lock on a blob, if the lock file exists. The library holds it while it
    /// fetches or links the blob.
    pub fn lock_blob(&self, blob: &OsStr) -> Result<Option<File>, Failure> {
        let mut name = blob.to_owned();
        name.push(".lock");
        let Ok(file) = File::options().append(true).open(self.locks.join(name)) else {
            return Ok(None);
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Err(Failure::new(self.blob(blob).display(), "is being fetched")
                    .hint("try again when it is complete"))
            }
            _ => Ok(Some(file)),
        }
    }

    /// Returns the path of a blob.
    pub fn blob(&self, name: &OsStr) -> PathBuf {
        self.root.join(BLOBS).join(name)
    }

    /// Returns the target that a link at `path` stores for a blob.
    pub fn target(&self, path: &Path, blob: &OsStr) -> PathBuf {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let mut target = PathBuf::new();
        for _ in relative.components().skip(1) {
            target.push("..");
        }
        target.join(BLOBS).join(blob)
    }

    /// Lists all links and files of all revisions.
    pub fn scan(&self) -> Contents {
        let mut contents = Contents::default();
        let blobs = self.root.join(BLOBS).canonicalize().ok();
        let snapshots = self.root.join(SNAPSHOTS);
        for entry in WalkDir::new(&snapshots).min_depth(2).sort_by_file_name().into_iter().flatten()
        {
            let path = entry.path();
            if temp::is_unfinished(entry.file_name()) {
                continue;
            }
            if entry.file_type().is_file() {
                let relative = tree_path(&snapshots, path);
                let len = entry.metadata().map_or(0, |metadata| metadata.len());
                contents.files.push(FoundFile { path: path.to_owned(), relative, len });
            } else if let (true, Ok(target)) = (entry.path_is_symlink(), fs::read_link(path)) {
                let link = Link { path: path.to_owned(), target };
                // Other links lead out of the repository.
                if let Some(blob) = link.blob_in(blobs.as_deref()) {
                    contents.links.entry(blob).or_default().push(link);
                }
            }
        }
        contents
    }

    /// Returns the path of an entry relative to its revision.
    pub fn path_in_tree(&self, path: &Path) -> PathBuf {
        tree_path(&self.root.join(SNAPSHOTS), path)
    }

    /// Returns the listings of files, each with the tree that it describes.
    pub fn listings(&self) -> Vec<(PathBuf, PathBuf)> {
        let Ok(entries) = fs::read_dir(self.root.join(SNAPSHOTS)) else { return Vec::new() };
        let with_listing = entries.flatten().filter_map(|entry| {
            let mut name = entry.file_name();
            name.push(".json");
            let listing = self.root.join(LISTINGS).join(name);
            listing.is_file().then(|| (listing, entry.path()))
        });
        with_listing.collect()
    }

    /// Removes the record that the Hub does not have a file.
    pub fn forget_absence(&self, path: &Path) {
        if let Ok(relative) = path.strip_prefix(self.root.join(SNAPSHOTS)) {
            let _ = fs::remove_file(self.root.join(ABSENT).join(relative));
        }
    }

    /// Removes temporary files of killed runs. The model must be locked.
    pub fn remove_abandoned(&self) {
        temp::remove_abandoned(&self.root.join(BLOBS));
        temp::remove_abandoned(&self.root.join(LISTINGS));
        for entry in WalkDir::new(self.root.join(SNAPSHOTS)).into_iter().flatten() {
            if entry.file_type().is_dir() {
                temp::remove_abandoned(entry.path());
            } else if entry.path_is_symlink() && temp::is_unfinished(entry.file_name()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Link {
    /// Returns the blob to which the link leads, if it is in `blobs`.
    fn blob_in(&self, blobs: Option<&Path>) -> Option<OsString> {
        let target = self.path.parent()?.join(&self.target);
        let directory = target.parent()?.canonicalize().ok()?;
        (Some(directory.as_path()) == blobs).then(|| target.file_name().map(OsStr::to_owned))?
    }
}

/// Returns the path of an entry of a tree relative to its revision.
fn tree_path(snapshots: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(snapshots).unwrap_or(path).components().skip(1).collect()
}

/// Returns whether a name is valid for a model on the Hub.
fn is_model(model: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.contains("--")
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    model.split('/').count() <= 2 && model.split('/').all(is_name)
}

/// Returns the directory of the library's cache.
fn default_cache() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(expand_home);
    variable("HF_HUB_CACHE")
        .or_else(|| variable("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| Some(variable("HF_HOME")?.join("hub")))
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .or_else(|| Some(env::home_dir()?.join(".cache/huggingface/hub")))
}

/// Replaces a leading `~` with the home directory, as the library does.
fn expand_home(path: OsString) -> PathBuf {
    let path = PathBuf::from(path);
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_valid_names_of_models() {
        for name in ["org/name", "gpt2", "a-b/C_d.e-1"] {
            assert!(is_model(name), "{name}");
        }
        for name in ["", "/", "a/", "a/b/c", "..", "../x", "a/..", "a--b", "a b", "a\\b", "/etc"] {
            assert!(!is_model(name), "{name}");
        }
    }

    #[test]
    fn targets_are_relative_to_their_links() {
        let repository = Repository { root: "/c/models--a--b".into(), locks: PathBuf::new() };
        for (path, target) in [
            ("snapshots/r/model.bin", "../../blobs/x"),
            ("snapshots/r/unet/model.bin", "../../../blobs/x"),
        ] {
            let path = Path::new("/c/models--a--b").join(path);
            assert_eq!(repository.target(&path, OsStr::new("x")), Path::new(target));
        }
    }
}
