//! Reads safetensors files in which tensors are compressed one by one.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use zipnn::tensor::inside::{TensorError, TensorReader};
use zipnn::{DecodeErrorKind, Limits};

use crate::error::{Error, Result, run};
use crate::input::Target;
use crate::pool::Threads;

/// Maximum number of bytes to decode at a time when a file is written.
const PART: u64 = 64 << 20;

/// A file with compressed tensors, and the plain file that it decompresses to.
pub struct Inside {
    reader: TensorReader<File>,
    header: Vec<u8>,
    /// The indices of the tensors in the order in which the plain file holds them.
    order: Vec<usize>,
    decoded_len: u64,
    threads: Threads,
}

impl Inside {
    /// Opens a file, or returns `None` if it has no compressed tensors.
    pub fn open(file: File, threads: Threads) -> Result<Option<Self>> {
        let reader = match TensorReader::open(file, Limits::default()) {
            Ok(reader) if reader.is_compressed() => reader,
            Ok(_) | Err(TensorError::Metadata(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let restored = reader.restored_header()?;
        let tensors = restored.order.iter().map(|&index| reader.tensors()[index].decoded_len);
        let len = tensors.sum::<u64>() + restored.header.len() as u64;
        Ok(Some(Self {
            reader,
            header: restored.header,
            order: restored.order,
            decoded_len: len,
            threads,
        }))
    }

    /// Decompresses to a file, and returns its length.
    pub fn write(&mut self, file: &mut impl std::io::Write) -> Result<u64> {
        file.write_all(&self.header)?;
        let mut decoded = Vec::new();
        for index in self.order.clone() {
            let len = self.reader.tensors()[index].decoded_len;
            for start in (0..len).step_by(PART as usize) {
                decoded.resize((len - start).min(PART) as usize, 0);
                self.decode(index, start, &mut decoded)?;
                file.write_all(&decoded)?;
            }
        }
        Ok(self.decoded_len)
    }

    /// Decompresses into memory, and returns the number of bytes.
    fn read_into(&mut self, target: &mut [u8]) -> Result<usize> {
        let needed = self.decoded_len;
        let have = target.len() as u64;
        if have < needed {
            return Err(Error::Decode(DecodeErrorKind::OutputTooSmall { needed, have }.into()));
        }
        let (header, mut rest) = target.split_at_mut(self.header.len());
        header.copy_from_slice(&self.header);
        for index in self.order.clone() {
            let len = self.reader.tensors()[index].decoded_len as usize;
            let (tensor, behind) = rest.split_at_mut(len);
            self.decode(index, 0, tensor)?;
            rest = behind;
        }
        Ok(needed as usize)
    }

    fn decode(&mut self, index: usize, start: u64, target: &mut [u8]) -> Result<()> {
        match &self.threads {
            Threads::Caller => self.reader.read_part(index, start, target)?,
            Threads::Pool(workers) => {
                workers.pool.install(|| self.reader.par_read_part(index, start, target))?;
            }
        }
        Ok(())
    }
}

/// A file with compressed tensors.
#[pyclass(frozen)]
pub struct InsideFile {
    inside: Mutex<Inside>,
    /// The decoded length in bytes.
    #[pyo3(get)]
    decoded_len: u64,
}

#[pymethods]
impl InsideFile {
    /// Opens a file, or returns `None` if it has no compressed tensors.
    #[staticmethod]
    #[pyo3(signature = (path, *, threads=0))]
    fn open(py: Python<'_>, path: PathBuf, threads: usize) -> PyResult<Option<Self>> {
        let threads = Threads::new(threads)?;
        let inside = run(py, || Inside::open(File::open(path)?, threads))?;
        Ok(inside
            .map(|inside| Self { decoded_len: inside.decoded_len, inside: Mutex::new(inside) }))
    }

    /// Decompresses into memory of the caller, and returns the number of bytes.
    fn read_into(&self, py: Python<'_>, out: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut target = Target::new(out)?;
        let target = target.as_mut_slice()?;
        run(py, || self.inside.lock().unwrap_or_else(PoisonError::into_inner).read_into(target))
    }
}
