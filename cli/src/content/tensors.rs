//! Reading single tensors of a compressed file.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use zipnn::file::Directory;
use zipnn::io::{Damage, ReadAt};
use zipnn::tensor::TensorInfo;
use zipnn::tensor::{Metadata, MetadataError};
use zipnn::{Archive, ArchiveError, DecodeError, DecodeErrorKind, Limits};

use crate::base::content::Bases;
use crate::base::file::BaseError;
use crate::base::origin::Origins;
use crate::content::inside_view::InsideView;
use crate::content::lost::{self, Lost};
use crate::content::tensor_entry::TensorEntry;
use crate::content::{beginning, data_header};
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::report::failure::Failure;

/// A compressed `.safetensors` file.
pub struct Tensors {
    source: Endpoint,
    delta: Option<PathBuf>,
    /// Where bases are that the file names.
    search: Vec<PathBuf>,
    storage: Storage,
}

enum Storage {
    /// The file is compressed as a whole.
    Archive(Box<dyn AnyArchive>),
    /// The tensors inside the file are compressed.
    Inside(Box<InsideView>),
}

/// Returns whether an archive holds all bytes of a range.
fn is_available(archive: &dyn AnyArchive, range: &Range<u64>) -> bool {
    range.is_empty() || range.end <= archive.available_len()
}

impl Tensors {
    /// Opens a file, with its base if it holds a difference. Reads only the index.
    pub fn open(source: &Endpoint, bases: Bases<'_>) -> Result<Self, Failure> {
        let storage = match (beginning::is_safetensors(source), bases.delta) {
            (true, None) => Storage::Inside(Box::new(InsideView::open(source)?)),
            (true, Some(_)) => {
                return Err(Failure::decoding(source, DecodeErrorKind::NotADelta.into()));
            }
            (false, _) => Storage::Archive(open_archive(source, bases)?),
        };
        let (delta, search) = (bases.delta.map(Path::to_owned), bases.search.to_vec());
        Ok(Self { source: source.clone(), delta, search, storage })
    }

    /// Returns a warning if the file was cut off, or its end is damaged.
    pub fn warning(&mut self) -> Option<String> {
        let error = match &mut self.storage {
            Storage::Archive(archive) => archive.cut()?.to_string(),
            Storage::Inside(restored) => restored.cut()?.to_string(),
        };
        Some(format!("zipnn: {}: warning: the file is not complete: {error}", self.source))
    }

    /// Returns an error if the file lacks bytes of this range of a tensor.
    pub fn check_available(&mut self, name: &str, range: &Range<u64>) -> Result<(), Failure> {
        let message = match &mut self.storage {
            Storage::Archive(archive) => {
                let (Some(error), false) = (archive.cut(), is_available(&**archive, range)) else {
                    return Ok(());
                };
                let missing = range.end - archive.available_len().clamp(range.start, range.end);
                format!(
                    "the file is not complete, and {missing} of the {} bytes of tensor {name:?} are \
                     missing: {error}",
                    range.end - range.start
                )
            }
            Storage::Inside(restored) => {
                if restored.is_complete(name) {
                    return Ok(());
                }
                let error = restored.cut().map(MetadataError::to_string).unwrap_or_default();
                format!(
                    "the file is not complete, and the end of tensor {name:?} is missing: {error}"
                )
            }
        };
        Err(Failure::new(&self.source, message).hint(
            "fetch or copy the file once more; zipnn ls lists complete tensors, and \
             zipnn decompress --no-verify recovers the rest",
        ))
    }

    /// Returns all tensors, in the order of their bytes.
    pub fn list(&mut self) -> Result<Vec<TensorEntry>, Failure> {
        let bases = Bases { delta: self.delta.as_deref(), search: &self.search };
        let archive = match &mut self.storage {
            Storage::Archive(archive) => archive,
            Storage::Inside(restored) => return Ok(restored.list()),
        };
        let layout =
            archive.layout().map_err(|error| failure_or_base(&self.source, bases, error))?;
        let tensors: Vec<TensorInfo> = layout.tensors().to_vec();
        let directory = archive.directory();
        let origins = match self.delta {
            None => Origins::of_file(&self.source),
            Some(_) => Origins::of_map(None),
        };
        let listed = tensors.into_iter().map(|tensor| TensorEntry {
            len: tensor.len(),
            is_complete: is_available(&**archive, &tensor.range),
            origin: origins.of(&tensor.range),
            stored_len: directory.stored_len(tensor.range),
            name: tensor.name,
            dtype: tensor.dtype,
            shape: tensor.shape,
        });
        Ok(listed.collect())
    }

