//! Reading whole tensors of a file in any form: uncompressed, with tensors compressed inside, or
//! compressed as a whole.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use zipnn::Limits;
use zipnn::io::ReadAt;

use crate::base::content::Bases;
use crate::content::tensor_source::TensorSource;
use crate::content::tensors::{self, Tensors};
use crate::content::{beginning, layout};
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::report::failure::Failure;

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorHead {
    pub name: String,
    /// Type as the file names it.
    pub dtype: String,
    pub shape: Vec<u64>,
    /// Length in bytes.
    pub len: u64,
}

/// A file with tensors.
pub struct AnyTensors {
    heads: Vec<TensorHead>,
    storage: Storage,
}

enum Storage {
    /// A `.safetensors` file that is not compressed, or whose tensors are compressed inside.
    Inside {
        source: Box<TensorSource>,
        /// The number of each tensor for its reader, which also counts bytes that belong to no
        /// tensor.
        numbers: Vec<usize>,
    },
    /// The file is compressed as a whole.
    Whole(Tensors),
    /// A file of another format that is not compressed.
    Plain { source: Endpoint, file: File, ranges: Vec<Range<u64>> },
}

impl AnyTensors {
    /// Opens a file and reads the list of its tensors.
    pub fn open(source: &Endpoint) -> Result<Self, Failure> {
        if beginning::is_znn(source) {
            return Self::open_whole(source);
        }
        // Only safetensors files are read from pipes.
        let is_file = source.path().is_some_and(Path::is_file);
        match is_file && !beginning::is_safetensors(source) {
            true => Self::open_plain(source),
            false => Self::open_inside(source),
        }
    }

    fn open_whole(source: &Endpoint) -> Result<Self, Failure> {
        let mut tensors = Tensors::open(source, Bases::default())?;
        let listed = tensors.list()?.into_iter();
        let heads = listed.map(|entry| TensorHead {
            name: entry.name,
            dtype: entry.dtype,
            shape: entry.shape,
            len: entry.len,
        });
        Ok(Self { heads: heads.collect(), storage: Storage::Whole(tensors) })
    }

    fn open_inside(source: &Endpoint) -> Result<Self, Failure> {
        let source = TensorSource::open(source, Limits::default())?;
        let tensors = source.reader.tensors().iter().enumerate();
        let (numbers, heads) = tensors
            .filter(|(_, tensor)| !tensor.is_gap)
            .map(|(number, tensor)| {
                let head = TensorHead {
                    name: tensor.name.clone(),
                    dtype: tensor.dtype.clone(),
                    shape: tensor.shape.clone(),
                    len: tensor.decoded_len,
                };
                (number, head)
            })
            .unzip();
        Ok(Self { heads, storage: Storage::Inside { source: Box::new(source), numbers } })
    }

    fn open_plain(source: &Endpoint) -> Result<Self, Failure> {
        let file = tensors::open_file(source)?;
        let mut input = Input::open(source)?;
        let found = layout::read(&mut input).map_err(|error| input.failure(error))?;
        let found = found.ok_or_else(|| {
            Failure::new(source, "contains no tensors in a format that zipnn knows")
                .hint("zipnn doctor describes files of any kind")
        })?;
        let (heads, ranges) = found
            .tensors()
            .iter()
            .map(|tensor| {
                let head = TensorHead {
                    name: tensor.name.clone(),
                    dtype: tensor.dtype.clone(),
                    shape: tensor.shape.clone(),
                    len: tensor.len(),
                };
                (head, tensor.range.clone())
            })
            .unzip();
        Ok(Self { heads, storage: Storage::Plain { source: source.clone(), file, ranges } })
    }

    /// Returns all tensors, in the order of their bytes.
    pub fn heads(&self) -> &[TensorHead] {
        &self.heads
    }

    /// Replaces `data` with the elements of a tensor.
    pub fn read(&mut self, number: usize, data: &mut Vec<u8>) -> Result<(), Failure> {
        match &mut self.storage {
            Storage::Inside { source, numbers } => {
                let read = source.reader.read(numbers[number], data);
                read.map_err(|error| source.failure(error))
            }
            Storage::Whole(tensors) => {
                let range = tensors.tensor(&self.heads[number].name)?.range;
                data.clear();
                data.resize((range.end - range.start) as usize, 0);
                tensors.read_into(range.start, data)
            }
            Storage::Plain { source, file, ranges } => {
                let range = &ranges[number];
                // A header may state more bytes than the file has.
                let failure = |error| Failure::reading(&source, error);
                if range.end > file.size().map_err(failure)? {
                    return Err(failure(std::io::ErrorKind::UnexpectedEof.into()));
                }
                data.clear();
                data.resize((range.end - range.start) as usize, 0);
                file.read_exact_at(data, range.start).map_err(failure)
            }
        }
    }
}
