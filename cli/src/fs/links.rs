//! Symbolic links, where the system has them, and what makes two paths one file.

use std::fs::Metadata;
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

/// Returns an error: this system has no links.
#[cfg(not(any(unix, windows)))]
pub fn create(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns what identifies a file on this machine, where the system has such a number.
#[cfg(unix)]
pub fn identity(file: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((file.dev(), file.ino()))
}

/// Returns `None`: the standard library has no such number for this system.
#[cfg(not(unix))]
pub fn identity(_file: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Returns whether two paths lead to one file, hard links included where the system identifies
/// files.
pub fn are_one_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().and_then(|file| identity(&file));
    match identity(one) {
        Some(one) => identity(other) == Some(one),
        None => is_same_file(one, other),
    }
}

/// Returns whether two paths lead to the same path, once every link is followed.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
