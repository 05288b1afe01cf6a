//! Following the path of an output to a file, a stream or a directory.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::fs::endpoint::Endpoint;
use crate::fs::links;

/// Maximum number of links in a chain, as on Linux.
const MAX_LINKS: usize = 40;

/// The destination of data after following every link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output of this process, under any name.
    Standard,
    /// A device, a named pipe or an open descriptor, which a file cannot replace.
    Stream(PathBuf),
    /// A regular file, or the path of a new one.
    File(PathBuf),
    /// A directory, which cannot be written.
    Directory,
    /// A descriptor that was closed when this process started.
    Closed,
}

impl Target {
    /// Follows the links of an output.
    pub fn of(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Standard => Ok(Self::Standard),
            Endpoint::Path(path) => Self::follow(path),
        }
    }

    /// Follows the links of a path one by one, because the last may lead to a file that does not
    /// exist yet.
    fn follow(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..=MAX_LINKS {
            // A descriptor looks like a link to a file, but replacing that file would not change
            // the open descriptor.
            if let Some(descriptor) = Descriptor::named(&path) {
                if descriptor.is_closed() {
                    return Ok(Self::Closed);
                }
                let is_ours = descriptor.is_ours && descriptor.number == 1;
                return Ok(if is_ours { Self::Standard } else { Self::Stream(path) });
            }
            let metadata = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Self::File(path));
                }
                found => found?,
            };
            if !metadata.is_symlink() {
                return Ok(match metadata.is_dir() {
                    true => Self::Directory,
                    false if metadata.is_file() => Self::File(path),
                    false => Self::Stream(path),
                });
            }
            // The system may forbid following links of other users in a public directory.
            if let Err(error) = fs::metadata(&path)
                && error.kind() == io::ErrorKind::PermissionDenied
            {
                return Err(error);
            }
            path = directory_of(&path).join(fs::read_link(&path)?);
        }
        Err(io::Error::other("too many levels of symbolic links"))
    }
}

/// The descriptors that were open when this process started.
static INHERITED: OnceLock<HashSet<u32>> = OnceLock::new();

/// Records which descriptors are open. Call this before opening any file.
///
/// A file gets the lowest free number. If `/dev/fd/5` is closed at first, it would later name a
/// file that this process has opened: for example the source, to which the result would be
/// appended.
pub fn note_descriptors() {
    let Ok(entries) = fs::read_dir("/dev/fd") else { return };
    let numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
        .collect();
    // One descriptor was open only while the directory was read.
    let is_open = |number: &u32| fs::symlink_metadata(format!("/dev/fd/{number}")).is_ok();
    let _ = INHERITED.set(numbers.into_iter().filter(is_open).collect());
}

/// A path that names an open descriptor of a process, such as `/dev/fd/1`.
struct Descriptor {
    is_ours: bool,
    number: u32,
}

impl Descriptor {
    fn named(path: &Path) -> Option<Self> {
        let number = path.file_name()?.to_str()?.parse().ok()?;
        let directory = directory_of(path).canonicalize().ok()?;
        let is_process = directory.starts_with("/proc") && directory.ends_with("fd");
        let is_device = directory == Path::new("/dev/fd");
        // This process may have another number in the namespace of `/proc`.
        let is_ours = is_device
            || Path::new("/proc/self").canonicalize().is_ok_and(|own| directory.starts_with(own));
        (is_process || is_device).then_some(Self { is_ours, number })
    }

    /// Returns whether the descriptor was closed when this process started.
    fn is_closed(&self) -> bool {
        self.is_ours && INHERITED.get().is_some_and(|open| !open.contains(&self.number))
    }
}

/// Returns whether a path names an open descriptor of a process.
pub fn is_descriptor(path: &Path) -> bool {
    Descriptor::named(path).is_some()
}

