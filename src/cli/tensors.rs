//! The tensors of a file, one by one.

use std::fs::File;
use std::io::BufReader;

use zipnn::safetensors::Tensor;
use zipnn::{Archive, ArchiveError, Damage, Limits};

use super::failure::Failure;
use super::inside;
use super::names::Place;
use super::restored::Restored;
use super::units;

/// A compressed file of tensors.
pub struct Tensors {
    source: Place,
    kind: Kind,
}

enum Kind {
    /// The whole file is compressed.
    Archive(Box<Archive<BufReader<File>>>),
    /// The tensors in it are.
    Inside(Box<Restored>),
}

/// What is told of a tensor.
pub struct Listed {
    pub name: String,
    /// As the file calls it.
    pub dtype: String,
    pub shape: Vec<u64>,
    /// Its bytes.
    pub len: u64,
    /// Bytes of the file that it takes; where it shares a frame with others, its share.
    pub stored_len: u64,
}

impl Tensors {
    /// Opens a file, of which only the directory is read.
    pub fn open(source: &Place) -> Result<Self, Failure> {
        let kind = match inside::is_safetensors(source) {
            true => Kind::Inside(Box::new(Restored::open(source)?)),
            false => Kind::Archive(Box::new(open_archive(source)?)),
        };
        Ok(Self { source: source.clone(), kind })
    }

    /// All tensors, in the order of their bytes.
    pub fn list(&mut self) -> Result<Vec<Listed>, Failure> {
        let archive = match &mut self.kind {
            Kind::Archive(archive) => archive,
            Kind::Inside(restored) => return Ok(restored.list()),
        };
        let layout = archive.tensors().map_err(|error| failure(&self.source, error))?;
        let tensors: Vec<Tensor> = layout.tensors().to_vec();
        let directory = archive.directory();
        let listed = tensors.into_iter().map(|tensor| Listed {
            len: tensor.len(),
            stored_len: directory.stored_len(tensor.range),
            name: tensor.name,
            dtype: tensor.dtype,
            shape: tensor.shape,
        });
        Ok(listed.collect())
    }

    /// The tensor of this name.
    pub fn tensor(&mut self, name: &str) -> Result<Tensor, Failure> {
        match &mut self.kind {
            Kind::Archive(archive) => {
                archive.tensor(name).cloned().map_err(|error| failure(&self.source, error))
            }
            Kind::Inside(restored) => restored.tensor(name),
        }
    }

    /// Decodes as many bytes of the data as `dst` holds, from `offset` on.
    pub fn read_into(&mut self, offset: u64, dst: &mut [u8]) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Archive(archive) => {
                archive.read_into(offset, dst).map_err(|error| failure(&self.source, error))
            }
            Kind::Inside(restored) => restored.read_into(offset, dst),
        }
    }
}

fn open_archive(source: &Place) -> Result<Archive<BufReader<File>>, Failure> {
    let Some(path) = source.path() else {
        return Err(Failure::usage(source, "must be a file: pipes cannot be read in parts"));
    };
    let file = File::open(path).map_err(|error| Failure::reading(source, error))?;
    Archive::open(BufReader::new(file), Limits::default()).map_err(|error| failure(source, error))
}

/// Lines about all that is damaged in a file, and which tensors that takes. None where it cannot be
/// told: of pipes, differences and old layouts, and where the frames cannot be found.
pub fn damage(source: &Place) -> Vec<String> {
    /// Lines that anybody reads.
    const MOST: usize = 20;
    let Ok(mut archive) = open_archive(source) else { return Vec::new() };
    let Ok(damage) = archive.damage() else { return Vec::new() };
    let named = archive.tensors().map(|layout| layout.tensors()).unwrap_or_default();
    let describe = |damage: &Damage| {
        let is_touched = |tensor: &&Tensor| {
            tensor.range.start < damage.range.end && damage.range.start < tensor.range.end
        };
        let lost = format!("bytes {} to {}", damage.range.start, damage.range.end);
        let names = units::list(named.iter().filter(is_touched).map(|tensor| &tensor.name));
        let place = if names.is_empty() { names } else { format!(", in {names}") };
        format!("{}; lost: {lost}{place}", damage.error)
    };
    let mut lines: Vec<String> = damage.iter().take(MOST).map(describe).collect();
    if damage.len() > MOST {
        lines.push(format!("and {} more", damage.len() - MOST));
    }
    lines
}

fn failure(source: &Place, error: ArchiveError) -> Failure {
    match error {
        ArchiveError::Io(error) => Failure::reading(source, error),
        ArchiveError::Decode(error) => Failure::decoding(source, error),
        ArchiveError::Layout(_) => Failure::new(source, error)
            .hint("only files of tensors have a list: zipnn info tells of any other"),
        ArchiveError::NoSuchTensor { .. } => {
            Failure::new(source, error).hint("zipnn ls lists the tensors that there are")
        }
        error => Failure::new(source, error),
    }
}
