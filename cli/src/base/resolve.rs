//! Finds and opens the bases that a compressed file names.

use std::fs::File;
use std::path::{Path, PathBuf};

use zipnn::Limits;
use zipnn::delta::{BaseMap, Delta, MapSource};
use zipnn::frame::{FrameOpener, HEADER_LEN, Header, Keep, OpenOptions};
use zipnn::io::ReadAt;

use crate::base::file::BaseFile;
use crate::base::paths;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;

/// Returns whether a compressed file is a difference, or cannot be read.
pub fn is_difference(path: &Path) -> bool {
    header(path).is_none_or(|header| header.delta != Delta::None)
}

/// Returns the header of a compressed file; `None` if it cannot be read.
fn header(path: &Path) -> Option<Header> {
    let mut header = [0; HEADER_LEN];
    File::open(path).ok()?.read_exact_at(&mut header, 0).ok()?;
    Header::parse(&header).ok()
}

/// Reads the map of a compressed file; `None` if its base is one file, or if it has no base. Does
/// not read from pipes.
///
/// A damaged file has no map. Decoding it reports the damage.
pub fn map(source: &Endpoint) -> Option<BaseMap> {
    let path = source.path().filter(|path| path.is_file())?;
    if header(path)?.delta == Delta::None {
        return None;
    }
    let file = File::open(path).ok()?;
    let mut opener = FrameOpener::new(OpenOptions::new(Limits::default()).keep(Keep::Index));
    let mut bytes = Vec::new();
    while let Some(wanted) = opener.wanted() {
        let len = wanted.end.min(file.size().ok()?).checked_sub(wanted.start)?;
        bytes.resize(usize::try_from(len).ok()?, 0);
        file.read_exact_at(&mut bytes, wanted.start).ok()?;
        opener.feed(&bytes).ok()?;
    }
    opener.finish().ok()?.base_map().cloned()
}

/// Opens the sources of a map that `source` contains. `search` are files and directories in which
/// they may be, if they are not where the map says.
pub fn open(
    map: &BaseMap,
    source: &Endpoint,
    search: &[PathBuf],
) -> Result<Vec<BaseFile>, Failure> {
    map.sources().iter().map(|expected| open_source(expected, source, search)).collect()
}

fn open_source(
    expected: &MapSource,
    source: &Endpoint,
    search: &[PathBuf],
) -> Result<BaseFile, Failure> {
    let directory = source.path().and_then(Path::parent).unwrap_or(Path::new(""));
    let named = paths::resolve(directory, &expected.path);
    let name = named.file_name().map(PathBuf::from).unwrap_or_default();
    let found = search.iter().map(|place| match place.is_dir() {
        true => place.join(&name),
        false => place.clone(),
    });
    let mut first_failure = None;
    for path in std::iter::once(named.clone()).chain(found) {
        match BaseFile::open(&path) {
            Ok(file) if file.size().is_ok_and(|len| len == expected.len) => return Ok(file),
            Ok(_) => {
                first_failure.get_or_insert_with(|| changed(source, &path));
            }
            Err(failure) => {
                first_failure.get_or_insert(failure.because(
                    source,
                    format_args!("needs the base {}, which cannot be opened", named.display()),
                ));
            }
        }
    }
    let failure = first_failure.unwrap_or_else(|| changed(source, &named));
    Err(failure.of_base().hint("if the base was moved, name its directory with --base"))
}

/// Returns the error for a base that is not the file that the map names.
pub fn changed(source: &Endpoint, base: &Path) -> Failure {
    Failure::new(
        source,
        format_args!("its base {} was changed or replaced after compressing", base.display()),
    )
    .of_base()
}
