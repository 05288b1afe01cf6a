//! Finds the files of a set.

use std::path::{Path, PathBuf};

use crate::args::Files;
use crate::base::resolve;
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{self, Direction, Scope};
use crate::fs::selection::{Purpose, Selection};
use crate::fs::tree;
use crate::job::destination::destination;
use crate::report::failure::Failure;
use crate::set::files::Member;

/// The files of an input.
#[derive(Default)]
pub struct Members {
    /// Files that are not compressed.
    pub members: Vec<Member>,
    /// Uncompressed names of files of which only a compressed form exists that is no difference.
    pub wholes: Vec<PathBuf>,
}

/// Returns a file, or the selected files of a directory, with their results.
pub fn of_input(input: &Path, files: &Files, selection: &Selection) -> Result<Members, Failure> {
    let mut found = Members::default();
    let output = files.output.as_deref();
    if input.is_dir() {
        let tree = tree::walk(input, selection);
        for file in tree.files {
            let result = match output {
                Some(output) => output.join(Direction::Compress.rename(&file.relative)?),
                None => Direction::Compress.rename(&file.path)?,
            };
            found.members.push(Member { path: file.path, result });
        }
        found.wholes = tree.done.iter().filter_map(|path| whole(path)).collect();
    } else if input.is_file() && names::uncompressed(input).is_none() {
        let source = Endpoint::Path(input.to_owned());
        // Processing the file reports its failures.
        let result = destination(&source, output, Direction::Compress, Scope::File);
        if let Ok(Endpoint::Path(result)) = result {
            found.members.push(Member { path: input.to_owned(), result });
        }
    } else {
        found.wholes.extend(whole(input));
    }
    Ok(found)
}

/// Returns the uncompressed names of the files in `--base`. Follows links to files: in the cache of
/// the Hub, a revision consists of links.
pub fn bases(files: &Files) -> Result<Vec<PathBuf>, Failure> {
    let plain = Selection::new(Purpose::ReadPlain, &[], files.many.hidden)?;
    let compressed = Selection::new(Purpose::Read, &[], files.many.hidden)?;
    let mut bases = Vec::new();
    for base in &files.base {
        if base.is_dir() {
            bases.extend(tree::walk(base, &plain).files.into_iter().map(|file| file.path));
            let compressed = tree::walk(base, &compressed).files;
            bases.extend(compressed.iter().filter_map(|file| whole(&file.path)));
        } else if names::is_compressed(base) {
            if resolve::is_difference(base) {
                return Err(Failure::new(base.display(), "is a difference, and cannot be a base")
                    .hint("name the files to which it is a difference, or use zipnn flatten"));
            }
            bases.push(base.with_extension(""));
        } else {
            check_base(base)?;
            bases.push(base.clone());
        }
    }
    Ok(bases)
}

/// Returns an error if a base is neither a file nor the name of one that is compressed. Reading a pipe
/// would block.
fn check_base(base: &Path) -> Result<(), Failure> {
    match base.metadata() {
        Ok(metadata) if !metadata.is_file() => {
            Err(Failure::usage(base.display(), "is not a regular file, and cannot be a base"))
        }
        _ => Ok(()),
    }
}

/// Returns the uncompressed name of a file that is compressed as a whole and is no difference, if
/// its uncompressed form does not exist.
pub fn whole(path: &Path) -> Option<PathBuf> {
    let name = names::uncompressed(path).filter(|_| names::is_compressed(path))?;
    (!name.exists() && !resolve::is_difference(path)).then_some(name)
}
