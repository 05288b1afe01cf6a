//! Locates the arrays of a zip archive by reading parts of it.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::error::MetadataError;
use crate::tensor::info::TensorInfo;
use crate::tensor::metadata::Metadata;
use crate::tensor::zip::directory::{self, Entry, invalid};
use crate::tensor::zip::storages;
use crate::tensor::{numpy, pickle};

/// Extension of the arrays in a `.npz` file.
const NPY: &str = ".npy";
/// Name of the pickle in a PyTorch file, after the name of the folder that contains all entries.
const PICKLE: &str = "data.pkl";
/// Folder of the storages, beside the pickle.
const STORAGES: &str = "data/";
/// Entry that names the order of the bytes of numbers, beside the pickle.
const BYTE_ORDER: &str = "byteorder";
/// Bytes to read of an entry that begins with a header. Most headers of arrays have 128 bytes.
const HEADER_LEN: u64 = 512;

/// Locates the arrays of an archive.
pub(crate) struct ZipReader {
    file_len: u64,
    wanted: Option<Range<u64>>,
    /// Entries to read, the next one last. `None` before the directory has been read.
    entries: Option<Vec<(Entry, Role)>>,
    is_directory_located: bool,
    arrays: Vec<TensorInfo>,
    pickle: Option<Vec<pickle::Pickled>>,
    storages: BTreeMap<String, Range<u64>>,
}

/// What an entry contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Array,
    Pickle,
    ByteOrder,
    Storage,
}

impl ZipReader {
    /// Returns a reader for a file of this length.
    pub(crate) fn new(file_len: u64) -> Self {
        Self {
            file_len,
            wanted: Some(file_len - file_len.min(directory::MAX_END_LEN)..file_len),
            entries: None,
            is_directory_located: false,
            arrays: Vec::new(),
            pickle: None,
            storages: BTreeMap::new(),
        }
    }

    /// Returns the range of the file to read next, or `None` at the end.
    pub(crate) fn wanted(&self) -> Option<Range<u64>> {
        self.wanted.clone()
    }

    /// Accepts the bytes of the wanted range.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), MetadataError> {
        if !self.is_directory_located {
            self.wanted = Some(directory::locate(bytes, self.file_len)?);
            self.is_directory_located = true;
            return Ok(());
        }
        match &mut self.entries {
            None => self.entries = Some(roles(directory::entries(bytes)?)),
            Some(entries) => {
                let next = entries.pop();
                if let Some((entry, role)) = next
                    && let Some(wanted) = self.read(&entry, role, bytes)?
                {
                    self.entries.get_or_insert_default().push((entry, role));
                    self.wanted = Some(wanted);
                    return Ok(());
                }
            }
        }
        let next = self.entries.as_ref().and_then(|entries| entries.last());
        self.wanted = next.map(|(entry, role)| {
            let len = if *role == Role::Storage { 0 } else { entry.len.min(HEADER_LEN) };
            entry.beginning(len, self.file_len)
        });
        Ok(())
    }

    /// Returns the located arrays.
    pub(crate) fn finish(self) -> Result<Metadata, MetadataError> {
        let mut tensors = self.arrays;
        tensors.extend(storages::locate(self.pickle.unwrap_or_default(), &self.storages));
        Metadata::scattered(self.file_len, tensors)
    }

    /// Reads an entry from bytes that begin with its header, or returns the range that it needs.
    fn read(
        &mut self,
        entry: &Entry,
        role: Role,
        bytes: &[u8],
    ) -> Result<Option<Range<u64>>, MetadataError> {
        let data_offset = directory::data_offset(bytes)?;
        let start = entry.offset.saturating_add(data_offset);
        let range = start..start.saturating_add(entry.len);
        if range.end > self.file_len {
            return Err(invalid("an entry of the zip archive ends after the archive"));
        }
        let have = (bytes.len() as u64).saturating_sub(data_offset);
        let data = &bytes[bytes.len() - have as usize..];
        let data = &data[..entry.len.min(have) as usize];
        let needed = match role {
            Role::Storage => {
                let key = entry.name.rsplit('/').next().unwrap_or_default();
                self.storages.insert(key.to_string(), range);
                return Ok(None);
            }
            Role::Array => match self.read_array(entry, data, start) {
                Err(MetadataError::Truncated { needed, .. })
                    if needed > have && needed <= entry.len =>
                {
                    needed
                }
                // Arrays of other types stay bytes.
                _ => return Ok(None),
            },
            Role::Pickle | Role::ByteOrder if have < entry.len => entry.len,
            Role::Pickle => {
                self.pickle = Some(pickle::tensors(data)?);
                return Ok(None);
            }
            Role::ByteOrder if data == b"little" => return Ok(None),
            Role::ByteOrder => return Err(invalid("the numbers in the file are big-endian")),
        };
        match needed <= entry.len.min(pickle::MAX_LEN) {
            true => Ok(Some(entry.offset..start + needed)),
            false => Err(MetadataError::HeaderTooLong { len: needed }),
        }
    }

    fn read_array(&mut self, entry: &Entry, data: &[u8], start: u64) -> Result<(), MetadataError> {
        let name = entry.name.strip_suffix(NPY).unwrap_or(&entry.name);
        let have = data.len() as u64;
        let needed = entry.len.min(HEADER_LEN);
        if have < needed {
            return Err(MetadataError::Truncated { needed, have });
        }
        if !numpy::is_npy(data) {
            return Err(invalid("an entry is no array"));
        }
        let mut array = numpy::parse(data, name, entry.len)?;
        array.range = start + array.range.start..start + array.range.end;
        self.arrays.push(array);
        Ok(())
    }
}

/// Returns the entries that locate arrays, in reverse order, with what they contain.
fn roles(entries: Vec<Entry>) -> Vec<(Entry, Role)> {
    let folder = entries.iter().find_map(|entry| {
        let folder = entry.name.strip_suffix(PICKLE)?;
        (folder.is_empty() || folder.ends_with('/')).then(|| folder.to_string())
    });
    let role = |entry: &Entry| {
        if entry.name.ends_with(NPY) {
            return Some(Role::Array);
        }
        let name = entry.name.strip_prefix(folder.as_deref()?)?;
        match name {
            PICKLE => Some(Role::Pickle),
            BYTE_ORDER => Some(Role::ByteOrder),
            _ => name.strip_prefix(STORAGES).map(|_| Role::Storage),
        }
    };
    let with_role = |entry: Entry| role(&entry).map(|role| (entry, role));
    let mut found: Vec<_> = entries.into_iter().filter_map(with_role).collect();
    found.reverse();
    found
}
