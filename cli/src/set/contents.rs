//! The tensors of a file, and hashes of their bytes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use zipnn::io::ReadAt;
use zipnn::tensor::{Metadata, TensorInfo};

use crate::base::file::{BaseError, BaseFile};
use crate::content::layout;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;

/// A file and the tensors in it.
pub struct Contents {
    path: PathBuf,
    /// The open file, as long as it is being read: a set may have more files than a process may
    /// open.
    file: RefCell<Option<Rc<BaseFile>>>,
    len: u64,
    metadata: Option<Metadata>,
    /// Hashes that have been computed, by their range.
    hashes: RefCell<HashMap<Range<u64>, u128>>,
}

impl Contents {
    /// Opens a file by its uncompressed name and finds its tensors.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let file = BaseFile::open(path)?;
        let read = || {
            let len = file.size()?;
            let metadata = file.metadata(len)?.or_else(|| layout::external_data(path, len));
            Ok((len, metadata))
        };
        let failure = |error| BaseError::reading(&Endpoint::Path(path.to_owned()), error);
        let (len, metadata) = read().map_err(failure)?;
        let path = path.to_owned();
        Ok(Self { path, file: RefCell::default(), len, metadata, hashes: RefCell::default() })
    }

    /// Returns the uncompressed name of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, unless it is open.
    pub fn file(&self) -> io::Result<Rc<BaseFile>> {
        let mut file = self.file.borrow_mut();
        if let Some(file) = &*file {
            return Ok(Rc::clone(file));
        }
        let opened =
            BaseFile::open(&self.path).map_err(|failure| io::Error::other(failure.to_string()))?;
        Ok(Rc::clone(file.insert(Rc::new(opened))))
    }

    /// Closes the file until it is read again.
    pub fn close(&self) {
        self.file.take();
    }

    /// Returns the length of the file in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns the tensors in the order of their bytes. There are none in a file of another format.
    pub fn tensors(&self) -> &[TensorInfo] {
        self.metadata.as_ref().map(Metadata::tensors).unwrap_or_default()
    }

    /// Returns the bytes before the tensors, or all bytes of a file without tensors.
    pub fn head(&self) -> Range<u64> {
        0..self.metadata.as_ref().map_or(self.len, Metadata::data_start)
    }

    /// Returns the bytes between a tensor and the tensor before it, such as the header of an entry
    /// of a zip archive.
    pub fn gap_before(&self, tensor: &TensorInfo) -> Range<u64> {
        let start = tensor.range.start;
        let before = self.tensors().partition_point(|other| other.range.start < start);
        let end = self.tensors()[..before].last().map_or(self.head().end, |other| other.range.end);
        end.min(start)..start
    }

    /// Returns the bytes after all tensors.
    pub fn tail(&self) -> Range<u64> {
        self.tensors().last().map_or(self.len, |tensor| tensor.range.end)..self.len
    }

    /// Returns the hash of a range.
    pub fn hash(&self, range: &Range<u64>) -> io::Result<u128> {
        if let Some(hash) = self.hashes.borrow().get(range) {
            return Ok(*hash);
        }
        let hash = self.file()?.hash(range.clone())?;
        self.hashes.borrow_mut().insert(range.clone(), hash);
        Ok(hash)
    }
}
