//! Which files of a set are stored as differences to others.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use zipnn::delta::{BaseMap, MapSegment, MapSource, MapTensor};

use crate::base::file::BaseFile;
use crate::base::paths;
use crate::report::failure::Failure;

/// Which files of a set are stored as differences. All others are stored whole.
///
/// No file is a difference to a difference, so that decompressing a file needs at most the files
/// that it names.
#[derive(Debug, Clone, Default)]
pub struct SetPlan {
    differences: HashMap<PathBuf, Difference>,
    /// Files whose results exist and are differences.
    existing: HashSet<PathBuf>,
}

/// The parts of other files to which a file is stored as a difference.
#[derive(Debug, Clone)]
pub struct Difference {
    pub len: u64,
    pub sources: Vec<Source>,
    pub segments: Vec<MapSegment>,
    pub tensors: Vec<MapTensor>,
}

/// A file that is stored whole.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is now.
    pub path: PathBuf,
    /// The uncompressed name under which readers will find it.
    pub name: PathBuf,
    pub len: u64,
    pub hash: u128,
}

impl Source {
    /// Opens the file, or its result after the file was removed.
    pub fn open(&self) -> Result<BaseFile, Failure> {
        BaseFile::open(&self.path)
            .or_else(|failure| BaseFile::open(&self.name).map_err(|_| failure))
    }
}

impl SetPlan {
    /// Stores a file as a difference.
    pub fn insert(&mut self, file: PathBuf, difference: Difference) {
        self.differences.insert(file, difference);
    }

    /// Records that the result of a file exists, and is a difference.
    pub fn insert_existing(&mut self, file: PathBuf) {
        self.existing.insert(file);
    }

    /// Returns whether a file is stored as a difference.
    pub fn is_difference(&self, file: &Path) -> bool {
        self.differences.contains_key(file) || self.existing.contains(file)
    }

    /// Returns the files that the difference of a file needs.
    pub fn sources(&self, file: &Path) -> &[Source] {
        self.differences.get(file).map(|difference| &*difference.sources).unwrap_or_default()
    }

    /// Returns the map of a file whose result is `result`; `None` if the file is stored whole, or
    /// its result exists.
    pub fn map(&self, file: &Path, result: &Path) -> Option<BaseMap> {
        let difference = self.differences.get(file)?;
        let directory = result.parent().unwrap_or(Path::new(""));
        let sources = difference.sources.iter().map(|source| {
            let path = paths::relative(directory, &source.name);
            MapSource::new(path, source.len, source.hash.to_le_bytes())
        });
        let mut map = BaseMap::new(difference.len, sources.collect());
        for segment in &difference.segments {
            map.push(segment.clone())?;
        }
        for tensor in &difference.tensors {
            map.push_tensor(tensor.clone())?;
        }
        Some(map)
    }
}
