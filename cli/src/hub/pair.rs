//! Replacing one blob by its result, step by step, so that at every moment each link leads to
//! something that its name promises.
//!
//! 1. The result is made under a name of its own: `blobs/HASH.znn`, or `blobs/HASH` of it. The
//!    library trusts names of blobs, so that compressed data never gets the name of what it came
//!    from: otherwise a file fetched later would be linked to it.
//! 2. The result is on the disk, and has been compared with the source.
//! 3. For each link, one with the other name is made, and then the link is removed.
//! 4. When no link leads to the source any more, it is removed.
//!
//! A run that was killed leaves the results of some of these steps. The next one finds them and goes
//! on from there.

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
    /// Links that are to lead to the result.
    pub links: Vec<Link>,
}

impl Pair {
    /// Does what is left to do.
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
        // The library may have linked it meanwhile.
        if !repository.scan().links.contains_key(&self.source) {
            let (source, result) = (repository.blob(&self.source), repository.blob(&self.result));
            commit::remove_source(&source, result.display())?;
        }
        Ok(outcome)
    }

    /// Steps 1 and 2.
    fn make_result(
        &self,
        job: Job<'_>,
        repository: &Repository,
        threads: usize,
        total: &Arc<TotalProgress>,
    ) -> Result<Outcome, Failure> {
        let (source, result) = (repository.blob(&self.source), repository.blob(&self.result));
        // An adopted blob has both names until there is something better to have the old one.
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

    /// Step 3 for one link.
    fn switch(&self, link: &Link, job: Job<'_>, repository: &Repository) -> Result<(), Failure> {
        let path = job.direction().rename(&link.path)?;
        let target = link.target.with_file_name(&self.result);
        let created = match links::create(&target, &path) {
            // One that was made before leads to the same place.
            Err(_) if fs::read_link(&path).is_ok_and(|there| there == target) => Ok(()),
            Err(_) if job.files().force => temp::redirect(&path, &target),
            created => created,
        };
        created.map_err(|error| Failure::writing(path.display(), error))?;
        repository.forget_absence(&path);
        output::sync_directory_of(&path);
        commit::remove_source(&link.path, path.display())
    }
}

/// What is to be done with blobs of a repository.
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
            // Some links have been switched, or the Hub itself has it compressed.
            && (direction == Direction::Decompress || !links.iter().any(is_compressed))
        {
            let links: Vec<_> = links.iter().filter(|link| is_selected(link)).cloned().collect();
            if !links.is_empty() {
                pairs.push(Pair { source: blob.clone(), result: result.into(), links });
            }
        }
        // A run was killed when it had switched the last link, and had not removed the source.
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

/// Gives compressed blobs the names that they have here. The original's scripts leave them under
/// the name of what they were compressed from, with links that are absolute. Links of the library
/// are relative: where one of them leads from a `.znn` name to a blob without, the Hub has the file
/// so. Those blobs are returned.
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
