//! The files of a set, each once.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::base::dependents::directory_of;
use crate::fs::names;
use crate::report::failure::Failure;

/// A file to be compressed.
#[derive(Debug, Clone)]
pub struct Member {
    pub path: PathBuf,
    /// The path of its result.
    pub result: PathBuf,
}

/// The files of a set.
#[derive(Debug, Default)]
pub struct Set {
    /// The files to be compressed.
    pub members: Vec<Member>,
    /// Uncompressed names of other files, to which members may become differences. Of some of them
    /// only the compressed form exists.
    pub bases: Vec<PathBuf>,
    /// Whether members may become differences to one another.
    pub is_deduplicated: bool,
    /// Whether results that exist are replaced.
    pub replaces: bool,
}

/// A file that is stored whole, and to which others may become differences.
pub struct Whole<'s> {
    /// Where it is now.
    pub path: &'s Path,
    /// The uncompressed name under which readers find it after the run.
    pub name: PathBuf,
}

/// The files of a set, without files that are named twice.
pub struct Distinct<'s> {
    /// The bases. If members may become differences to one another, without members.
    pub bases: Vec<Whole<'s>>,
    /// The members that are bases, and therefore stored whole.
    pub whole_members: HashSet<&'s Path>,
}

impl<'s> Distinct<'s> {
    /// Finds the files of a set that are named twice.
    ///
    /// # Errors
    ///
    /// Two members are one file, or a result would replace a base.
    pub fn new(set: &'s Set) -> Result<Self, Failure> {
        let mut members = HashMap::new();
        let mut results = HashSet::new();
        for member in &set.members {
            if members.insert(identity(&member.path), member).is_some() {
                return Err(Failure::usage(member.path.display(), "is named twice")
                    .hint("name each file once, by itself or by its directory"));
            }
            results.insert(identity(&member.result.with_extension("")));
        }
        let mut distinct = Self { bases: Vec::new(), whole_members: HashSet::new() };
        let mut seen = HashSet::new();
        for base in &set.bases {
            let identity = identity(base);
            match members.get(&identity) {
                _ if !seen.insert(identity.clone()) => {}
                Some(_) if set.is_deduplicated => {}
                Some(member) => distinct.add_member(member),
                None if set.replaces && results.contains(&identity) => {
                    return Err(Failure::usage(
                        base.display(),
                        "is a base that would be overwritten",
                    )
                    .hint("leave out --force, or write to another directory with --output"));
                }
                None => distinct.bases.push(Whole { path: base, name: base.clone() }),
            }
        }
        Ok(distinct)
    }

    fn add_member(&mut self, member: &'s Member) {
        self.whole_members.insert(&member.path);
        self.bases.push(Whole { path: &member.path, name: member.result.with_extension("") });
    }
}

/// Returns a path that is equal for all names of a file: without links, and without the suffix of
/// compressed files.
fn identity(name: &Path) -> PathBuf {
    let compressed = || names::with_suffix(name, names::SUFFIX).canonicalize();
    let in_directory = || {
        let directory = directory_of(name).canonicalize()?;
        Ok::<_, std::io::Error>(directory.join(name.file_name().unwrap_or_default()))
    };
    name.canonicalize()
        .or_else(|_| compressed().map(|path| path.with_extension("")))
        .or_else(|_| in_directory())
        .unwrap_or_else(|_| name.to_owned())
}
