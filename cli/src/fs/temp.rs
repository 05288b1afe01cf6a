//! Unfinished files, and their removal when somebody presses Ctrl-C.

#[cfg(unix)]
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile};

use crate::fs::{links, target};

/// Files that are not finished. Whoever holds the lock can be sure that none comes or goes.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on, whatever asks the process to end removes what is unfinished first; so does a
/// panic.
pub fn clean_up_on_signals() {
    signals::on_end(|end| {
        // The lock is kept until the process has ended: no file can be begun meanwhile.
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

    /// Signals that end a process which does nothing about them, and that other processes send:
    /// batch systems announce their limits with some of these.
    const ENDING: [c_int; 8] =
        [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF];
    /// The same, where the system may write a core file, and shells print what happened.
    const ENDING_WITH_CORE: [c_int; 4] = [SIGQUIT, SIGABRT, SIGXCPU, SIGXFSZ];

    /// Runs `action` when a signal ends the process, with a function that ends it. Where signals
    /// cannot be caught, everything else still works.
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
    /// Exit status of an interrupted process, as shells show it for SIGINT.
    const INTERRUPTED: i32 = 130;

    /// Runs `action` when a signal ends the process, with a function that ends it.
    pub(super) fn on_end(action: fn(&dyn Fn())) {
        let _ = ctrlc::set_handler(move || action(&|| std::process::exit(INTERRUPTED)));
    }
}

#[cfg(not(any(unix, windows)))]
mod signals {
    /// There is nobody who could tell us.
    pub(super) fn on_end(_action: fn(&dyn Fn())) {}
}

fn remove(paths: &[PathBuf]) {
    for path in paths {
        let _ = fs::remove_file(path);
    }
}

/// How the name of an unfinished file begins and ends, and how many characters are between.
const PREFIX: &str = ".zipnn-";
const SUFFIX: &str = ".tmp";
const RANDOM_LEN: usize = 6;

/// Whether a file of this name is one that is not finished.
pub fn is_unfinished(name: &OsStr) -> bool {
    let random = name
        .to_str()
        .and_then(|name| name.strip_prefix(PREFIX))
        .and_then(|name| name.strip_suffix(SUFFIX));
    random.is_some_and(|random| {
        random.len() == RANDOM_LEN && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Removes the unfinished files of killed runs from a directory, once in a run. Files that another
/// process still writes are locked, and stay.
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
    builder().make_in(directory, |path| options.open(path))
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM_LEN);
    builder
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
        let mut unfinished = unfinished();
        let file = create_locked(target::directory_of(destination))?;
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
