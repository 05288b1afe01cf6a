//! Which files of a set are stored as differences to others.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use zipnn::delta::{BaseMap, MapSegment, MapSource};

use crate::base::paths;

/// Which files of a set are stored as differences. All others are stored whole.
///
/// No file is a difference to a difference, so that decompressing a file needs at most the files
/// that it names.
#[derive(Debug, Clone, Default)]
pub struct SetPlan {
    differences: HashMap<PathBuf, Difference>,
}

/// The parts of other files to which a file is stored as a difference.
#[derive(Debug, Clone)]
pub struct Difference {
    pub len: u64,
    pub sources: Vec<Source>,
    pub segments: Vec<MapSegment>,
}

/// A file that is stored whole.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: PathBuf,
    pub len: u64,
    pub hash: u128,
}

impl SetPlan {
    /// Stores a file as a difference.
    pub fn insert(&mut self, file: PathBuf, difference: Difference) {
        self.differences.insert(file, difference);
    }

    /// Returns whether a file is stored as a difference.
    pub fn is_difference(&self, file: &Path) -> bool {
        self.differences.contains_key(file)
    }

    /// Returns the map of a file whose result is `result`, and the paths of its sources; `None` if
    /// the file is stored whole.
    pub fn map(&self, file: &Path, result: &Path) -> Option<(BaseMap, Vec<PathBuf>)> {
        let difference = self.differences.get(file)?;
        let directory = result.parent().unwrap_or(Path::new(""));
        let sources = difference.sources.iter().map(|source| {
            let path = paths::relative(directory, &source.path);
            MapSource::new(path, source.len, source.hash.to_le_bytes())
        });
        let mut map = BaseMap::new(difference.len, sources.collect());
        for segment in &difference.segments {
            map.push(segment.clone())?;
        }
        Some((map, difference.sources.iter().map(|source| source.path.clone()).collect()))
    }
}
