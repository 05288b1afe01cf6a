//! The tensors of a file, one by one.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use zipnn::file::Directory;
use zipnn::io::{Damage, ReadAt};
use zipnn::tensor::{Metadata, MetadataError, TensorInfo};
use zipnn::{Archive, ArchiveError, DecodeError, DecodeErrorKind, Limits};

use crate::content::inside_view::InsideView;
use crate::content::tensor_entry::TensorEntry;
use crate::content::{beginning, data_header};
use crate::fs::endpoint::Place;
use crate::fs::input::Input;
use crate::repair::salvage::{self, Lost};
use crate::report::failure::Failure;

/// A compressed file of tensors.
pub struct Tensors {
    source: Place,
    base: Option<PathBuf>,
    kind: Kind,
}

enum Kind {
    /// The whole file is compressed.
    Archive(Box<dyn Parts>),
    /// The tensors in it are.
    Inside(Box<InsideView>),
}

/// Returns whether an archive has all of these bytes.
fn is_available(archive: &dyn Parts, range: &Range<u64>) -> bool {
    range.is_empty() || range.end <= archive.available_len()
}

impl Tensors {
    /// Opens a file, with its base if it holds a difference. Reads only the directory.
    pub fn open(source: &Place, base: Option<&Path>) -> Result<Self, Failure> {
        let kind = match (beginning::is_safetensors(source), base) {
            (true, None) => Kind::Inside(Box::new(InsideView::open(source)?)),
            (true, Some(_)) => {
                return Err(Failure::decoding(source, DecodeErrorKind::NotADelta.into()));
            }
            (false, base) => Kind::Archive(open_archive(source, base)?),
        };
        Ok(Self { source: source.clone(), base: base.map(Path::to_owned), kind })
    }

    /// Returns a warning for a file that was cut off, or whose end is damaged.
    pub fn warning(&mut self) -> Option<String> {
        let error = match &mut self.kind {
            Kind::Archive(archive) => archive.cut()?.to_string(),
            Kind::Inside(restored) => restored.cut()?.to_string(),
        };
        Some(format!("zipnn: {}: warning: the file is not whole: {error}", self.source))
    }

    /// Returns an error if the file lacks any of these bytes of a tensor.
    pub fn check_available(&mut self, name: &str, range: &Range<u64>) -> Result<(), Failure> {
        let message = match &mut self.kind {
            Kind::Archive(archive) => {
                let (Some(error), false) = (archive.cut(), is_available(&**archive, range)) else {
                    return Ok(());
                };
                let missing = range.end - archive.available_len().clamp(range.start, range.end);
                format!(
                    "the file is not whole, and {missing} of the {} bytes of tensor {name:?} are \
                     missing: {error}",
                    range.end - range.start
                )
            }
            Kind::Inside(restored) => {
                if restored.is_complete(name) {
                    return Ok(());
                }
                let error = restored.cut().map(MetadataError::to_string).unwrap_or_default();
                format!("the file is not whole, and the end of tensor {name:?} is missing: {error}")
            }
        };
        Err(Failure::new(&self.source, message).hint(
            "fetch or copy the file once more; zipnn ls lists which tensors are complete, and \
             zipnn decompress --no-verify saves what is left",
        ))
    }

    /// All tensors, in the order of their bytes.
    pub fn list(&mut self) -> Result<Vec<TensorEntry>, Failure> {
        let archive = match &mut self.kind {
            Kind::Archive(archive) => archive,
            Kind::Inside(restored) => return Ok(restored.list()),
        };
        let layout =
            archive.layout().map_err(|error| failure(&self.source, self.base.as_deref(), error))?;
        let tensors: Vec<TensorInfo> = layout.tensors().to_vec();
        let directory = archive.directory();
        let listed = tensors.into_iter().map(|tensor| TensorEntry {
            len: tensor.len(),
            is_complete: is_available(&**archive, &tensor.range),
            stored_len: directory.stored_len(tensor.range),
            name: tensor.name,
            dtype: tensor.dtype,
            shape: tensor.shape,
        });
        Ok(listed.collect())
    }

    /// The tensor of this name.
    pub fn tensor(&mut self, name: &str) -> Result<TensorInfo, Failure> {
        match &mut self.kind {
            Kind::Archive(archive) => {
                let tensor = archive.tensor(name).cloned();
                tensor.map_err(|error| failure(&self.source, self.base.as_deref(), error))
            }
            Kind::Inside(restored) => restored.tensor(name),
        }
    }

