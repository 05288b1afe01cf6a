//! The base of a difference, which is read in step with the data.

use std::io;
use std::path::{Path, PathBuf};

use zipnn::DecodeErrorKind;
use zipnn::delta::{BaseId, BaseMap, MappedBase};
use zipnn::io::ReadAt;

use crate::base::file::{BaseError, BaseFile};
use crate::base::resolve;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::fs::snapshot::Snapshot;
use crate::report::failure::Failure;

/// Where bases are: on the command line, or in the compressed file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bases<'a> {
    /// A file of the same length as the data, which is the base.
    pub delta: Option<&'a Path>,
    /// Files and directories to search for the bases that the compressed file names.
    pub search: &'a [PathBuf],
}

impl Bases<'_> {
    /// Opens the base of a compressed file; `None` if there is none, or it is not known.
    pub fn open(&self, source: &Endpoint) -> Result<Option<Base>, Failure> {
        if let Some(path) = self.delta {
            return Base::open(path).map(Some);
        }
        let base = self.mapped(source)?;
        Ok(base.map(Base::of_parts))
    }

    /// Opens the base that a compressed file describes; `None` if it describes none.
    pub fn mapped(&self, source: &Endpoint) -> Result<Option<MappedBase<BaseFile>>, Failure> {
        let Some(map) = resolve::map(source) else { return Ok(None) };
        let sources = resolve::open(&map, source, self.search)?;
        assemble(map, sources, source).map(Some)
    }
}

/// Combines a map with its sources, for the data of `subject`.
fn assemble(
    map: BaseMap,
    sources: Vec<BaseFile>,
    subject: &Endpoint,
) -> Result<MappedBase<BaseFile>, Failure> {
    MappedBase::new(map, sources).map_err(|error| Failure::new(subject, error).of_base())
}

/// The base of a difference.
pub struct Base {
    content: Content,
}

enum Content {
    /// One file or pipe.
    Whole(Box<Input>),
    /// Parts of several files.
    Mapped(Box<Mapped>),
}

struct Mapped {
    base: MappedBase<BaseFile>,
    snapshots: Vec<Snapshot>,
    endpoint: Endpoint,
    at: u64,
}

