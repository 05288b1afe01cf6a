//! Decides which files of a set are stored as differences, and to which files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zipnn::delta::{BaseMap, MapSegment, MapSource};

use crate::base::paths;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;
use crate::set::contents::Contents;
use crate::set::matching;

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
struct Difference {
    len: u64,
    sources: Vec<Source>,
    segments: Vec<MapSegment>,
}

/// A file that is stored whole.
#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    len: u64,
    hash: u128,
}

impl SetPlan {
    /// Plans a set of files, in which each may be a difference to files of the set, if
    /// `is_deduplicated`, and to `bases`.
    ///
    /// Files of the set that exist only in compressed form are among the bases.
    pub fn new(
        files: &[PathBuf],
        bases: &[PathBuf],
        is_deduplicated: bool,
    ) -> Result<Self, Failure> {
        let mut anchors = Vec::new();
        for base in bases {
            anchors.push(Contents::open(base)?);
        }
        let mut plan = Self::default();
        for path in in_order(files) {
            let contents = Contents::open(&path)?;
            let candidates: Vec<_> =
                anchors.iter().filter(|anchor| anchor.file.path() != path).collect();
            let difference = Difference::new(&contents, &candidates)
                .map_err(|error| Failure::reading(&Endpoint::Path(path.clone()), error))?;
            match difference {
                Some(difference) => drop(plan.differences.insert(path, difference)),
                None if is_deduplicated => anchors.push(contents),
                None => {}
            }
        }
        Ok(plan)
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

impl Difference {
    /// Returns the difference as which a file is stored, or `None` if hardly any of it is similar
    /// to an anchor.
    fn new(contents: &Contents, anchors: &[&Contents]) -> std::io::Result<Option<Self>> {
        /// Part of a file that a base must cover: one part of this many.
        const LEAST_PART: u64 = 100;
        let mut segments = matching::segments(contents, anchors)?;
        let covered: u64 =
            segments.iter().map(|segment| segment.range.end - segment.range.start).sum();
        if covered <= contents.len() / LEAST_PART {
            return Ok(None);
        }
        let mut numbers = HashMap::new();
        let mut sources = Vec::new();
        for segment in &mut segments {
            let anchor = anchors[segment.source];
            let number = *numbers.entry(segment.source).or_insert(sources.len());
            if number == sources.len() {
                let (len, path) = (anchor.len(), anchor.file.path().to_owned());
                sources.push(Source { path, len, hash: anchor.hash(&(0..len))? });
            }
            segment.source = number;
        }
        Ok(Some(Self { len: contents.len(), sources, segments }))
    }
}

/// Returns files from the oldest to the newest: bases usually exist before models that are trained
/// from them. Files of the same age are ordered by their names.
fn in_order(files: &[PathBuf]) -> Vec<PathBuf> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let mut files: Vec<(SystemTime, PathBuf)> = files
        .iter()
        .map(|path| (modified(path).unwrap_or(SystemTime::UNIX_EPOCH), path.clone()))
        .collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}
