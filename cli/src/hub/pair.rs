//! Replaces a blob with its result in steps. Each link leads to the right contents at every moment.
//!
//! 1. The result gets its own name: compressing `blobs/HASH` writes `blobs/HASH.znn`, and
//!    decompressing the reverse. The library trusts names of blobs, and would link files that it
//!    fetches later to compressed data under the original name.
//! 2. The result is written to the disk, and compared with the source.
//! 3. For each link, a link with the new name is created, and the old link is removed.
//! 4. When no link leads to the source any more, the source is removed.
//!
//! After a killed run, the next run continues with the first step that is not done.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::names::{self, Direction};
use crate::fs::{links, output, temp};
use crate::hub::layout::{Link, Repository};
use crate::job::batch::Outcome;
use crate::job::{FileSettings, Job, commit, directory};
use crate::report::failure::Failure;
use crate::report::progress::TotalProgress;

/// A blob and its result.
#[derive(Debug)]
pub struct Pair {
    pub source: OsString,
    pub result: OsString,
    /// Links that will lead to the result.
    pub links: Vec<Link>,
}

impl Pair {
    /// Performs all steps that are not done.
    pub fn replace(
        &self,
        job: Job<'_>,
        repository: &Repository,
        threads: usize,
        total: &Arc<TotalProgress>,
    ) -> Result<Outcome, Failure> {
        let outcome = self.make_result(job, repository, threads, total)?;
        let _lock = repository.lock_blob(match job.direction() {
            Direction::Compress => &self.source,
            Direction::Decompress => &self.result,
        })?;
        for link in &self.links {
            self.switch(link, job, repository)?;
        }
        // The library may have created a link meanwhile.
        if !repository.scan().links.contains_key(&self.source) {
            let (source, result) = (repository.blob(&self.source), repository.blob(&self.result));
            commit::remove_source(&source, result.display(), job.files())?;
        }
        Ok(outcome)
    }

    /// Performs steps 1 and 2.
    fn make_result(
        &self,
        job: Job<'_>,
        repository: &Repository,
        threads: usize,
        total: &Arc<TotalProgress>,
    ) -> Result<Outcome, Failure> {
        let (source, result) = (repository.blob(&self.source), repository.blob(&self.result));
        // An adopted blob has both names until its result replaces the old one.
        let is_adopted = links::are_one_file(&source, &result);
        if is_adopted && job.direction() == Direction::Compress {
            return Ok(Outcome::UpToDate);
        }
        let force = job.files().force || is_adopted;
        let settings = FileSettings { threads, force, rm: false };
        if !force && fs::symlink_metadata(&result).is_ok() {
            job.confirm(&source, &result, settings)
                .map_err(|failure| directory::other_result(&result, failure))?;
            return Ok(Outcome::UpToDate);
        }
        let stats = job.convert(&source, &result, settings, total)?;
        if let Err(failure) = job.confirm(&source, &result, settings) {
            let _ = fs::remove_file(&result);
            return Err(failure.unverified(source.display()));
        }
        Ok(Outcome::Done(stats))
    }

    /// Performs step 3 for one link.
    fn switch(&self, link: &Link, job: Job<'_>, repository: &Repository) -> Result<(), Failure> {
        let path = job.direction().rename(&link.path)?;
        let target = link.target.with_file_name(&self.result);
        let created = match links::create(&target, &path) {
            // An earlier run created the same link.
            Err(_) if fs::read_link(&path).is_ok_and(|existing| existing == target) => Ok(()),
            Err(_) if job.files().force => temp::redirect(&path, &target),
            created => created,
        };
        created.map_err(|error| Failure::writing(path.display(), error))?;
        repository.forget_absence(&path);
        output::sync_directory_of(&path);
        commit::remove_source(&link.path, path.display(), job.files())
    }
}

/// Returns the blobs of a repository that have to be replaced.
pub fn plan(
    direction: Direction,
    repository: &Repository,
    is_selected: impl Fn(&Link) -> bool,
) -> Vec<Pair> {
    let contents = repository.scan();
    let is_linked = |blob: &OsStr| contents.links.contains_key(blob);
    let mut pairs = Vec::new();
    for (blob, links) in &contents.links {
        let path = Path::new(blob);
        if let Ok(result) = direction.rename(path)
            // Some links are switched already, or the file is compressed on the Hub.
            && (direction == Direction::Decompress || !links.iter().any(is_compressed))
        {
            let links: Vec<_> = links.iter().filter(|link| is_selected(link)).cloned().collect();
            if !links.is_empty() {
                pairs.push(Pair { source: blob.clone(), result: result.into(), links });
            }
        }
        // A run was killed between switching the last link and removing the source.
        if let Ok(source) = direction.reverse().rename(path)
            && !is_linked(source.as_os_str())
            && repository.blob(source.as_os_str()).exists()
        {
            pairs.push(Pair { source: source.into(), result: blob.clone(), links: Vec::new() });
        }
    }
    pairs
}

fn is_compressed(link: &Link) -> bool {
    names::is_compressed(&link.path)
}

/// Renames blobs that the original's scripts compressed. They keep the names of the uncompressed
/// blobs, with absolute links. Links of the library are relative: if a relative link with a `.znn`
/// name leads to a blob without, the file is compressed on the Hub. Returns these links.
pub fn adopt(repository: &Repository) -> Result<Vec<PathBuf>, Failure> {
    let mut compressed_on_the_hub = Vec::new();
    for (blob, links) in repository.scan().links {
        if names::is_compressed(Path::new(&blob)) {
            continue;
        }
        for link in links.into_iter().filter(is_compressed) {
            if link.target.is_relative() {
                compressed_on_the_hub.push(link.path);
                continue;
            }
            let name = names::with_suffix(Path::new(&blob), names::SUFFIX);
            let (old, new) = (repository.blob(&blob), repository.blob(name.as_os_str()));
            if !links::are_one_file(&old, &new) {
                fs::hard_link(&old, &new)
                    .map_err(|error| Failure::writing(new.display(), error))?;
                output::sync_directory_of(&new);
            }
            let target = repository.target(&link.path, name.as_os_str());
            temp::redirect(&link.path, &target)
                .map_err(|error| Failure::writing(link.path.display(), error))?;
        }
    }
    Ok(compressed_on_the_hub)
}