impl Base {
    /// Opens a base that is one file or pipe.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let input = Input::open_path(path)
            .map_err(|failure| failure.hint("--delta must name the base of the difference"))?;
        Ok(Self { content: Content::Whole(Box::new(input.refuse_pointer()?)) })
    }

    /// Creates the base that a map describes, for the data of `subject`.
    pub fn mapped(
        map: BaseMap,
        sources: Vec<BaseFile>,
        subject: &Endpoint,
    ) -> Result<Self, Failure> {
        assemble(map, sources, subject).map(Self::of_parts)
    }

    fn of_parts(base: MappedBase<BaseFile>) -> Self {
        Self { content: Content::Mapped(Box::new(Mapped::new(base))) }
    }

    /// Returns the states of all files when they were opened.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        match &self.content {
            Content::Whole(input) => {
                Snapshot::new(input.endpoint(), input.metadata()).into_iter().collect()
            }
            Content::Mapped(mapped) => mapped.snapshots.clone(),
        }
    }

    /// Returns the identity of the base; `None` for a pipe, which can be read only once.
    pub fn identify(&mut self) -> Result<Option<BaseId>, Failure> {
        match &mut self.content {
            Content::Whole(input) => input.identify(),
            Content::Mapped(mapped) => {
                let id = BaseId::read(mapped.base.reader());
                id.map(Some).map_err(|error| mapped.failure(error))
            }
        }
    }

    /// Returns an error if this is not the base that `subject` needs. A wrong base from a pipe is
    /// detected only by the checksums of the data.
    pub fn check(&mut self, expected: BaseId, subject: &Endpoint) -> Result<(), Failure> {
        let Some(found) = self.identify()? else { return Ok(()) };
        if found == expected {
            return Ok(());
        }
        match &self.content {
            Content::Whole(input) => {
                let failure =
                    Failure::decoding(subject, DecodeErrorKind::WrongBase.into()).of_base();
                Err(failure.hint(format_args!(
                    "{} is another file: name the base of the difference with --delta",
                    input.endpoint()
                )))
            }
            Content::Mapped(mapped) => Err(mapped.wrong(subject)),
        }
    }

    /// Returns the error for a file of the base that was changed after the data of `subject` was
    /// compressed; `None` if none was, or if that is not known.
    pub fn changed(&self, subject: &Endpoint) -> Option<Failure> {
        match &self.content {
            Content::Whole(_) => None,
            Content::Mapped(mapped) => mapped.changed(subject),
        }
    }

    /// Returns an error if the lengths of base and data are known and differ.
    pub fn check_len(&self, data: Option<u64>, subject: &Endpoint) -> Result<(), Failure> {
        match (self.len(), data) {
            (Some(base), Some(data)) if base != data => {
                Err(self.wrong_len(subject, &format!("has {base} bytes, but the data {data}")))
            }
            _ => Ok(()),
        }
    }

    fn len(&self) -> Option<u64> {
        match &self.content {
            Content::Whole(input) => input.len(),
            Content::Mapped(mapped) => Some(mapped.base.map().len()),
        }
    }

    /// Reads the part of the base for the next `len` bytes of the data.
    pub fn read(
        &mut self,
        len: u64,
        part: &mut Vec<u8>,
        subject: &Endpoint,
    ) -> Result<(), Failure> {
        let read = match &mut self.content {
            Content::Whole(input) => {
                part.clear();
                input.read_up_to(len, part).map_err(|error| input.failure(error))?
            }
            Content::Mapped(mapped) => mapped.read(len, part)?,
        };
        if read < len {
            return Err(self.wrong_len(subject, "is shorter than the data"));
        }
        Ok(())
    }

    /// Skips the part of the base for the next `len` bytes of the data.
    pub fn skip(&mut self, len: u64) -> Result<(), Failure> {
        match &mut self.content {
            Content::Whole(input) => {
                let end = input.position().saturating_add(len);
                input.go_to(end).map(drop).map_err(|error| input.failure(error))
            }
            Content::Mapped(mapped) => {
                mapped.at = mapped.at.saturating_add(len);
                Ok(())
            }
        }
    }

    /// Returns the endpoint of the base, or of its first file.
    pub fn endpoint(&self) -> &Endpoint {
        match &self.content {
            Content::Whole(input) => input.endpoint(),
            Content::Mapped(mapped) => &mapped.endpoint,
        }
    }

    /// Returns the path of a base that is one file.
    pub fn path(&self) -> Option<&Path> {
        match &self.content {
            Content::Whole(input) => input.endpoint().path(),
            Content::Mapped(_) => None,
        }
    }

    /// Returns an error unless the base ends here.
    pub fn finish(&mut self, subject: &Endpoint) -> Result<(), Failure> {
        let is_at_end = match &mut self.content {
            Content::Whole(input) => {
                let mut rest = Vec::new();
                input.read_up_to(1, &mut rest).map_err(|error| input.failure(error))? == 0
            }
            Content::Mapped(mapped) => mapped.at >= mapped.base.map().len(),
        };
        if is_at_end { Ok(()) } else { Err(self.wrong_len(subject, "is longer than the data")) }
    }

    fn wrong_len(&self, subject: &Endpoint, how: &str) -> Failure {
        Failure::new(subject, format_args!("the base {} {how}", self.endpoint()))
            .of_base()
            .hint("a difference needs a base of the same length: name another file with --delta")
    }
}

impl Mapped {
    fn new(base: MappedBase<BaseFile>) -> Self {
        let snapshots = base.sources().iter().filter_map(BaseFile::snapshot).cloned().collect();
        let path = base.sources().first().map(BaseFile::path).unwrap_or(Path::new("zeros"));
        let endpoint = Endpoint::Path(path.to_owned());
        Self { base, snapshots, endpoint, at: 0 }
    }

    /// Replaces `part` with at most `len` bytes, and returns their number.
    fn read(&mut self, len: u64, part: &mut Vec<u8>) -> Result<u64, Failure> {
        let len = len.min(self.base.map().len().saturating_sub(self.at));
        part.resize(len as usize, 0);
        self.base.read_exact_at(part, self.at).map_err(|error| self.failure(error))?;
        self.at += len;
        Ok(len)
    }

    fn failure(&self, error: io::Error) -> Failure {
        BaseError::reading(&self.endpoint, error).of_base()
    }

    /// Returns the error for the file that was changed; `None` if none was.
    fn changed(&self, subject: &Endpoint) -> Option<Failure> {
        let mut sources = self.base.sources().iter().zip(self.base.map().sources());
        let changed = sources.find(|(file, expected)| {
            !file.hash(0..expected.len).is_ok_and(|hash| hash.to_le_bytes() == expected.hash)
        });
        changed.map(|(file, _)| resolve::changed(subject, file.opened()))
    }

    /// Returns the error for a base with other contents, which names the file that was changed.
    fn wrong(&self, subject: &Endpoint) -> Failure {
        self.changed(subject).unwrap_or_else(|| {
            Failure::decoding(subject, DecodeErrorKind::WrongBase.into()).of_base()
        })
    }
}
