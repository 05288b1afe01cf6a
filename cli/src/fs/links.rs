//! Symbolic links, and detecting two paths of one file.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// Creates a symbolic link at `path` to `target`. It is an error if `path` exists.
#[cfg(unix)]
pub fn create(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Creates a symbolic link at `path` to `target`. It is an error if `path` exists.
#[cfg(windows)]
pub fn create(target: &Path, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

/// Returns an error, because this system has no links.
#[cfg(not(any(unix, windows)))]
pub fn create(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the number that identifies a file on this machine, if the system has one.
#[cfg(unix)]
pub fn identity(file: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((file.dev(), file.ino()))
}

/// Returns `None`, because the standard library has no such number for this system.
#[cfg(not(unix))]
pub fn identity(_file: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Returns whether two paths name one file. Detects hard links if the system identifies files.
pub fn are_one_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().and_then(|file| identity(&file));
    match identity(one) {
        Some(one) => identity(other) == Some(one),
        None => is_same_file(one, other),
    }
}

/// Returns whether two paths are the same after following every symbolic link.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
