//! Reading files, which can seek, and pipes, which cannot.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zipnn::delta::BaseId;

use crate::fs::endpoint::Endpoint;
use crate::fs::standard::Stream;
use crate::report::failure::Failure;

/// Maximum number of bytes to reserve for a pipe before reading: a length in a file may be wrong.
const MAX_RESERVED: u64 = 1 << 16;

/// A file or pipe that is read from its beginning to its end, and may skip bytes.
pub struct Input {
    endpoint: Endpoint,
    kind: InputKind,
    at: u64,
    metadata: Option<Metadata>,
}

enum InputKind {
    File(BufReader<File>),
    Pipe(Box<dyn Read + Send>),
}

/// First bytes of a Git LFS pointer, which replaces a file in a Git repository, and the limit of
/// its length. Specified by `docs/spec.md` of Git LFS.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const POINTER_LEN: u64 = 1024;

impl Input {
    /// Opens an endpoint. A Git LFS pointer is an error.
    pub fn open(endpoint: &Endpoint) -> Result<Self, Failure> {
        Self::open_any(endpoint)?.refuse_pointer()
    }

    /// Returns an error if this is a Git LFS pointer.
    pub fn refuse_pointer(mut self) -> Result<Self, Failure> {
        match self.is_pointer().map_err(|error| self.failure(error))? {
            true => Err(Failure::new(&self.endpoint, "is a Git LFS pointer, not the file itself")
                .hint("fetch the file with `git lfs pull`")),
            false => Ok(self),
        }
    }

    /// Opens an endpoint, even if it is a Git LFS pointer.
    pub fn open_any(endpoint: &Endpoint) -> Result<Self, Failure> {
        match endpoint {
            Endpoint::Standard => {
                Stream::Input.check()?;
                Ok(Self {
                    endpoint: endpoint.clone(),
                    kind: InputKind::Pipe(Box::new(io::stdin())),
                    at: 0,
                    metadata: None,
                })
            }
            Endpoint::Path(path) => Self::open_path(path),
        }
    }

    /// Returns whether this is a Git LFS pointer. Does not check named pipes, whose data may come
    /// late.
    pub fn is_pointer(&mut self) -> io::Result<bool> {
        let is_long = self.len().is_some_and(|len| len >= POINTER_LEN);
        match &mut self.kind {
            InputKind::File(_) if is_long => Ok(false),
            InputKind::File(reader) => Ok(reader.fill_buf()?.starts_with(POINTER)),
            InputKind::Pipe(_) if self.endpoint != Endpoint::Standard => Ok(false),
            InputKind::Pipe(_) => {
                let mut bytes = Vec::new();
                self.read_up_to(POINTER.len() as u64, &mut bytes)?;
                let mut is_pointer = bytes == POINTER;
                if is_pointer {
                    is_pointer = self.read_up_to(POINTER_LEN, &mut bytes)? < POINTER_LEN;
                }
                self.put_back(bytes);
                Ok(is_pointer)
            }
        }
    }

    /// Opens the file or named pipe at a path.
    pub fn open_path(path: &Path) -> Result<Self, Failure> {
        let open = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        };
        let (file, metadata) = open().map_err(|error| Failure::reading(path.display(), error))?;
        if metadata.is_dir() {
            return Err(Failure::new(path.display(), "is a directory").hint("name a file in it"));
        }
        // Files of length 0 may have contents, for example under /proc.
        let is_seekable = metadata.is_file() && metadata.len() > 0;
        let kind = if is_seekable {
            InputKind::File(BufReader::new(file))
        } else {
            InputKind::Pipe(Box::new(file))
        };
        Ok(Self {
            endpoint: Endpoint::Path(path.to_owned()),
            kind,
            at: 0,
            metadata: Some(metadata),
        })
    }

    /// Returns the endpoint that was opened.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the length in bytes; `None` for a pipe.
    pub fn len(&self) -> Option<u64> {
        match self.kind {
            InputKind::File(_) => self.metadata.as_ref().map(Metadata::len),
            InputKind::Pipe(_) => None,
        }
    }

    /// Returns the permissions and times of a regular file.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref().filter(|metadata| metadata.is_file())
    }

    /// Returns whether the input can be read in any order.
    pub fn is_seekable(&self) -> bool {
        matches!(self.kind, InputKind::File(_))
    }

    /// Returns the offset of the next byte.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Appends `len` bytes to `bytes`, fewer only at the end of the input. Returns their number.
    pub fn read_up_to(&mut self, len: u64, bytes: &mut Vec<u8>) -> io::Result<u64> {
        let left = self.len().map(|file_len| file_len.saturating_sub(self.at));
        bytes.reserve(len.min(left.unwrap_or(MAX_RESERVED)) as usize);
        let read = match &mut self.kind {
            InputKind::File(reader) => reader.take(len).read_to_end(bytes),
            InputKind::Pipe(reader) => reader.take(len).read_to_end(bytes),
        }? as u64;
        self.at += read;
        Ok(read)
    }

    /// Seeks to an offset from the beginning; in a pipe only forward. Returns the new offset, which
    /// is smaller if the input ends earlier.
    pub fn go_to(&mut self, offset: u64) -> io::Result<u64> {
        let file_len = self.len().unwrap_or(u64::MAX);
        match &mut self.kind {
            InputKind::File(reader) => {
                let offset = offset.min(file_len);
                reader.seek_relative(offset.wrapping_sub(self.at).cast_signed())?;
                self.at = offset;
            }
            InputKind::Pipe(reader) => {
                let distance = offset.checked_sub(self.at).ok_or(io::ErrorKind::NotSeekable)?;
                self.at += io::copy(&mut reader.take(distance), &mut io::sink())?;
            }
        }
        Ok(self.at)
    }

    /// Returns the number of bytes up to the end. Reads a pipe to its end.
    pub fn count_rest(&mut self) -> io::Result<u64> {
        match &mut self.kind {
            InputKind::File(_) => Ok(self.len().unwrap_or_default().saturating_sub(self.at)),
            InputKind::Pipe(reader) => {
                let rest = io::copy(reader, &mut io::sink())?;
                self.at += rest;
                Ok(rest)
            }
        }
    }

    /// Returns to the beginning, after `bytes` have been read from there.
    pub fn rewind(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        match self.is_seekable() {
            true => self.go_to(0).map(drop),
            false => {
                self.put_back(bytes);
                Ok(())
            }
        }
    }

    /// Puts bytes back that were read from a pipe, before the rest.
    pub fn put_back(&mut self, bytes: Vec<u8>) {
        self.at -= bytes.len() as u64;
        match &mut self.kind {
            InputKind::File(_) => unreachable!("files are read again instead"),
            InputKind::Pipe(reader) => {
                let rest = std::mem::replace(reader, Box::new(io::empty()));
                *reader = Box::new(io::Cursor::new(bytes).chain(rest));
            }
        }
    }

    /// Returns the length and checksum of the bytes from here to the end, and returns here; `None`
    /// for a pipe, which can be read only once.
    pub fn identify(&mut self) -> Result<Option<BaseId>, Failure> {
        let InputKind::File(reader) = &mut self.kind else { return Ok(None) };
        let at = self.at;
        let id = BaseId::read(&mut *reader)
            .and_then(|id| reader.seek(SeekFrom::Start(at)).map(|_| id))
            .map_err(|error| self.failure(error))?;
        Ok(Some(id))
    }

    /// Returns the failure for an error of reading this input.
    pub fn failure(&self, error: io::Error) -> Failure {
        Failure::reading(&self.endpoint, error)
    }
}