    /// Returns the tensor with this name.
    pub fn tensor(&mut self, name: &str) -> Result<TensorInfo, Failure> {
        let bases = Bases { delta: self.delta.as_deref(), search: &self.search };
        match &mut self.storage {
            Storage::Archive(archive) => {
                let tensor = archive.tensor(name).cloned();
                tensor.map_err(|error| failure_or_base(&self.source, bases, error))
            }
            Storage::Inside(restored) => restored.tensor(name),
        }
    }

    /// Fills `dst` with decoded bytes from `offset` on.
    pub fn read_into(&mut self, offset: u64, dst: &mut [u8]) -> Result<(), Failure> {
        let bases = Bases { delta: self.delta.as_deref(), search: &self.search };
        match &mut self.storage {
            Storage::Archive(archive) => {
                let read = archive.read_into(offset, dst);
                read.map_err(|error| failure_or_base(&self.source, bases, error))
            }
            Storage::Inside(restored) => restored.read_into(offset, dst),
        }
    }
}

/// Returns the failure for an error of reading. If a base that the file names was changed, blames the
/// base.
pub fn failure_or_base(source: &Endpoint, bases: Bases<'_>, error: ArchiveError) -> Failure {
    let is_wrong = matches!(error, ArchiveError::Decode(_) | ArchiveError::Metadata(_));
    if is_wrong
        && bases.delta.is_none()
        && let Ok(Some(base)) = bases.open(source)
        && let Some(changed) = base.changed(source)
    {
        return changed;
    }
    failure(source, bases.delta, error)
}

/// An [`Archive`] with or without a base.
pub trait AnyArchive {
    fn layout(&self) -> Result<&Metadata, ArchiveError>;
    fn tensor(&self, name: &str) -> Result<&TensorInfo, ArchiveError>;
    fn read_into(&self, offset: u64, dst: &mut [u8]) -> Result<(), ArchiveError>;
    fn directory(&self) -> &Directory;
    fn damage(&self) -> Result<Vec<Damage>, ArchiveError>;
    fn cut(&self) -> Option<DecodeError>;
    fn available_len(&self) -> u64;
}

impl<B: ReadAt> AnyArchive for Archive<File, B> {
    fn layout(&self) -> Result<&Metadata, ArchiveError> {
        self.tensors()
    }

    fn tensor(&self, name: &str) -> Result<&TensorInfo, ArchiveError> {
        self.tensor(name)
    }

    fn read_into(&self, offset: u64, dst: &mut [u8]) -> Result<(), ArchiveError> {
        self.read_into(offset, dst)
    }

    fn directory(&self) -> &Directory {
        self.directory()
    }

    fn damage(&self) -> Result<Vec<Damage>, ArchiveError> {
        self.damage()
    }

    fn cut(&self) -> Option<DecodeError> {
        self.cut()
    }

    fn available_len(&self) -> u64 {
        self.available_len()
    }
}

/// Opens a file whose end may be missing, with its base if it holds a difference.
pub fn open_archive(source: &Endpoint, bases: Bases<'_>) -> Result<Box<dyn AnyArchive>, Failure> {
    let failure = |error| failure(source, bases.delta, error);
    let file = open_file(source)?;
    let limits = Limits::default();
    Ok(match random_access(source, bases)? {
        None => Box::new(Archive::open_partial(file, limits).map_err(failure)?),
        Some(base) => Box::new(Archive::open_partial_delta(file, base, limits).map_err(failure)?),
    })
}

