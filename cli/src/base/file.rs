//! A file, compressed or not, whose parts can serve as the base of a difference.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use twox_hash::xxhash3_128::Hasher as Xxh3;
use zipnn::io::ReadAt;
use zipnn::tensor::{Metadata, MetadataReader};
use zipnn::{Archive, ArchiveError, Limits};

use crate::fs::endpoint::Endpoint;
use crate::fs::names;
use crate::fs::snapshot::Snapshot;
use crate::report::failure::Failure;

/// A file whose decoded bytes can be read at any position.
pub struct BaseFile {
    /// The name of the uncompressed file, whether it exists or not.
    path: PathBuf,
    /// The file that is open.
    opened: PathBuf,
    content: Content,
    snapshot: Option<Snapshot>,
}

enum Content {
    Plain(File),
    Compressed(Box<Archive<File>>),
}

impl BaseFile {
    /// Opens a file by its uncompressed name, or its compressed form if only that exists.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let compressed = names::with_suffix(path, names::SUFFIX);
        match Self::open_plain(path) {
            Err(_) if compressed.is_file() => Self::open_compressed(path, &compressed),
            opened => opened,
        }
    }

    /// Opens the form of a file that a path names.
    pub fn open_form(path: &Path) -> Result<Self, Failure> {
        match names::is_compressed(path) {
            true => Self::open_compressed(&path.with_extension(""), path),
            false => Self::open(path),
        }
    }

    fn open_plain(path: &Path) -> Result<Self, Failure> {
        let file = open_regular(path)?;
        let snapshot = snapshot(path, &file);
        let (path, opened) = (path.to_owned(), path.to_owned());
        Ok(Self { path, opened, content: Content::Plain(file), snapshot })
    }

    fn open_compressed(path: &Path, compressed: &Path) -> Result<Self, Failure> {
        let endpoint = Endpoint::Path(compressed.to_owned());
        let file = open_regular(compressed)?;
        let snapshot = snapshot(compressed, &file);
        let archive = Archive::open(file, Limits::default())
            .map_err(|error| Failure::new(&endpoint, error))?;
        let content = Content::Compressed(Box::new(archive));
        let (path, opened) = (path.to_owned(), compressed.to_owned());
        Ok(Self { path, opened, content, snapshot })
    }

    /// Returns the name of the uncompressed file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the file that is open.
    pub fn opened(&self) -> &Path {
        &self.opened
    }

    /// Returns the state of the file when it was opened.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Finds the tensors in the `len` decoded bytes; `None` if their format is not known.
    pub fn metadata(&self, len: u64) -> io::Result<Option<Metadata>> {
        if let Content::Compressed(archive) = &self.content {
            return match archive.tensors() {
                Ok(metadata) => Ok(Some(metadata.clone())),
                Err(ArchiveError::Metadata(_)) => Ok(None),
                Err(error) => {
                    let error = io::Error::from(error);
                    Err(io::Error::new(error.kind(), self.error(error)))
                }
            };
        }
        let mut reader = MetadataReader::new(len);
        let mut bytes = Vec::new();
        while let Some(range) = reader.wanted() {
            bytes.resize((range.end - range.start) as usize, 0);
            self.read_exact_at(&mut bytes, range.start)?;
            if reader.feed(&bytes).is_err() {
                return Ok(None);
            }
        }
        Ok(reader.finish().ok())
    }

    /// Returns the XXH3-128 hash of a range of the decoded bytes.
    pub fn hash(&self, range: Range<u64>) -> io::Result<u128> {
        /// Number of bytes to read at a time.
        const PART: u64 = 4 << 20;
        let mut hasher = Xxh3::new();
        let mut part = vec![0; PART.min(range.end - range.start) as usize];
        for start in range.clone().step_by(PART as usize) {
            let part = &mut part[..PART.min(range.end - start) as usize];
            self.read_exact_at(part, start)?;
            hasher.write(part);
        }
        Ok(hasher.finish_128())
    }
}

impl ReadAt for BaseFile {
    fn size(&self) -> io::Result<u64> {
        match &self.content {
            Content::Plain(file) => file.size(),
            Content::Compressed(archive) => Ok(archive.decoded_len()),
        }
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.content {
            Content::Plain(file) => file.read_at(buf, offset),
            Content::Compressed(archive) => {
                let rest = archive.decoded_len().saturating_sub(offset);
                let len = rest.min(buf.len() as u64) as usize;
                archive.read_into(offset, &mut buf[..len]).map(|()| len).map_err(io::Error::from)
            }
        }
        .map_err(|error| io::Error::new(error.kind(), self.error(error)))
    }
}

/// An error of reading a base, which names the file.
#[derive(Debug)]
pub struct BaseError {
    path: PathBuf,
    error: io::Error,
}

impl BaseFile {
    fn error(&self, error: io::Error) -> BaseError {
        BaseError { path: self.opened.clone(), error }
    }
}

impl BaseError {
    /// Returns the error of a base that another error wraps.
    ///
    /// # Errors
    ///
    /// The error itself, if it is none of a base.
    pub fn of(error: io::Error) -> Result<Self, io::Error> {
        error.downcast()
    }

    /// Returns the failure for an error of reading `subject`, or of the base that the error names.
    pub fn reading(subject: &Endpoint, error: io::Error) -> Failure {
        match Self::of(error) {
            Ok(error) => error.failure(),
            Err(error) => Failure::reading(subject, error),
        }
    }

    /// Returns the failure of the base.
    pub fn failure(self) -> Failure {
        Failure::reading(Endpoint::Path(self.path), self.error).of_base()
    }
}

impl fmt::Display for BaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the base {} cannot be read: {}", self.path.display(), self.error)
    }
}

impl error::Error for BaseError {}

/// Opens a file. Opening or reading a pipe or a device may never end.
fn open_regular(path: &Path) -> Result<File, Failure> {
    let failure = |error| Failure::reading(Endpoint::Path(path.to_owned()), error);
    match path.metadata().map_err(failure)?.is_file() {
        true => File::open(path).map_err(failure),
        false => Err(Failure::new(path.display(), "is not a regular file, and cannot be a base")),
    }
}

fn snapshot(path: &Path, file: &File) -> Option<Snapshot> {
    Snapshot::new(&Endpoint::Path(path.to_owned()), file.metadata().ok().as_ref())
}
