//! Writes results, which appear complete or not at all.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::fs::endpoint::Endpoint;
use crate::fs::sparse::Sparse;
use crate::fs::standard::{self, Stream};
use crate::fs::target::{self, Target};
use crate::fs::temp::{self, Unfinished};
use crate::fs::{links, rights};
use crate::report::failure::Failure;

/// A result that is being written.
pub struct Output {
    endpoint: Endpoint,
    kind: OutputKind,
    replace: bool,
    len: u64,
}

/// Number of bytes that are copied at a time from an anonymous file.
const SPOOL_STEP: u64 = 1 << 20;

enum OutputKind {
    /// Standard output, a device or a named pipe, which a file cannot replace.
    Stream(File),
    /// A file with a temporary name until it is complete.
    File { unfinished: Unfinished, path: PathBuf, sparse: Sparse },
}

impl OutputKind {
    fn open(endpoint: &Endpoint, force: bool) -> Result<Self, Failure> {
        let failure = |error| Failure::writing(endpoint, error);
        let path = match Target::of(endpoint).map_err(failure)? {
            Target::Directory => {
                return Err(
                    Failure::new(endpoint, "is a directory").hint("name a file with --output")
                );
            }
            Target::Closed => return Err(standard::closed_descriptor(endpoint)),
            Target::Standard => {
                Stream::Output.check()?;
                return target::standard_output().map(Self::Stream).map_err(failure);
            }
            Target::Stream(path) => return open_stream(&path).map(Self::Stream).map_err(failure),
            Target::File(path) => path,
        };
        if ends_with_separator(&path) {
            return Err(Failure::new(endpoint, "is a directory that does not exist")
                .hint("create it, or name a file with --output"));
        }
        if !force && fs::symlink_metadata(&path).is_ok() {
            return Err(
                Failure::new(endpoint, "already exists").hint("use --force to overwrite it")
            );
        }
        temp::remove_abandoned(target::directory_of(&path));
        let unfinished = Unfinished::create(&path).map_err(failure)?;
        Ok(Self::File { unfinished, path, sparse: Sparse::default() })
    }
}

impl Output {
    /// Creates a result at the target of `endpoint`, following links. Replaces an existing file and
    /// writes to a terminal only if `force` is set.
    pub fn create(endpoint: &Endpoint, force: bool) -> Result<Self, Failure> {
        let kind = OutputKind::open(endpoint, force)?;
        if let OutputKind::Stream(file) = &kind
            && file.is_terminal()
            && !force
        {
            return Err(Failure::usage(endpoint, "is a terminal, but the data is not text")
                .hint("redirect standard output, or name a file with --output"));
        }
        Ok(Self { endpoint: endpoint.clone(), kind, replace: force, len: 0 })
    }

    /// Returns the endpoint of the result.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the number of bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns the temporary path, if the result is a file.
    pub fn unfinished_path(&self) -> Option<&Path> {
        match &self.kind {
            OutputKind::File { unfinished, .. } => Some(unfinished.path()),
            OutputKind::Stream(_) => None,
        }
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let result = match &mut self.kind {
            OutputKind::Stream(file) => file.write_all(bytes),
            OutputKind::File { unfinished, sparse, .. } => sparse.write(unfinished.file(), bytes),
        };
        self.len += bytes.len() as u64;
        result.map_err(|error| self.failure(error))
    }

