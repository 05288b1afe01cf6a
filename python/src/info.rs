//! Describes compressed files.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use zipnn::delta::{BaseId, Delta};
use zipnn::file::Frames;
use zipnn::frame::{Form, Frame};
use zipnn::legacy;

use crate::error::{Result, run};
use crate::input::Input;
use crate::options::limits;

/// Totals over the frames of a file.
struct Summary {
    version: [u8; 3],
    dtype: String,
    form: &'static str,
    shape: Option<Vec<u64>>,
    delta: Option<&'static str>,
    base: Option<BaseId>,
    frames: u64,
    chunks: usize,
    decoded_len: u64,
    checksums: bool,
    sealed: bool,
}

impl Summary {
    fn read(data: &[u8]) -> Result<Self> {
        if legacy::is_legacy(data) {
            return Self::read_legacy(data);
        }
        let mut frames = Frames::new(data);
        let mut summary: Option<Self> = None;
        for frame in &mut frames {
            let frame = frame?;
            let summary = summary.get_or_insert_with(|| Self::first(&frame));
            summary.frames += 1;
            summary.chunks += frame.chunk_count();
            summary.decoded_len += frame.decoded_len();
            summary.checksums &= frame.chunk_count() == 0 || frame.annex().has_checksums();
        }
        let sealed = frames.is_sealed();
        // `Frames` returns at least one frame, or an error.
        summary
            .map(|summary| Self { sealed, ..summary })
            .ok_or_else(|| zipnn::DecodeError::from(zipnn::DecodeErrorKind::BadMagic).into())
    }

    fn first(frame: &Frame<'_>) -> Self {
        let header = frame.index().header();
        Self {
            version: header.version,
            dtype: header.dtype.name().to_owned(),
            form: form(header.form),
            shape: frame.index().shape().map(|shape| shape.iter().collect()),
            delta: delta(header.delta),
            base: frame.annex().base(),
            frames: 0,
            chunks: 0,
            decoded_len: 0,
            checksums: true,
            sealed: false,
        }
    }

    fn read_legacy(data: &[u8]) -> Result<Self> {
        let summary = legacy::summary(data, &limits(None))?;
        Ok(Self {
            version: summary.version,
            dtype: summary.dtype.to_owned(),
            form: "byte",
            shape: None,
            delta: delta(if legacy::is_delta(data) { Delta::Bytes } else { Delta::None }),
            base: None,
            frames: summary.frames,
            chunks: 0,
            decoded_len: summary.decoded_len,
            checksums: false,
            sealed: false,
        })
    }
}

/// Returns the original's name for a form.
pub fn form(form: Form) -> &'static str {
    match form {
        Form::Torch => "torch",
        Form::Numpy => "numpy",
        _ => "byte",
    }
}

fn delta(delta: Delta) -> Option<&'static str> {
    match delta {
        Delta::None => None,
        Delta::File => Some("file"),
        _ => Some("byte"),
    }
}

/// Returns a dictionary that describes a compressed file.
#[pyfunction]
pub fn info<'py>(py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let input = Input::new(data)?;
    let data = input.as_slice()?;
    let summary = run(py, || Summary::read(data))?;
    let dict = PyDict::new(py);
    let [major, minor, tiny] = summary.version;
    dict.set_item("version", format!("{major}.{minor}.{tiny}"))?;
    dict.set_item("dtype", summary.dtype)?;
    dict.set_item("form", summary.form)?;
    dict.set_item("shape", summary.shape)?;
    dict.set_item("delta", summary.delta)?;
    dict.set_item("base", summary.base.map(|base| (base.len, base.checksum)))?;
    dict.set_item("frames", summary.frames)?;
    dict.set_item("chunks", summary.chunks)?;
    dict.set_item("decoded_len", summary.decoded_len)?;
    dict.set_item("compressed_len", data.len())?;
    dict.set_item("checksums", summary.checksums)?;
    dict.set_item("sealed", summary.sealed)?;
    Ok(dict)
}
