//! The tensors of a file, and hashes of their bytes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use zipnn::io::ReadAt;
use zipnn::tensor::TensorInfo;
use zipnn::tensor::{Metadata, MetadataError};

use crate::base::file::{BaseError, BaseFile};
use crate::content::beginning;
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
    /// Opens a file by its uncompressed name and reads its header.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let file = BaseFile::open(path)?;
        let read = || {
            let len = file.size()?;
            Ok((len, read_metadata(&file, len)?))
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

/// Reads the header of a file of tensors; `None` for another file.
fn read_metadata(file: &BaseFile, len: u64) -> io::Result<Option<Metadata>> {
    let mut bytes = Vec::new();
    loop {
        match Metadata::parse(&bytes, len) {
            Ok(metadata) => return Ok(Some(metadata)),
            Err(MetadataError::Truncated { needed, .. })
                if needed <= len && beginning::may_list_tensors(&bytes) =>
            {
                let start = bytes.len();
                bytes.resize(needed.max(beginning::PEEK_LEN as u64).min(len) as usize, 0);
                file.read_exact_at(&mut bytes[start..], start as u64)?;
                if bytes.len() == start {
                    return Ok(None);
                }
            }
            Err(_) => return Ok(None),
        }
    }
}
