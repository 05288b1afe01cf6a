//! Temporary files, and their removal when a signal ends the process.

#[cfg(unix)]
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile};

use crate::fs::{links, target};

/// The temporary files of this process. While it is locked, none is created or removed.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Installs handlers that remove all temporary files when a signal or a panic ends the process.
pub fn clean_up_on_signals() {
    signals::on_end(|end| {
        // Holds the lock until the process has ended, so that no file is created meanwhile.
        let unfinished = unfinished();
        remove(&unfinished);
        end()
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

    use signal_hook::consts::{
        SIGABRT, SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM,
        SIGXCPU, SIGXFSZ,
    };
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    /// Signals from other processes that end a process by default. Batch systems announce limits
    /// with some of them.
    const ENDING: [c_int; 8] =
        [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF];
    /// Signals for which the system may also write a core file, and shells print a message.
    const ENDING_WITH_CORE: [c_int; 4] = [SIGQUIT, SIGABRT, SIGXCPU, SIGXFSZ];

    /// Calls `action` when a signal ends the process, with a function that ends it. Does nothing if
    /// signals cannot be caught.
    pub(super) fn on_end(action: fn(&dyn Fn())) {
        let all = ENDING.into_iter().chain(ENDING_WITH_CORE);
        let ours = all.filter(|&signal| !is_ignored(signal));
        if let Ok(mut signals) = Signals::new(ours) {
            std::thread::spawn(move || {
                signals.forever().for_each(|signal| action(&|| end(signal)));
            });
        }
    }

    /// Ends the process with the status that shells show for the signal.
    fn end(signal: c_int) {
        if ENDING_WITH_CORE.contains(&signal) {
            let _ = emulate_default_handler(signal);
        }
        std::process::exit(128 + signal);
    }

    /// Returns whether the parent process ignored a signal for this process, as `nohup` does. If
    /// that is unknown, only SIGHUP counts as ignored.
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
    /// Exit status of an interrupted process, as shells show it for SIGINT.
    const INTERRUPTED: i32 = 130;

    /// Calls `action` when a signal ends the process, with a function that ends it.
    pub(super) fn on_end(action: fn(&dyn Fn())) {
        let _ = ctrlc::set_handler(move || action(&|| std::process::exit(INTERRUPTED)));
    }
}

#[cfg(not(any(unix, windows)))]
mod signals {
    /// Does nothing: this system has no signals.
    pub(super) fn on_end(_action: fn(&dyn Fn())) {}
}

fn remove(paths: &[PathBuf]) {
    for path in paths {
        let _ = fs::remove_file(path);
    }
}

/// The beginning and end of the name of a temporary file, and the number of random characters.
const PREFIX: &str = ".zipnn-";
const SUFFIX: &str = ".tmp";
const RANDOM_LEN: usize = 6;

/// Returns whether a temporary file has this name.
pub fn is_unfinished(name: &OsStr) -> bool {
    let random = name
        .to_str()
        .and_then(|name| name.strip_prefix(PREFIX))
        .and_then(|name| name.strip_suffix(SUFFIX));
    random.is_some_and(|random| {
        random.len() == RANDOM_LEN && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Removes the temporary files of killed processes from a directory, once per process. Keeps files
/// that another process still writes, which are locked.
#[cfg(unix)]
pub fn remove_abandoned(directory: &Path) {
    static DONE: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !done.get_or_insert_default().insert(directory.to_owned()) {
        return;
    }
    drop(done);
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

/// Does nothing: files are not locked on this system, so that abandoned ones cannot be detected.
#[cfg(not(unix))]
pub fn remove_abandoned(_directory: &Path) {}

/// Permissions of a file that only its owner can read.
const PRIVATE: u32 = 0o600;

/// Creates a file with a temporary name, and on Unix with these permissions, as far as the umask
/// and the directory allow. The name is short, so that it is valid wherever the destination is.
fn create(directory: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    // Opening the file here keeps the temporary name out of error messages.
    builder().make_in(directory, |path| options.open(path))
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM_LEN);
    builder
}

/// Creates a private file and locks it, so that no other process treats it as abandoned.
fn create_locked(directory: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = create(directory, PRIVATE)?;
        // Some file systems have no locks.
        #[cfg(unix)]
        let _ = file.as_file().lock();
        // Another process may have removed the file before it was locked.
        if fs::symlink_metadata(file.path()).is_ok() {
            return Ok(file);
        }
    }
}

/// A private file with a temporary name in the directory of its destination. Removed when dropped,
/// unless [`persist`](Self::persist) has given it its name.
#[derive(Debug)]
pub struct Unfinished(Option<NamedTempFile>);

impl Unfinished {
    /// Creates the temporary file for `destination`.
    pub fn create(destination: &Path) -> io::Result<Self> {
        let mut unfinished = unfinished();
        let file = create_locked(target::directory_of(destination))?;
        unfinished.push(file.path().to_owned());
        Ok(Self(Some(file)))
    }

    /// Returns the file.
    pub fn file(&mut self) -> &mut File {
        self.0.as_mut().expect("a file has not been given its name twice").as_file_mut()
    }

    /// Returns the temporary path.
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), NamedTempFile::path)
    }

    /// Sets the default permissions of new files in this directory. Creates an empty file for a
    /// moment to detect them.
    #[cfg(unix)]
    pub fn set_default_permissions(&mut self) -> io::Result<()> {
        const DEFAULT: u32 = 0o666;
        // No signal may end the process while the other file exists.
        let lock = unfinished();
        let directory = self.path().parent().unwrap_or(Path::new("."));
        let default = create(directory, DEFAULT)?.as_file().metadata()?.permissions();
        drop(lock);
        self.file().set_permissions(default)
    }

    /// Gives the file its name. Replaces an existing file only if `replace` is set.
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

/// Replaces `path` with a link to `target` in one step.
pub fn redirect(path: &Path, target: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // No signal may end the process while the temporary link exists.
    let lock = unfinished();
    let link = builder().make_in(directory, |path| links::create(target, path))?;
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
