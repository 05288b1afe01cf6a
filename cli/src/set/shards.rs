//! Updating indexes when the shards of a model are renamed.
//!
//! All indexes are found and checked before any file is processed: an index that cannot be read
//! would name files that no longer exist.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::fs::endpoint::Endpoint;
use crate::fs::selection::Selection;
use crate::fs::target::directory_of;
use crate::fs::{links, names, tree};
use crate::job::{Job, destination};
use crate::report::failure::Failure;
use crate::set::index_file;

/// The indexes that a command updates after processing files.
#[derive(Default)]
pub struct Indexes(Vec<ShardIndex>);

#[derive(PartialEq, Eq)]
struct ShardIndex {
    source: PathBuf,
    /// The same path, or a path beside the results.
    destination: PathBuf,
}

impl Indexes {
    /// Finds and checks the indexes in directories, and those that name an input. Returns all
    /// failures if there are any.
    pub fn find(job: Job<'_>, selection: &Selection) -> Result<Self, Vec<Failure>> {
        let mut search = IndexSearch { job, indexes: Vec::new(), checked: HashMap::new() };
        let mut failures = Vec::new();
        for input in &job.files().inputs {
            if input.is_dir() {
                failures.extend(search.add_all_in(input, selection));
            } else {
                failures.extend(search.add_beside(input).err());
            }
        }
        if failures.is_empty() { Ok(Self(search.indexes)) } else { Err(failures) }
    }

    /// Writes the new names into all indexes. `all_done` is whether all files were processed.
    /// Returns the failures.
    pub fn rewrite(&self, job: Job<'_>, all_done: bool) -> Vec<Failure> {
        let rewrite = |index: &ShardIndex| {
            let ShardIndex { source, destination } = index;
            // Without the directory, there are no results to name.
            if !directory_of(destination).is_dir() {
                return Ok(());
            }
            index_file::rewrite_file(source, destination, job.direction(), job.scope(), all_done)
        };
        self.0.iter().filter_map(|index| rewrite(index).err()).collect()
    }
}

/// A search for the indexes that a job updates.
struct IndexSearch<'w> {
    job: Job<'w>,
    indexes: Vec<ShardIndex>,
    /// The files that each index names; none for an index that cannot be read.
    checked: HashMap<PathBuf, HashSet<PathBuf>>,
}

impl IndexSearch<'_> {
    /// Adds the indexes of a directory. Returns the failures.
    fn add_all_in(&mut self, root: &Path, selection: &Selection) -> Vec<Failure> {
        let output = self.job.files().output.as_deref();
        let elsewhere = output.filter(|output| !links::is_same_file(root, output));
        let results = elsewhere.and_then(|output| output.canonicalize().ok());
        let is_result = |index: &Path| match (&results, index.canonicalize()) {
            (Some(results), Ok(index)) => index.starts_with(results),
            _ => false,
        };
        let found = tree::walk(root, selection).indexes;
        let sources = found.into_iter().filter(|index| !is_result(&index.path));
        let added = sources.map(|index| {
            index_file::check(&index.path)?;
            let destination = elsewhere.map(|output| output.join(&index.relative));
            self.add(index.path, destination)
        });
        added.filter_map(Result::err).collect()
    }

    /// Adds the indexes that name a file: those in its directory, and those in the parent
    /// directory, whose names may contain a directory.
    fn add_beside(&mut self, input: &Path) -> Result<(), Failure> {
        let (output, direction) = (self.job.files().output.as_deref(), self.job.direction());
        let result =
            destination::destination(&Endpoint::new(input), output, direction, self.job.scope());
        // Processing the file reports its failures.
        let (true, Ok(Endpoint::Path(result)), Some(name)) =
            (input.is_file(), result, input.file_name())
        else {
            return Ok(());
        };
        let directory = input.parent().unwrap_or(Path::new(""));
        for index in indexes_in(directory)? {
            if self.names(&index)?.contains(Path::new(name)) {
                check_name(input, &result, self.job)?;
                let beside_result = index.file_name().map(|name| result.with_file_name(name));
                self.add(index, beside_result)?;
            }
        }
        let (Some(above), None) = (directory.parent(), output) else { return Ok(()) };
        let name = Path::new(directory.file_name().unwrap_or_default()).join(name);
        for index in indexes_in(above).unwrap_or_default() {
            if self.names(&index).is_ok_and(|names| names.contains(&name)) {
                self.add(index, None)?;
            }
        }
        Ok(())
    }

    /// Returns the files that an index names. An index that cannot be read is reported once.
    fn names(&mut self, index: &Path) -> Result<&HashSet<PathBuf>, Failure> {
        if !self.checked.contains_key(index) {
            let names = index_file::check(index);
            let normal = |name: &String| Path::new(name).components().filter(is_normal).collect();
            let set = names.as_ref().map(|names| names.iter().map(normal).collect());
            self.checked.insert(index.to_owned(), set.unwrap_or_default());
            names?;
        }
        Ok(&self.checked[index])
    }

    /// Adds an index that will be written to `destination`, or in place.
    fn add(&mut self, source: PathBuf, destination: Option<PathBuf>) -> Result<(), Failure> {
        let is_elsewhere = |destination: &PathBuf| !has_same_parent(&source, destination);
        let destination = destination.filter(is_elsewhere);
        if let Some(destination) = &destination {
            if links::is_same_file(&source, destination) {
                return Err(Failure::new(
                    destination.display(),
                    "is a link to the index of the sources, which must not change",
                )
                .hint("remove the link, or leave out --rewrite-index"));
            }
            if !self.job.files().force {
                index_file::check_destination(&source, destination, self.job.direction())?;
            }
        }
        let destination = destination.unwrap_or_else(|| source.clone());
        let index = ShardIndex { source, destination };
        if !self.indexes.contains(&index) {
            self.indexes.push(index);
        }
        Ok(())
    }
}

fn is_normal(component: &Component<'_>) -> bool {
    *component != Component::CurDir
}

fn has_same_parent(one: &Path, other: &Path) -> bool {
    links::is_same_file(directory_of(one), directory_of(other))
}

/// Returns an error if the index would not have the name of a result.
fn check_name(source: &Path, result: &Path, job: Job<'_>) -> Result<(), Failure> {
    let renamed = job.rename(source);
    if renamed.is_ok_and(|renamed| renamed.file_name() == result.file_name()) {
        return Ok(());
    }
    Err(Failure::usage(
        result.display(),
        "is not the name that the index would have for the result",
    )
    .hint(
        "with --rewrite-index, name a directory with --output, or the input with or without .znn",
    ))
}

/// Returns the indexes in a directory.
fn indexes_in(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let directory = if directory == Path::new("") { Path::new(".") } else { directory };
    let failure = |error| Failure::reading(directory.display(), error);
    let mut indexes = Vec::new();
    for entry in fs::read_dir(directory).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if names::is_index(&path) && !path.is_dir() {
            indexes.push(path);
        }
    }
    indexes.sort();
    Ok(indexes)
}
