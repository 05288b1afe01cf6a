//! Detecting that a file is changed or replaced while it is read.

use std::fs::{self, Metadata};
use std::path::PathBuf;

use crate::fs::endpoint::Endpoint;
use crate::fs::links;
use crate::report::failure::Failure;

/// The state of a regular file when it was opened.
#[derive(Debug, Clone)]
pub struct Snapshot {
    path: PathBuf,
    metadata: Metadata,
}

impl Snapshot {
    /// Records the state of a regular file. Returns `None` for anything else.
    pub fn new(endpoint: &Endpoint, metadata: Option<&Metadata>) -> Option<Self> {
        let metadata = metadata.filter(|metadata| metadata.is_file())?;
        Some(Self { path: endpoint.path()?.to_owned(), metadata: metadata.clone() })
    }

    /// Returns an error if the path names other contents now. A file that was removed meanwhile has
    /// been read unchanged.
    pub fn check(&self) -> Result<(), Failure> {
        match fs::metadata(&self.path) {
            Ok(now) if !self.is(&now) => Err(self.changed("nothing was written")),
            _ => Ok(()),
        }
    }

    /// Returns an error unless the path itself, without a link, still names the file that was read.
    pub fn check_removable(&self) -> Result<(), Failure> {
        match fs::symlink_metadata(&self.path) {
            Ok(now) if self.is(&now) => Ok(()),
            _ => Err(self.changed("the file is kept")),
        }
    }

    fn is(&self, now: &Metadata) -> bool {
        let then = &self.metadata;
        // Virtual files, for example under /proc, have a new time at every access.
        let is_virtual = then.len() == 0 && now.len() == 0;
        let same_contents =
            then.len() == now.len() && (is_virtual || then.modified().ok() == now.modified().ok());
        same_contents && now.is_file() && links::identity(then) == links::identity(now)
    }

    fn changed(&self, outcome: &str) -> Failure {
        Failure::new(self.path.display(), format_args!("changed while it was read; {outcome}"))
            .hint("try again when no other program writes to it")
    }
}

/// Returns an error if one of the files has changed.
pub fn check_all(snapshots: &[Snapshot]) -> Result<(), Failure> {
    snapshots.iter().try_for_each(Snapshot::check)
}

/// Replaces a failure with the error that a file changed while it was read, if one did.
pub fn explain(snapshots: &[Snapshot], failure: Failure) -> Failure {
    check_all(snapshots).err().unwrap_or(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_changed_contents() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let endpoint = Endpoint::Path(path.clone());
        let write = |text: &str, seconds| {
            fs::write(&path, text).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        write("one", 1);
        let snapshot = Snapshot::new(&endpoint, fs::metadata(&path).ok().as_ref()).unwrap();
        snapshot.check().unwrap();
        snapshot.check_removable().unwrap();
        for (text, seconds) in [("two", 2), ("longer", 1)] {
            write(text, seconds);
            snapshot.check().unwrap_err();
            snapshot.check_removable().unwrap_err();
        }
        fs::remove_file(&path).unwrap();
        snapshot.check().unwrap();
        snapshot.check_removable().unwrap_err();
        let metadata = fs::metadata(directory.path()).unwrap();
        assert!(Snapshot::new(&endpoint, Some(&metadata)).is_none());
    }

    #[test]
    #[cfg(unix)]
    fn detects_another_file_of_the_same_name() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other] = ["file", "other"].map(|name| directory.path().join(name));
        fs::write(&path, "one").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let snapshot = Snapshot::new(&Endpoint::Path(path.clone()), Some(&metadata)).unwrap();
        fs::write(&other, "two").unwrap();
        let file = fs::File::options().write(true).open(&other).unwrap();
        file.set_modified(metadata.modified().unwrap()).unwrap();
        fs::rename(&other, &path).unwrap();
        snapshot.check().unwrap_err();
        // A link that leads to the file that was read is not that file.
        let linked =
            Snapshot::new(&Endpoint::Path(path.clone()), fs::metadata(&path).ok().as_ref());
        fs::rename(&path, &other).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        linked.as_ref().unwrap().check().unwrap();
        linked.unwrap().check_removable().unwrap_err();
    }
}
