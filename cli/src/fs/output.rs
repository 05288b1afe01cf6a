//! What is written: whole files or none.

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

/// A result while it is written.
pub struct Output {
    endpoint: Endpoint,
    kind: OutputKind,
    replace: bool,
    len: u64,
}

/// Bytes that are copied at a time from a nameless file.
const SPOOL_STEP: u64 = 1 << 20;

enum OutputKind {
    /// Standard output, a device or a named pipe: nothing that could be replaced by a file.
    Stream(File),
    /// A file that has another name until it is finished.
    File { unfinished: Unfinished, path: PathBuf, sparse: Sparse },
}

impl OutputKind {
    fn open(endpoint: &Endpoint, force: bool) -> Result<Self, Failure> {
        let failure = |error| Failure::writing(endpoint, error);
        let path = match Target::of(endpoint).map_err(failure)? {
            Target::Directory => {
                return Err(Failure::new(endpoint, "is a directory")
                    .hint("name another place with --output"));
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
                .hint("make it, or name a file with --output"));
        }
        if !force && fs::symlink_metadata(&path).is_ok() {
            return Err(
                Failure::new(endpoint, "exists already").hint("use --force to overwrite it")
            );
        }
        temp::remove_abandoned(target::directory_of(&path));
        let unfinished = Unfinished::create(&path).map_err(failure)?;
        Ok(Self::File { unfinished, path, sparse: Sparse::default() })
    }
}

impl Output {
    /// Begins a result where the links of `place` lead. A file that exists is replaced, and data
    /// is written to a terminal, only if `force` is set.
    pub fn create(endpoint: &Endpoint, force: bool) -> Result<Self, Failure> {
        let kind = OutputKind::open(endpoint, force)?;
        if let OutputKind::Stream(file) = &kind
            && file.is_terminal()
            && !force
        {
            return Err(Failure::usage(endpoint, "is a terminal, and the data is not text")
                .hint("redirect standard output, or name a file with --output"));
        }
        Ok(Self { endpoint: endpoint.clone(), kind, replace: force, len: 0 })
    }

    /// What it is, or will be, called.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where it can be read for now, if it is a file.
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

    /// Lets `fill` write the whole result, going back where it needs to. What is not a file gets it
    /// by way of a nameless one.
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

    /// Waits until everything is on the disk, if it is a file.
    pub fn sync(&mut self) -> Result<(), Failure> {
        let result = match &mut self.kind {
            OutputKind::File { unfinished, sparse, .. } => {
                sparse.settle(unfinished.file()).and_then(|()| unfinished.file().sync_all())
            }
            OutputKind::Stream(_) => Ok(()),
        };
        result.map_err(|error| self.failure(error))
    }

    /// Waits until the name of a finished file is on the disk, too.
    pub fn sync_name(endpoint: &Endpoint) {
        if let Ok(Target::File(path)) = Target::of(endpoint) {
            sync_directory_of(&path);
        }
    }

    /// Gives the result its name, and the owner, permissions and times of its source. Without one,
    /// it gets the owner and permissions of the file that it replaces.
    pub fn finish(self, source: Option<&Metadata>) -> Result<(), Failure> {
        let failure = |error| Failure::writing(&self.endpoint, error);
        let OutputKind::File { mut unfinished, path, mut sparse } = self.kind else {
            return Ok(());
        };
        sparse.settle(unfinished.file()).map_err(failure)?;
        match source {
            Some(source) => pass_on(source, unfinished.file()),
            // Standard input says nothing about who may read it; the file that is replaced does.
            None => match path.metadata() {
                Ok(replaced) => rights::pass_on(&replaced, unfinished.file()),
                Err(_) => set_usual_permissions(&mut unfinished),
            },
        }
        claim(&self.endpoint, &path, source)?;
        unfinished.persist(&path, self.replace).map_err(failure)
    }

    /// Finishes a result that lacks a part of the data. It gets the permissions of its source, but
    /// the present time: with the time of the source, the next run would take it for complete.
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

/// Opens a stream. If it leads to a file, data is appended.
fn open_stream(path: &Path) -> io::Result<File> {
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    OpenOptions::new().write(true).append(is_file).open(path)
}

/// The files that this run has written, each with the identity of its source.
type Written = HashMap<PathBuf, Option<(u64, u64)>>;

/// Refuses to replace what this run has written: links may lead the results of two sources to one
/// file, and the source of the first may have been removed since.
fn claim(endpoint: &Endpoint, path: &Path, source: Option<&Metadata>) -> Result<(), Failure> {
    static WRITTEN: Mutex<Option<Written>> = Mutex::new(None);
    let Ok(directory) = target::directory_of(path).canonicalize() else { return Ok(()) };
    let path = directory.join(path.file_name().unwrap_or_default());
    let source = source.and_then(links::identity);
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    match written.get_or_insert_default().insert(path, source) {
        Some(other) if other != source => {
            Err(Failure::new(endpoint, "is where the result of another source has been written")
                .hint("name another place with --output"))
        }
        _ => Ok(()),
    }
}

/// Gives a file the modification time, the owner and the permissions of another. Not every file
/// system has them, and the data matters more.
fn pass_on(source: &Metadata, file: &File) {
    if let Ok(time) = source.modified() {
        let _ = file.set_times(FileTimes::new().set_modified(time));
    }
    rights::pass_on(source, file);
}

/// Sets default permissions for a file whose source has none to pass on. On an error it stays
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
        _ => Output::sync_name(&Endpoint::Path(path.to_owned())),
    }
    Ok(())
}

/// Replaces the contents of a small file, or of what it is a link to, and gives it the owner and the
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

/// Makes sure that the name of a file in this directory is on the disk, where that can be asked
/// for.
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
    fn a_link_to_a_replaced_file_stays() {
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
