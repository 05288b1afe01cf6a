//! Reads ranges and tensors of compressed files.

use std::fs::File;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use zipnn::tensor::{Metadata, MetadataReader};
use zipnn::{DecodeError, DecodeErrorKind};

use crate::error::{Error, Result, run};
use crate::input::Target;
use crate::pool::Threads;
use crate::ranges::{Ranges, Source};

/// A file to read: its path, or a callable that reads ranges, and the file's length.
#[derive(FromPyObject)]
enum Place {
    Path(PathBuf),
    Callable(Py<PyAny>, u64),
}

impl Place {
    fn open(self) -> PyResult<(Source, u64)> {
        match self {
            Self::Path(path) => {
                let file = File::open(path)?;
                let len = file.metadata()?.len();
                Ok((Source::File(file), len))
            }
            Self::Callable(read, len) => Ok((Source::Callable(read), len)),
        }
    }
}

/// A compressed file of which any part can be read.
#[pyclass(frozen)]
pub struct Archive {
    ranges: Ranges,
}

#[pymethods]
impl Archive {
    #[new]
    #[pyo3(signature = (place, *, base=None, threads=0))]
    fn new(py: Python<'_>, place: Place, base: Option<Place>, threads: usize) -> PyResult<Self> {
        let (source, len) = place.open()?;
        let base = base.map(Place::open).transpose()?;
        let threads = Threads::new(threads)?;
        let ranges = run(py, || {
            let expected = base.as_ref().map(|(_, len)| *len);
            let ranges = Ranges::open(source, len, base.map(|(source, _)| source), threads)?;
            check_base(expected, ranges.decoded_len())?;
            Ok(ranges)
        })?;
        Ok(Self { ranges })
    }

    /// The decoded length in bytes.
    #[getter]
    fn decoded_len(&self) -> u64 {
        self.ranges.decoded_len()
    }

    /// The number of compressed bytes that have been read.
    #[getter]
    fn bytes_read(&self) -> u64 {
        self.ranges.bytes_read()
    }

    /// Fills `out` with the decoded bytes from `start` on.
    fn read_into(&self, py: Python<'_>, start: u64, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut target = Target::new(out)?;
        let target = target.as_mut_slice()?;
        run(py, || self.ranges.read_into(start, target))
    }

    /// Returns the tensors and the metadata of a file of a known format: for each tensor its type,
    /// its shape, and the offsets at which it begins and ends.
    fn tensors<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
        let found = run(py, || self.metadata())?;
        let tensors = PyDict::new(py);
        for tensor in found.tensors() {
            let range = (tensor.range.start, tensor.range.end);
            tensors.set_item(&tensor.name, (&tensor.dtype, &tensor.shape, range))?;
        }
        let metadata = PyDict::new(py);
        for (key, value) in found.metadata() {
            metadata.set_item(key, value)?;
        }
        Ok((tensors, metadata))
    }
}

impl Archive {
    /// Finds the tensors in the data.
    fn metadata(&self) -> Result<Metadata> {
        let error = |error| Error::Archive(zipnn::ArchiveError::Metadata(error));
        let mut reader = MetadataReader::new(self.ranges.decoded_len())
            .first_read(self.ranges.first_frame_len());
        while let Some(range) = reader.wanted() {
            let (start, bytes) = self.ranges.read_chunks(range)?;
            reader.feed_at(start, &bytes).map_err(error)?;
        }
        reader.finish().map_err(error)
    }
}

fn check_base(found: Option<u64>, expected: u64) -> Result<()> {
    match found {
        Some(found) if found != expected => {
            Err(DecodeError::from(DecodeErrorKind::BaseLength { expected, found }).into())
        }
        _ => Ok(()),
    }
}
