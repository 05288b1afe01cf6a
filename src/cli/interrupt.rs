//! Unfinished files, and their removal when somebody presses Ctrl-C.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile};

use super::links;

/// Exit status of an interrupted process, as shells show it for SIGINT.
const INTERRUPTED: i32 = 130;

/// Files that are not finished. Whoever holds the lock can be sure that none comes or goes.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on, whatever asks the process to end removes what is unfinished first; so does a panic.
pub fn clean_up_on_signals() {
    signals::on_end(|| {
        // The lock is kept until the process has ended: no file can be begun meanwhile.
        let unfinished = unfinished();
        remove(&unfinished);
        std::process::exit(INTERRUPTED);
    });
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(unfinished) = UNFINISHED.try_lock() {
            remove(&unfinished);
        }
        report(panic);
    }));
}

#[cfg(unix)]
mod signals {
    use std::ffi::c_int;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// Runs `action` when the process is told to end. Where signals cannot be caught, the program
    /// is still good for everything else.
    pub(super) fn on_end(action: fn()) {
        let ours = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|&signal| !is_ignored(signal));
        if let Ok(mut signals) = Signals::new(ours) {
            std::thread::spawn(move || signals.forever().for_each(|_| action()));
        }
    }

    /// Whether whoever started us wanted us not to hear a signal, as `nohup` does. Where that
    /// cannot be found out, a lost terminal is taken for no reason to stop.
    fn is_ignored(signal: c_int) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.map_or(signal == SIGHUP, |mask| mask >> (signal - 1) & 1 == 1)
    }
}

#[cfg(windows)]
mod signals {
    /// Runs `action` when the process is told to end.
    pub(super) fn on_end(action: fn()) {
        let _ = ctrlc::set_handler(action);
    }
}

#[cfg(not(any(unix, windows)))]
mod signals {
    /// There is nobody who could tell us.
    pub(super) fn on_end(_action: fn()) {}
}

fn remove(paths: &[PathBuf]) {
    for path in paths {
        let _ = fs::remove_file(path);
    }
}

/// How the name of an unfinished file begins and ends.
const PREFIX: &str = ".zipnn-";
const SUFFIX: &str = ".tmp";

/// Whether a file of this name is one that is not finished.
pub fn is_unfinished(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

/// Removes what runs have left in a directory that were killed. Whoever still writes a file has it
/// locked. Where files cannot be locked, nobody can tell, and they stay.
#[cfg(unix)]
pub fn remove_abandoned(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|entry| is_unfinished(&entry.file_name())) {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Elsewhere a lock keeps everybody from reading, so that there are none.
#[cfg(not(unix))]
pub fn remove_abandoned(_directory: &Path) {}

/// Permissions of a file that nobody else may look into.
const PRIVATE: u32 = 0o600;

/// Creates a file with a name of its own, and on Unix with these permissions, less those that the
/// directory or the user denies to new files. The name is short: any that is legal for the
/// destination leaves room for it.
fn create(directory: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    // Opened here, so that errors do not tell of a name that nobody has ever heard of.
    Builder::new().prefix(PREFIX).suffix(SUFFIX).make_in(directory, |path| options.open(path))
}

/// Creates a private file that is locked, so that nobody takes it for abandoned.
fn create_locked(directory: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = create(directory, PRIVATE)?;
        // There are file systems without locks, and nothing is abandoned there.
        #[cfg(unix)]
        let _ = file.as_file().lock();
        // Somebody may have removed it before that.
        if fs::symlink_metadata(file.path()).is_ok() {
            return Ok(file);
        }
    }
}

/// A file under a name of its own in the directory of its destination, where nobody else can read
/// it yet. It is gone when dropped, unless it has been given its name.
#[derive(Debug)]
pub struct Unfinished(Option<NamedTempFile>);

impl Unfinished {
    /// Begins a file that is to have the name `destination`.
    pub fn create(destination: &Path) -> io::Result<Self> {
        let directory = match destination.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut unfinished = unfinished();
        let file = create_locked(directory)?;
        unfinished.push(file.path().to_owned());
        Ok(Self(Some(file)))
    }

    /// The file itself.
    pub fn file(&mut self) -> &mut File {
        self.0.as_mut().expect("a file has not been given its name twice").as_file_mut()
    }

    /// Where it is for now.
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), NamedTempFile::path)
    }

    /// Gives it the permissions that files usually get in its directory. What those are, a file
    /// tells that is there for a moment, and empty.
    #[cfg(unix)]
    pub fn make_usual(&mut self) -> io::Result<()> {
        const USUAL: u32 = 0o666;
        // No signal may end the process as long as the other file is there.
        let lock = unfinished();
        let directory = self.path().parent().unwrap_or(Path::new("."));
        let usual = create(directory, USUAL)?.as_file().metadata()?.permissions();
        drop(lock);
        self.file().set_permissions(usual)
    }

    /// Gives it its name. Replaces what is there only if told so.
    pub fn persist(mut self, destination: &Path, replace: bool) -> io::Result<()> {
        let Some(file) = self.0.take() else { return Ok(()) };
        let mut unfinished = unfinished();
        let path = file.path().to_owned();
        let result =
            if replace { file.persist(destination) } else { file.persist_noclobber(destination) };
        unfinished.retain(|entry| *entry != path);
        result.map(drop).map_err(|error| error.error)
    }
}

/// Makes the link at `path` lead to `target`, in one step.
pub fn redirect(path: &Path, target: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // Nothing may end the process as long as the other link is there.
    let lock = unfinished();
    let link = Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .make_in(directory, |path| links::create(target, path))?;
    let result = link.into_temp_path().persist(path).map_err(|error| error.error);
    drop(lock);
    result
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            let mut unfinished = unfinished();
            unfinished.retain(|entry| *entry != file.path());
            drop(file);
        }
    }
}
