//! Symbolic links, where the system has them.

use std::io;
use std::path::Path;

/// Makes a link at `path` that leads to `target`. Nothing may be there.
#[cfg(unix)]
pub fn create(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Makes a link at `path` that leads to `target`. Nothing may be there.
#[cfg(windows)]
pub fn create(target: &Path, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

/// Makes a link at `path` that leads to `target`: not here.
#[cfg(not(any(unix, windows)))]
pub fn create(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether two paths are names of one file, as far as the system tells.
#[cfg(unix)]
pub fn are_one_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// Whether two paths are names of one file, as far as the system tells.
#[cfg(not(unix))]
pub fn are_one_file(one: &Path, other: &Path) -> bool {
    super::names::is_same_file(one, other)
}
