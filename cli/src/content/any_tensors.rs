//! Reading whole tensors of a `.safetensors` file in any form: uncompressed, with tensors compressed
//! inside, or compressed as a whole.

use zipnn::Limits;

use crate::base::content::Bases;
use crate::content::beginning;
use crate::content::tensor_source::TensorSource;
use crate::content::tensors::Tensors;
use crate::fs::endpoint::Endpoint;
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

/// A `.safetensors` file.
pub struct AnyTensors {
    heads: Vec<TensorHead>,
    /// The number of each tensor for its reader, which also counts bytes that belong to no tensor.
    numbers: Vec<usize>,
    storage: Storage,
}

enum Storage {
    /// The file is not compressed, or its tensors are compressed inside.
    Inside(Box<TensorSource>),
    /// The file is compressed as a whole.
    Whole(Tensors),
}

impl AnyTensors {
    /// Opens a file and reads the list of its tensors.
    pub fn open(source: &Endpoint) -> Result<Self, Failure> {
        if beginning::is_znn(source) {
            let mut tensors = Tensors::open(source, Bases::default())?;
            let listed = tensors.list()?.into_iter();
            let heads = listed.map(|entry| TensorHead {
                name: entry.name,
                dtype: entry.dtype,
                shape: entry.shape,
                len: entry.len,
            });
            let (heads, storage) = (heads.collect(), Storage::Whole(tensors));
            return Ok(Self { heads, numbers: Vec::new(), storage });
        }
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
        Ok(Self { heads, numbers, storage: Storage::Inside(Box::new(source)) })
    }

    /// Returns all tensors, in the order of their bytes.
    pub fn heads(&self) -> &[TensorHead] {
        &self.heads
    }

    /// Replaces `data` with the elements of a tensor.
    pub fn read(&mut self, number: usize, data: &mut Vec<u8>) -> Result<(), Failure> {
        match &mut self.storage {
            Storage::Inside(source) => {
                let read = source.reader.read(self.numbers[number], data);
                read.map_err(|error| source.failure(error))
            }
            Storage::Whole(tensors) => {
                let range = tensors.tensor(&self.heads[number].name)?.range;
                data.clear();
                data.resize((range.end - range.start) as usize, 0);
                tensors.read_into(range.start, data)
            }
        }
    }
}
