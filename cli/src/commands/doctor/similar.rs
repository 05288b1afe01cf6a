//! Finds a file to which another file could be stored as a difference.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::dependents::directory_of;
use crate::base::resolve;
use crate::fs::links::are_one_file;
use crate::fs::names;
use crate::set::contents::Contents;
use crate::set::costs::Sample;
use crate::set::members;

/// Maximum number of files to compare with.
const MAX_TRIALS: usize = 8;
/// Share of its compressed length below which a difference is worth keeping the other file for.
const WORTH_IT: f64 = 0.9;

/// A file, and about how long a difference to it would be.
pub struct Similar {
    pub path: PathBuf,
    pub difference_len: u64,
}

/// Returns the file in the same directory to which a file would be the shortest difference.
pub fn find(path: &Path) -> Option<Similar> {
    let contents = Contents::open(path).ok()?;
    let sample = Sample::new(&contents).ok()?;
    let mut best: Option<Similar> = None;
    for other in candidates(path) {
        let Ok(anchor) = Contents::open(&other) else { continue };
        let Ok(Some(difference_len)) = sample.difference_len(&anchor) else { continue };
        if best.as_ref().is_none_or(|best| difference_len < best.difference_len) {
            best = Some(Similar { path: other, difference_len });
        }
    }
    best.filter(|best| (best.difference_len as f64) < WORTH_IT * sample.whole_len() as f64)
}

/// Returns files with the same extension in the same directory, by their uncompressed names, the
/// ones of the most similar length first.
fn candidates(path: &Path) -> Vec<PathBuf> {
    let Some(extension) = path.extension() else { return Vec::new() };
    let len = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let entries = fs::read_dir(directory_of(path)).into_iter().flatten().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let other = entry.path();
            let metadata = fs::metadata(&other).ok().filter(|metadata| metadata.is_file())?;
            let name = match names::is_compressed(&other) {
                true => members::whole(&other)?,
                false => other,
            };
            let is_other = name.file_name() != path.file_name() && !are_one_file(&name, path);
            let is_alike = name.extension() == Some(extension) && is_other;
            (is_alike && !is_kept_as_difference(&name))
                .then(|| (metadata.len().abs_diff(len), name))
        })
        .collect();
    found.sort();
    let without_prefix = |name: PathBuf| match path.parent() {
        // As the user names files of this directory.
        Some(parent) if parent.as_os_str().is_empty() => {
            name.file_name().map(PathBuf::from).unwrap_or(name)
        }
        _ => name,
    };
    found.into_iter().take(MAX_TRIALS).map(|(_, name)| without_prefix(name)).collect()
}

/// Returns whether the compressed form of a file is a difference, so that the file is no base.
fn is_kept_as_difference(name: &Path) -> bool {
    let compressed = names::with_suffix(name, names::SUFFIX);
    compressed.is_file() && resolve::is_difference(&compressed)
}