    /// Calls `fill` to write the whole result in any order. A stream gets a copy of an anonymous
    /// file.
    pub fn fill(
        &mut self,
        fill: impl FnOnce(&mut File) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if let OutputKind::File { unfinished, .. } = &mut self.kind {
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

    /// Writes all data of a file to the disk.
    pub fn sync(&mut self) -> Result<(), Failure> {
        let result = match &mut self.kind {
            OutputKind::File { unfinished, sparse, .. } => {
                sparse.settle(unfinished.file()).and_then(|()| unfinished.file().sync_all())
            }
            OutputKind::Stream(_) => Ok(()),
        };
        result.map_err(|error| self.failure(error))
    }

    /// Writes the name of a complete file to the disk.
    pub fn sync_name(endpoint: &Endpoint) {
        if let Ok(Target::File(path)) = Target::of(endpoint) {
            sync_directory_of(&path);
        }
    }

    /// Gives the result its name, and the owner, permissions and times of its source. Without a
    /// source, uses the owner and permissions of the file that it replaces.
    pub fn finish(self, source: Option<&Metadata>) -> Result<(), Failure> {
        let failure = |error| Failure::writing(&self.endpoint, error);
        let OutputKind::File { mut unfinished, path, mut sparse } = self.kind else {
            return Ok(());
        };
        sparse.settle(unfinished.file()).map_err(failure)?;
        match source {
            Some(source) => pass_on(source, unfinished.file()),
            // Standard input has no permissions, but a replaced file does.
            None => match path.metadata() {
                Ok(replaced) => rights::pass_on(&replaced, unfinished.file()),
                Err(_) => set_default_permissions(&mut unfinished),
            },
        }
        claim(&self.endpoint, &path, source)?;
        unfinished.persist(&path, self.replace).map_err(failure)
    }

    /// Gives a partial result its name, and the permissions of its source, but the current time:
    /// with the time of its source, the next run would treat it as complete.
    pub fn finish_partial(self, source: Option<&Metadata>) -> Result<(), Failure> {
        let endpoint = self.endpoint.clone();
        let is_file = self.unfinished_path().is_some();
        self.finish(source)?;
        let Some(path) = endpoint.path().filter(|_| is_file) else { return Ok(()) };
        let file = OpenOptions::new().read(true).write(cfg!(windows)).open(path);
        file.and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(|error| Failure::writing(&endpoint, error))
    }

    fn failure(&self, error: io::Error) -> Failure {
        Failure::writing(&self.endpoint, error)
    }
}

fn ends_with_separator(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&byte| std::path::is_separator(byte.into()))
}

/// Opens a stream. Appends data if it is a descriptor of a file.
fn open_stream(path: &Path) -> io::Result<File> {
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    OpenOptions::new().write(true).append(is_file).open(path)
}

/// The files that this process has written, each with the identity of its source.
type Written = HashMap<PathBuf, Option<(u64, u64)>>;

/// Returns an error if this process has already written the result of another source to this path.
/// Links may lead two results to one file, and the first source may be removed already.
fn claim(endpoint: &Endpoint, path: &Path, source: Option<&Metadata>) -> Result<(), Failure> {
    static WRITTEN: Mutex<Option<Written>> = Mutex::new(None);
    let Ok(directory) = target::directory_of(path).canonicalize() else { return Ok(()) };
    let path = directory.join(path.file_name().unwrap_or_default());
    let source = source.and_then(links::identity);
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    match written.get_or_insert_default().insert(path, source) {
        Some(other) if other != source => {
            Err(Failure::new(endpoint, "already holds the result of another source")
                .hint("name another file with --output"))
        }
        _ => Ok(()),
    }
}

/// Gives a file the modification time, owner and permissions of its source. Ignores errors: not
/// every file system supports them.
fn pass_on(source: &Metadata, file: &File) {
    if let Ok(time) = source.modified() {
        let _ = file.set_times(FileTimes::new().set_modified(time));
    }
    rights::pass_on(source, file);
}

/// Sets default permissions for a file whose source has none. After an error, the file stays
/// private.
fn set_default_permissions(unfinished: &mut Unfinished) {
    #[cfg(unix)]
    let _ = unfinished.set_default_permissions();
    #[cfg(not(unix))]
    let _ = unfinished;
}

/// Writes a file to the disk, including its name.
pub fn sync_file(path: &Path) -> Result<(), Failure> {
    match File::open(path).and_then(|file| file.sync_all()) {
        // Windows requires write access to a file for this.
        Err(error) if !cfg!(windows) => return Err(Failure::writing(path.display(), error)),
        _ => Output::sync_name(&Endpoint::Path(path.to_owned())),
    }
    Ok(())
}

/// Replaces the contents of a small file, or of the target of a link, and sets the owner and
/// permissions of `like`.
pub fn replace(path: &Path, contents: &[u8], like: &Metadata) -> Result<(), Failure> {
    let write = || {
        let Target::File(path) = Target::of(&Endpoint::Path(path.to_owned()))? else {
            return Err(io::Error::other("it is not a file"));
        };
        let mut unfinished = Unfinished::create(&path)?;
        unfinished.file().write_all(contents)?;
        rights::pass_on(like, unfinished.file());
        unfinished.file().sync_all()?;
        unfinished.persist(&path, true)?;
        sync_directory_of(&path);
        Ok(())
    };
    write().map_err(|error| Failure::writing(path.display(), error))
}

/// Writes the directory of a file to the disk, if the system supports it.
pub fn sync_directory_of(path: &Path) {
    if let Ok(directory) = File::open(target::directory_of(path)) {
        let _ = directory.sync_all();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn replace_keeps_a_link_and_changes_its_target() {
        let directory = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| directory.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        replace(&link, b"new", &fs::metadata(&link).unwrap()).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
