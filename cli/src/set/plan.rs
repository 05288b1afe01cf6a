//! Decides which files of a set are stored as differences, and to which files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use crate::base::plan::{Difference, SetPlan, Source};
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;
use crate::set::contents::Contents;
use crate::set::matching;

/// Plans a set of files, in which each may be a difference to `bases` and, if `is_deduplicated`, to
/// files of the set.
///
/// Files of the set that exist only in compressed form are among the bases.
pub fn plan(
    files: &[PathBuf],
    bases: &[PathBuf],
    is_deduplicated: bool,
) -> Result<SetPlan, Failure> {
    let mut anchors = Vec::new();
    for base in bases {
        anchors.push(Contents::open(base)?);
    }
    let mut plan = SetPlan::default();
    for path in in_order(files) {
        let contents = Contents::open(&path)?;
        let candidates: Vec<_> =
            anchors.iter().filter(|anchor| anchor.file.path() != path).collect();
        let difference = difference(&contents, &candidates)
            .map_err(|error| Failure::reading(Endpoint::Path(path.clone()), error))?;
        match difference {
            Some(difference) => plan.insert(path, difference),
            None if is_deduplicated => anchors.push(contents),
            None => {}
        }
    }
    Ok(plan)
}

/// Returns the difference as which a file is stored, or `None` if hardly any of it is similar to an
/// anchor.
fn difference(contents: &Contents, anchors: &[&Contents]) -> io::Result<Option<Difference>> {
    /// Part of a file that a base must cover: one part of this many.
    const LEAST_PART: u64 = 100;
    let mut segments = matching::segments(contents, anchors)?;
    let covered: u64 = segments.iter().map(|segment| segment.range.end - segment.range.start).sum();
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
    Ok(Some(Difference { len: contents.len(), sources, segments }))
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
