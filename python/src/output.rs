//! Allocates memory for results.
//!
//! Fresh memory costs more than decoding, because the system zeroes each page on first use. Python
//! resizes a `bytearray` and creates a numpy array without touching their pages, so the codec is
//! the first to write to them. Large ones get huge pages if the system offers them.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use crate::input::Target;

/// Maximum length of results that are written directly, without numpy.
pub const SMALL: usize = 1 << 20;

/// Creates a `bytearray` and fills it with `fill`, which returns the number of bytes written.
pub fn bytearray<'py>(
    py: Python<'py>,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> PyResult<usize>,
) -> PyResult<Bound<'py, PyByteArray>> {
    let mut filled = 0;
    if len <= SMALL {
        let array = PyByteArray::new_with(py, len, |memory| {
            filled = fill(memory)?;
            Ok(())
        })?;
        if filled < len {
            array.resize(filled)?;
        }
        return Ok(array);
    }
    let array = PyByteArray::new(py, &[]);
    array.resize(len)?;
    let memory = py.import("zipnn_rs._memory")?;
    {
        let view = memory.call_method1("large", (&array,))?;
        filled = fill(Target::of_array(view.cast::<PyArray1<u8>>()?)?.as_mut_slice()?)?;
    }
    if filled < len {
        array.resize(filled)?;
    }
    Ok(array)
}

/// Creates `bytes` from memory of `bound` bytes. `fill` writes to it, and returns the number of
/// bytes written.
pub fn bytes<'py>(
    py: Python<'py>,
    bound: usize,
    fill: impl FnOnce(&mut [u8]) -> PyResult<usize>,
) -> PyResult<Bound<'py, PyBytes>> {
    if bound <= SMALL {
        let mut memory = vec![0; bound];
        let filled = fill(&mut memory)?;
        return Ok(PyBytes::new(py, &memory[..filled]));
    }
    let memory = py.import("zipnn_rs._memory")?;
    let (buffer, array): (Bound<'py, PyAny>, Bound<'py, PyAny>) =
        memory.call_method1("new_bytes", (bound,))?.extract()?;
    let filled = fill(Target::of_array(array.cast::<PyArray1<u8>>()?)?.as_mut_slice()?)?;
    // The buffer cannot become `bytes` while the array borrows it.
    drop(array);
    Ok(memory.call_method1("finish_bytes", (buffer, filled))?.cast_into()?)
}
