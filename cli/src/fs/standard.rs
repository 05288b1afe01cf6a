//! Detecting that standard input or output was closed when the program started.
//!
//! Before `main` runs, the standard library replaces a closed stream with `/dev/null`, opened for
//! reading and writing, and does not record it. Reads then find no data, and writes disappear
//! without an error. Starting with a stream that is `/dev/null` is valid, though, and some programs
//! open it for reading and writing as well, for example Python for `DEVNULL`. On Linux, the parent
//! process distinguishes the two. The stream was closed if the parent
//!
//! - does not have this stream itself, so that it could not pass it on, or
//! - is a shell, which opens `/dev/null` in one direction only, and whose own stream is not
//!   `/dev/null` for reading and writing.
//!
//! This misses a stream that was closed in another way, for example by a shell that replaced itself
//! with this program. It never reports an open stream as closed.

use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Input,
    Output,
}

impl Stream {
    /// Returns an error if the stream was closed, as far as that can be detected.
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

/// Returns the error for a path of a descriptor that was closed when the program started.
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
        // A stream in the wrong direction is as useless as a closed one.
        let wrong = if stream == Stream::Input { WRITE_ONLY } else { READ_ONLY };
        access != wrong && !(is_null(access, "self", number) && was_closed(number))
    }

    /// Returns whether the parent started this program without the stream.
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
        // `comm` would be the name of the script.
        let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        let name = program.file_name().and_then(OsStr::to_str).unwrap_or_default();
        SHELLS.contains(&name.trim_end_matches(" (deleted)"))
    }

    /// Returns whether a descriptor is open as the standard library replaces a closed stream.
    fn is_null(access: u32, process: &str, number: u32) -> bool {
        let leads_to = fs::read_link(format!("/proc/{process}/fd/{number}"));
        access == READ_WRITE && leads_to.is_ok_and(|path| path == Path::new("/dev/null"))
    }

    /// Returns the access mode of a descriptor; `None` if it is closed.
    fn access(process: &str, number: u32) -> Option<u32> {
        let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        u32::from_str_radix(flags.trim(), 8).ok().map(|flags| flags & ACCESS)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    /// Returns `true`: a closed stream cannot be detected.
    pub(super) fn is_usable(_stream: super::Stream) -> bool {
        true
    }
}