/// Opens the base of a compressed file for reading parts of it; `None` if it has none.
fn random_access(source: &Endpoint, bases: Bases<'_>) -> Result<Option<Box<dyn ReadAt>>, Failure> {
    match bases.delta {
        Some(path) => Ok(Some(Box::new(open_file(&Endpoint::Path(path.to_owned()))?))),
        None => Ok(match bases.mapped(source)? {
            Some(base) => Some(Box::new(base)),
            None => None,
        }),
    }
}

/// Opens a file for reading parts of it.
pub fn open_file(endpoint: &Endpoint) -> Result<File, Failure> {
    let failure = |error| Failure::reading(endpoint, error);
    let is_pipe =
        |path: &Path| path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    let Some(path) = endpoint.path().filter(|path| !is_pipe(path)) else {
        return Err(Failure::usage(endpoint, "must be a file: pipes cannot be read in parts"));
    };
    Input::open(endpoint)?;
    File::open(path).map_err(failure)
}

/// Returns the directory of a file, if its index or the headers of all frames are valid.
pub fn directory(source: &Endpoint, bases: Bases<'_>) -> Option<Directory> {
    let file = open_file(source).ok()?;
    let limits = Limits::default();
    match random_access(source, bases).ok()? {
        None => Archive::open(file, limits).ok().map(|archive| archive.directory().clone()),
        Some(base) => {
            let archive = Archive::open_delta(file, base, limits).ok()?;
            Some(archive.directory().clone())
        }
    }
}

/// Returns lines about all damaged and missing ranges of a file, and the tensors in them. Returns
/// no lines for pipes, old layouts, differences without a base, and files without a valid
/// directory.
pub fn damage(source: &Endpoint, bases: Bases<'_>) -> Vec<String> {
    let Ok(archive) = open_archive(source, bases) else { return Vec::new() };
    let Ok(damage) = archive.damage() else { return Vec::new() };
    let layout = archive.layout().ok().cloned();
    let damage = damage.into_iter().map(|Damage { error, range, .. }| Lost {
        error,
        range,
        is_wrong: false,
    });
    let missing = archive.cut().map(|error| {
        let end = layout.as_ref().map_or(u64::MAX, data_header::end_of);
        Lost { error, range: archive.available_len()..end, is_wrong: false }
    });
    let missing = missing.filter(|lost| !lost.range.is_empty());
    let tensors = layout.as_ref().map(Metadata::tensors).unwrap_or_default();
    lost::describe(damage.chain(missing), 0, tensors)
}

fn failure(source: &Endpoint, base: Option<&Path>, error: ArchiveError) -> Failure {
    let base = base.map(Path::display);
    match (error, base) {
        (ArchiveError::Io(error), _) => match BaseError::of(error) {
            Ok(error) => {
                let failure = error.failure();
                let base = failure.subject().to_owned();
                failure
                    .because(source, format_args!("its base {base} cannot be read"))
                    .hint("fetch or copy the base once more")
            }
            Err(error) => Failure::reading(source, error),
        },
        (ArchiveError::Decode(error), base) => {
            let failure = Failure::decoding(source, error);
            match (error.kind(), base) {
                (DecodeErrorKind::BaseRequired, _) => failure.hint(
                    "name the base with --delta, which is needed to read the list of tensors",
                ),
                (DecodeErrorKind::ChecksumMismatch, Some(base)) => {
                    failure.hint(format_args!("the file is damaged, or {base} is not its base"))
                }
                _ => failure,
            }
        }
        (
            ArchiveError::Metadata(
                error @ (MetadataError::InvalidTensor { .. }
                | MetadataError::MissingData { .. }
                | MetadataError::AmbiguousTensor { .. }),
            ),
            None,
        ) => Failure::new(source, format_args!("its tensors cannot be found: {error}"))
            .hint("`zipnn decompress` restores the whole file"),
        (error @ ArchiveError::Metadata(_), Some(base)) => Failure::new(source, error)
            .hint(format_args!("the data lists no tensors, or {base} is not its base")),
        (error @ ArchiveError::Metadata(_), None) => {
            Failure::new(source, error).hint("zipnn info describes files of any format")
        }
        (error @ ArchiveError::NoSuchTensor { .. }, _) => {
            Failure::new(source, error).hint("zipnn ls lists all tensors of the file")
        }
        (error, _) => Failure::new(source, error),
    }
}
