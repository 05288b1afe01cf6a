//! What is compressed.

use std::error::Error;
use std::fs;

use zipnn::DType;

/// Every codec gets the data in pieces of this size, as `zipnn` cuts files into frames.
const PIECE: usize = 4 << 20;

/// A file of numbers of one type.
pub struct Input {
    name: String,
    /// The type of the numbers.
    pub dtype: DType,
    /// The file, up to the last whole number of any type.
    bytes: Vec<u8>,
}

impl Input {
    /// Reads `FILE:TYPE`.
    pub fn read(argument: &str) -> Result<Self, Box<dyn Error>> {
        let (path, dtype) = argument.rsplit_once(':').ok_or("say FILE:TYPE")?;
        let dtype = match dtype {
            "bf16" => DType::BF16,
            "f16" => DType::F16,
            "f32" => DType::F32,
            "f8e4m3" => DType::F8E4M3,
            "f8e5m2" => DType::F8E5M2,
            _ => return Err(format!("{dtype} is no type that is known here").into()),
        };
        let mut bytes = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        bytes.truncate(bytes.len() / 4 * 4);
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        Ok(Self { name, dtype, bytes })
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The data as codecs get it.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(PIECE)
    }

    /// Type and name, for people.
    pub fn title(&self) -> String {
        format!("{}, {}, {:.1} MB", self.dtype.name(), self.name, self.len() as f64 / 1e6)
    }
}