/// Returns whether a path leads to a descriptor or a device, so that no result belongs beside it.
pub fn is_descriptor_or_device(path: &Path) -> bool {
    match Target::follow(path) {
        Ok(Target::Standard | Target::Closed) => true,
        Ok(Target::Stream(path)) => is_descriptor(&path) || is_device(&path),
        _ => false,
    }
}

/// Returns whether a path leads to a device, such as a terminal.
#[cfg(unix)]
pub fn is_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|metadata| {
        metadata.file_type().is_char_device() || metadata.file_type().is_block_device()
    })
}

/// Returns `false`: devices cannot be detected on this system.
#[cfg(not(unix))]
pub fn is_device(_path: &Path) -> bool {
    false
}

/// Returns the directory of a path; the current directory for a bare name.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Returns whether writing to `destination` writes to the file that `source` reads.
pub fn is_source(source: &Endpoint, destination: &Endpoint) -> bool {
    let Ok(target) = Target::of(destination) else { return false };
    let written = match &target {
        Target::Directory | Target::Closed => return false,
        // A result replaces a file under one of its names only.
        Target::File(path) => match source {
            Endpoint::Path(source) => return links::is_same_file(source, path),
            Endpoint::Standard => path.metadata(),
        },
        Target::Standard => standard_output().and_then(|file| file.metadata()),
        Target::Stream(path) => path.metadata(),
    };
    let read = match source {
        Endpoint::Standard => standard_input().and_then(|file| file.metadata()),
        Endpoint::Path(path) => path.metadata(),
    };
    let identity = |metadata: io::Result<Metadata>| {
        metadata.ok().filter(Metadata::is_file).and_then(|file| links::identity(&file))
    };
    identity(read).is_some_and(|read| identity(written) == Some(read))
}

/// Opens standard input a second time. Both share the position.
pub fn standard_input() -> io::Result<File> {
    duplicate(&io::stdin())
}

/// Opens standard output a second time. The standard library's handle ignores errors of a closed
/// descriptor.
pub fn standard_output() -> io::Result<File> {
    duplicate(&io::stdout())
}

#[cfg(unix)]
fn duplicate(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn duplicate(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}

#[cfg(not(any(unix, windows)))]
fn duplicate<T>(_stream: &T) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn follows_chains_of_links_to_their_target() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("disk")).unwrap();
        fs::write(path("disk/file"), "").unwrap();
        let of = |name: &str| Target::follow(&path(name));
        for (target, link) in [
            ("disk/file", "short"),
            ("short", "long"),
            ("disk", "directory"),
            ("disk/new", "dangling"),
            ("loop", "loop"),
        ] {
            symlink(target, path(link)).unwrap();
        }
        symlink("../long", path("disk/back")).unwrap();
        assert_eq!(of("disk/file").unwrap(), Target::File(path("disk/file")));
        assert_eq!(of("long").unwrap(), Target::File(path("disk/file")));
        assert!(
            matches!(of("directory/back").unwrap(), Target::File(file) if file.ends_with("file"))
        );
        assert_eq!(of("dangling").unwrap(), Target::File(path("disk/new")));
        assert_eq!(of("new").unwrap(), Target::File(path("new")));
        assert_eq!(of("directory").unwrap(), Target::Directory);
        of("loop").unwrap_err();
        assert_eq!(
            Target::follow(Path::new("/dev/null")).unwrap(),
            Target::Stream("/dev/null".into())
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn detects_descriptors_under_every_name() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("/dev/fd/1", &link).unwrap();
        let names = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1"];
        for path in names.map(Path::new).into_iter().chain([&*link]) {
            assert_eq!(Target::follow(path).unwrap(), Target::Standard, "{path:?}");
        }
        let other = Path::new("/proc/self/fd/2");
        assert_eq!(Target::follow(other).unwrap(), Target::Stream(other.into()));
        let parent = format!("/proc/{}/fd/1", std::os::unix::process::parent_id());
        assert_eq!(Target::follow(Path::new(&parent)).unwrap(), Target::Stream(parent.into()));
    }
}
