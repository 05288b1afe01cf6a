//! Whether standard input and output were closed when the program was started.
//!
//! The standard library opens `/dev/null` in the place of a closed stream before `main` runs, for
//! reading and writing, and nothing records that it did: in its place everything can be read, and
//! everything written disappears without an error. To start with a stream that leads to `/dev/null`
//! is fine, though, and some programs open it for reading and writing as well, such as Python for
//! `DEVNULL`. On Linux, the parent process distinguishes the two:
//!
//! - it has no such stream itself, so that there was none to pass on, or
//! - it is a shell, which opens `/dev/null` in one direction alone, and whose own stream is not
//!   `/dev/null` for reading and writing, either.
//!
//! This misses a stream that was closed in another way, for example by a shell that was replaced by
//! this program at once. It is right where it finds one.

use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;

/// A stream that every program is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Input,
    Output,
}

impl Stream {
    /// Returns an error if the stream is closed, as far as that can be detected.
    pub fn check(self) -> Result<(), Failure> {
        let (name, redirect) = match self {
            Self::Input => ("standard input", "redirect it, or name a file"),
            Self::Output => ("standard output", "redirect it, or name a file with --output"),
        };
        match imp::is_usable(self) {
            true => Ok(()),
            false => Err(Failure::new("-", format_args!("{name} is closed")).hint(redirect)),
        }
    }
}

/// Explains that a path names a descriptor that was closed when the program was started.
pub fn closed_descriptor(endpoint: &Endpoint) -> Failure {
    Failure::new(endpoint, "is a descriptor that is not open").hint("redirect it, or name a file")
}

#[cfg(target_os = "linux")]
mod imp {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::process::parent_id;
    use std::path::Path;

    use super::Stream;

    /// Names of shells, and of programs that contain one.
    const SHELLS: [&str; 11] =
        ["ash", "bash", "busybox", "dash", "fish", "ksh", "ksh93", "mksh", "sh", "yash", "zsh"];
    const ACCESS: u32 = 0o3;
    const READ_ONLY: u32 = 0;
    const WRITE_ONLY: u32 = 1;
    const READ_WRITE: u32 = 2;

    pub(super) fn is_usable(stream: Stream) -> bool {
        let number = stream as u32;
        let Some(access) = access("self", number) else { return true };
        // Opened the wrong way round, it is of no more use than if it were closed.
        let wrong = if stream == Stream::Input { WRITE_ONLY } else { READ_ONLY };
        access != wrong && !(is_null(access, "self", number) && was_closed(number))
    }

    /// Returns whether the parent shows that it started this program without the stream.
    fn was_closed(number: u32) -> bool {
        let parent = parent_id().to_string();
        let descriptors = format!("/proc/{parent}/fd");
        // An unreadable directory proves nothing about its entries.
        if fs::read_dir(&descriptors).is_err() {
            return false;
        }
        match access(&parent, number) {
            None => true,
            Some(access) => is_shell(&parent) && !is_null(access, &parent, number),
        }
    }

    fn is_shell(process: &str) -> bool {
        // Its `comm` would be the name of the script.
        let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        let name = program.file_name().and_then(OsStr::to_str).unwrap_or_default();
        SHELLS.contains(&name.trim_end_matches(" (deleted)"))
    }

    /// Returns whether a descriptor is what the standard library opens for a closed stream.
    fn is_null(access: u32, process: &str, number: u32) -> bool {
        let leads_to = fs::read_link(format!("/proc/{process}/fd/{number}"));
        access == READ_WRITE && leads_to.is_ok_and(|path| path == Path::new("/dev/null"))
    }

    /// Returns the way in which a descriptor is open; `None` if it is closed.
    fn access(process: &str, number: u32) -> Option<u32> {
        let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        u32::from_str_radix(flags.trim(), 8).ok().map(|flags| flags & ACCESS)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    /// Returns that the stream can be used, as nothing shows otherwise.
    pub(super) fn is_usable(_stream: super::Stream) -> bool {
        true
    }
}