    /// Decodes as many bytes of the data as `dst` holds, from `offset` on.
    pub fn read_into(&mut self, offset: u64, dst: &mut [u8]) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Archive(archive) => {
                let read = archive.read_into(offset, dst);
                read.map_err(|error| failure(&self.source, self.base.as_deref(), error))
            }
            Kind::Inside(restored) => restored.read_into(offset, dst),
        }
    }
}

/// An [`Archive`], with a base or without one.
pub trait Parts {
    fn layout(&self) -> Result<&Metadata, ArchiveError>;
    fn tensor(&self, name: &str) -> Result<&TensorInfo, ArchiveError>;
    fn read_into(&self, offset: u64, dst: &mut [u8]) -> Result<(), ArchiveError>;
    fn directory(&self) -> &Directory;
    fn damage(&self) -> Result<Vec<Damage>, ArchiveError>;
    fn cut(&self) -> Option<DecodeError>;
    fn available_len(&self) -> u64;
}

impl<B: ReadAt> Parts for Archive<File, B> {
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
pub fn open_archive(source: &Place, base: Option<&Path>) -> Result<Box<dyn Parts>, Failure> {
    let failure = |error| failure(source, base, error);
    let file = open_file(source)?;
    let limits = Limits::default();
    match base {
        None => Ok(Box::new(Archive::open_partial(file, limits).map_err(failure)?)),
        Some(path) => {
            let base = open_file(&Place::Path(path.to_owned()))?;
            Ok(Box::new(Archive::open_partial_delta(file, base, limits).map_err(failure)?))
        }
    }
}

/// Opens a file for reading parts of it.
pub fn open_file(place: &Place) -> Result<File, Failure> {
    let failure = |error| Failure::reading(place, error);
    let is_pipe =
        |path: &Path| path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    let Some(path) = place.path().filter(|path| !is_pipe(path)) else {
        return Err(Failure::usage(place, "must be a file: pipes cannot be read in parts"));
    };
    Input::open(place)?;
    File::open(path).map_err(failure)
}

/// Returns the places of a file's frames, if the index or the headers of all frames are right.
pub fn directory(source: &Place, base: Option<&Path>) -> Option<Directory> {
    let file = open_file(source).ok()?;
    let limits = Limits::default();
    match base {
        None => Archive::open(file, limits).ok().map(|archive| archive.directory().clone()),
        Some(path) => {
            let base = open_file(&Place::Path(path.to_owned())).ok()?;
            let archive = Archive::open_delta(file, base, limits).ok()?;
            Some(archive.directory().clone())
        }
    }
}

/// Returns lines about all that is damaged or missing in a file, and which tensors are lost with
/// it. There are none for pipes, old layouts, differences without their base, and files whose
/// frames cannot be found.
pub fn damage(source: &Place, base: Option<&Path>) -> Vec<String> {
    let Ok(archive) = open_archive(source, base) else { return Vec::new() };
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
    salvage::describe(damage.chain(missing), 0, tensors)
}

fn failure(source: &Place, base: Option<&Path>, error: ArchiveError) -> Failure {
    let base = base.map(Path::display);
    match (error, base) {
        (ArchiveError::Io(error), _) => Failure::reading(source, error),
        (ArchiveError::Decode(error), base) => {
            let failure = Failure::decoding(source, error);
            match (error.kind(), base) {
                (DecodeErrorKind::BaseRequired, _) => failure.hint(
                    "name that file with --delta: the list of tensors is a part of the difference",
                ),
                (DecodeErrorKind::ChecksumMismatch, Some(base)) => failure.hint(format_args!(
                    "the file is damaged, or {base} is not the file that it was made against"
                )),
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
            .hint("`zipnn decompress` restores the file as it was"),
        (error @ ArchiveError::Metadata(_), Some(base)) => {
            Failure::new(source, error).hint(format_args!(
                "only files of tensors have a list; or {base} is not the file that it was made against"
            ))
        }
        (error @ ArchiveError::Metadata(_), None) => Failure::new(source, error)
            .hint("only files of tensors have a list: zipnn info shows what is in any other"),
        (error @ ArchiveError::NoSuchTensor { .. }, _) => {
            Failure::new(source, error).hint("zipnn ls lists the tensors that there are")
        }
        (error, _) => Failure::new(source, error),
    }
}
