//! Finds and opens the bases that a compressed file names.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use zipnn::Limits;
use zipnn::delta::{BaseMap, Delta, MapTensor};
use zipnn::frame::{FrameOpener, HEADER_LEN, Header, Keep, OpenOptions};
use zipnn::io::ReadAt;

use crate::base::file::BaseFile;
use crate::base::paths;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;
use crate::report::units;

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

/// Returns the directory to which the hints in a compressed file are relative. A link, as in the
/// cache of the Hub, may be in another directory than the file.
pub fn directory_of_hints(file: &Path) -> PathBuf {
    let target = match fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_symlink() => file.canonicalize().ok(),
        _ => None,
    };
    target.as_deref().unwrap_or(file).parent().unwrap_or(Path::new("")).to_owned()
}

/// Opens the sources of a map that `source` contains. `search` are files and directories in which
/// they may be, if they are not where the map says.
pub fn open(
    map: &BaseMap,
    source: &Endpoint,
    search: &[PathBuf],
) -> Result<Vec<BaseFile>, Failure> {
    let sources = 0..map.sources().len();
    sources.map(|number| open_source(map, number, source, search)).collect()
}

fn open_source(
    map: &BaseMap,
    number: usize,
    source: &Endpoint,
    search: &[PathBuf],
) -> Result<BaseFile, Failure> {
    let expected = &map.sources()[number];
    let directory = source.path().map(directory_of_hints).unwrap_or_default();
    let named = paths::resolve(&directory, &expected.path);
    let name = named.file_name().map(PathBuf::from).unwrap_or_default();
    let found = search.iter().map(|place| match place.is_dir() {
        true => place.join(&name),
        false => place.clone(),
    });
    let mut first_failure = None;
    for path in std::iter::once(named.clone()).chain(found) {
        match BaseFile::open_form(&path) {
            Ok(file) if file.size().is_ok_and(|len| len == expected.len) => return Ok(file),
            Ok(_) => {
                first_failure.get_or_insert_with(|| changed(source, &path));
            }
            Err(failure) => {
                let base = failure.subject().to_owned();
                first_failure.get_or_insert(failure.because(
                    source,
                    format_args!("needs the base {base}, which cannot be opened"),
                ));
            }
        }
    }
    let failure = first_failure.unwrap_or_else(|| changed(source, &named));
    let details = tensors_from(map, number).into_iter().collect();
    let hint = "if the base was moved, name its directory with --base";
    Err(failure.of_base().details(details).hint(hint))
}

/// Returns a line with the first tensors that come from a source; `None` if no name is known.
fn tensors_from(map: &BaseMap, source: usize) -> Option<String> {
    /// Number of tensors that are named.
    const NAMED: usize = 3;
    let is_from_source = |tensor: &&MapTensor| {
        map.segment_at(tensor.range.start).is_some_and(|segment| segment.source == source)
    };
    let mut tensors = map.tensors().iter().filter(is_from_source);
    let named: Vec<_> =
        tensors.by_ref().take(NAMED).map(|tensor| units::name(&tensor.name)).collect();
    let more = match tensors.count() as u64 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!named.is_empty()).then(|| format!("it is the base of {}{more}", named.join(", ")))
}

/// Returns the error for a base that is not the file that the map names.
pub fn changed(source: &Endpoint, base: &Path) -> Failure {
    Failure::new(
        source,
        format_args!("its base {} was changed or replaced after compressing", base.display()),
    )
    .of_base()
}
