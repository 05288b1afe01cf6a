//! What is written: whole files or none.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::Path;
use std::time::SystemTime;

use super::failure::Failure;
use super::interrupt::Unfinished;
use super::names::Place;

/// A result while it is written.
pub struct Output {
    place: Place,
    inner: Inner,
    replace: bool,
    len: u64,
}

/// Bytes that are copied at a time from a nameless file.
const SPOOL_STEP: u64 = 1 << 20;

enum Inner {
    Standard(io::Stdout),
    /// A device or a named pipe: nothing that could be replaced by a file.
    Device(File),
    /// A file that has another name until it is finished.
    File(Unfinished),
}

impl Output {
    /// Begins a result. A file that exists is replaced only if `force` says so.
    pub fn create(place: &Place, force: bool) -> Result<Self, Failure> {
        let failure = |error| Failure::writing(place, error);
        let inner = match place {
            Place::Standard => Inner::Standard(io::stdout()),
            Place::Path(path) => match fs::metadata(path) {
                Ok(there) if there.is_dir() => {
                    return Err(Failure::new(place, "is a directory")
                        .hint("name another place with --output"));
                }
                Ok(there) if !there.is_file() => {
                    Inner::Device(OpenOptions::new().write(true).open(path).map_err(failure)?)
                }
                // A link that leads nowhere is there, too.
                _ if !force && fs::symlink_metadata(path).is_ok() => {
                    return Err(
                        Failure::new(place, "exists already").hint("use --force to overwrite it")
                    );
                }
                // Found out now, and not when all the work has been done.
                Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                    return Err(failure(error));
                }
                _ => Inner::File(Unfinished::create(path).map_err(failure)?),
            },
        };
        Ok(Self { place: place.clone(), inner, replace: force, len: 0 })
    }

    /// Whether it would end up on somebody's screen.
    pub fn is_terminal(place: &Place) -> bool {
        *place == Place::Standard && io::stdout().is_terminal()
    }

    /// What it is, or will be, called.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where it can be read for now, if it is a file.
    pub fn unfinished_path(&self) -> Option<&Path> {
        match &self.inner {
            Inner::File(file) => Some(file.path()),
            _ => None,
        }
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let result = match &mut self.inner {
            Inner::Standard(stdout) => stdout.write_all(bytes),
            Inner::Device(file) => file.write_all(bytes),
            Inner::File(unfinished) => unfinished.file().write_all(bytes),
        };
        self.len += bytes.len() as u64;
        result.map_err(|error| self.failure(error))
    }

    /// Lets `fill` write the whole result, going back where it needs to. What is not a file gets it
    /// by way of a nameless one.
    pub fn fill(
        &mut self,
        fill: impl FnOnce(&mut File) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if let Inner::File(unfinished) = &mut self.inner {
            fill(unfinished.file())?;
            self.len = unfinished.file().metadata().map_or(0, |metadata| metadata.len());
            return Ok(());
        }
        let mut spool = tempfile::tempfile().map_err(|error| self.failure(error))?;
        fill(&mut spool)?;
        spool.rewind().map_err(|error| self.failure(error))?;
        let mut part = Vec::new();
        loop {
            part.clear();
            let read = (&mut spool).take(SPOOL_STEP).read_to_end(&mut part);
            if read.map_err(|error| self.failure(error))? == 0 {
                return Ok(());
            }
            self.write(&part)?;
        }
    }

    /// Waits until everything is on the disk.
    pub fn sync(&mut self) -> Result<(), Failure> {
        let result = match &mut self.inner {
            Inner::File(unfinished) => unfinished.file().sync_all(),
            _ => Ok(()),
        };
        result.map_err(|error| self.failure(error))
    }

    /// Gives the result its name, and the permissions and times of its source.
    pub fn finish(self, source: Option<&Metadata>) -> Result<(), Failure> {
        let failure = |error| Failure::writing(&self.place, error);
        match self.inner {
            Inner::Standard(mut stdout) => stdout.flush().map_err(failure),
            Inner::Device(_) => Ok(()),
            Inner::File(mut unfinished) => {
                match source {
                    Some(source) => pass_on(source, unfinished.file()),
                    None => set_usual_permissions(&mut unfinished),
                }
                let path = self.place.path().unwrap_or(Path::new(""));
                unfinished.persist(path, self.replace).map_err(failure)
            }
        }
    }

    /// Finishes a result that lacks a part of the data. It gets the permissions of its source, but the
    /// present time: with the time of the source, the next run would take it for complete.
    pub fn finish_partial(self, source: Option<&Metadata>) -> Result<(), Failure> {
        let place = self.place.clone();
        let is_file = self.unfinished_path().is_some();
        self.finish(source)?;
        let Some(path) = place.path().filter(|_| is_file) else { return Ok(()) };
        let file = OpenOptions::new().read(true).write(cfg!(windows)).open(path);
        file.and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(|error| Failure::writing(&place, error))
    }

    fn failure(&self, error: io::Error) -> Failure {
        Failure::writing(&self.place, error)
    }
}

/// Gives a file the modification time and the permissions of another. Not every file system has
/// them, and the data matters more.
fn pass_on(source: &Metadata, file: &File) {
    if let Ok(time) = source.modified() {
        let _ = file.set_times(FileTimes::new().set_modified(time));
    }
    let _ = file.set_permissions(permissions_of(source));
}

/// Who may read, write and execute a file. To run as somebody else was allowed for its contents,
/// which the result does not have.
#[cfg(unix)]
fn permissions_of(source: &Metadata) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    const EVERYONE: u32 = 0o777;
    Permissions::from_mode(source.permissions().mode() & EVERYONE)
}

#[cfg(not(unix))]
fn permissions_of(source: &Metadata) -> Permissions {
    source.permissions()
}

/// Lets others read a file whose source has no permissions to pass on. Where that fails, it stays
/// private.
fn set_usual_permissions(unfinished: &mut Unfinished) {
    #[cfg(unix)]
    let _ = unfinished.make_usual();
    #[cfg(not(unix))]
    let _ = unfinished;
}

/// Waits until a file is on the disk, its name included.
pub fn sync_file(path: &Path) -> Result<(), Failure> {
    match File::open(path).and_then(|file| file.sync_all()) {
        // There it takes a right to write, which is not asked for if all that is left is waiting.
        Err(error) if !cfg!(windows) => return Err(Failure::writing(path.display(), error)),
        _ => sync_directory_of(path),
    }
    Ok(())
}

/// Replaces the contents of a small file, and keeps its permissions: those of `like`.
pub fn replace(path: &Path, contents: &[u8], like: &Metadata) -> Result<(), Failure> {
    let write = || {
        let mut unfinished = Unfinished::create(path)?;
        unfinished.file().write_all(contents)?;
        let _ = unfinished.file().set_permissions(permissions_of(like));
        unfinished.file().sync_all()?;
        unfinished.persist(path, true)
    };
    write().map_err(|error| Failure::writing(path.display(), error))?;
    sync_directory_of(path);
    Ok(())
}

/// Makes sure that the name of a file in this directory is on the disk, where that can be asked for.
pub fn sync_directory_of(path: &Path) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Ok(directory) = File::open(parent.unwrap_or(Path::new("."))) {
        let _ = directory.sync_all();
    }
}
