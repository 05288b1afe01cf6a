//! Borrows the memory of Python objects.

use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::invalid;

/// The bytes of an object.
pub enum Input<'py> {
    Bytes(Bound<'py, PyBytes>),
    Array(PyReadonlyArray1<'py, u8>),
}

impl<'py> Input<'py> {
    /// Borrows the bytes of an object, and returns the name of its element type if it has one.
    ///
    /// Borrows `bytes` without loading numpy.
    pub fn with_dtype(data: &Bound<'py, PyAny>) -> PyResult<(Self, Option<String>)> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return Ok((Self::Bytes(bytes.clone()), None));
        }
        let module = data.py().import("zipnn_rs._memory")?;
        let (array, dtype): (Bound<'py, PyAny>, Option<String>) =
            module.call_method1("source", (data,))?.extract()?;
        let array = array.cast_into::<PyArray1<u8>>()?;
        let array = array.try_readonly().map_err(|error| invalid(error.to_string()))?;
        Ok((Self::Array(array), dtype))
    }

    /// Borrows the bytes of an object.
    pub fn new(data: &Bound<'py, PyAny>) -> PyResult<Self> {
        Self::with_dtype(data).map(|(input, _)| input)
    }

    /// Returns the bytes.
    pub fn as_slice(&self) -> PyResult<&[u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.as_bytes()),
            Self::Array(array) => array.as_slice().map_err(|error| invalid(error.to_string())),
        }
    }
}

/// Writable memory of an object.
pub struct Target<'py>(PyReadwriteArray1<'py, u8>);

impl<'py> Target<'py> {
    /// Borrows the memory of a writable object.
    pub fn new(target: &Bound<'py, PyAny>) -> PyResult<Self> {
        let array = target.py().import("zipnn_rs._memory")?.call_method1("target", (target,))?;
        Self::of_array(&array.cast_into::<PyArray1<u8>>()?)
    }

    /// Borrows the memory of an array of bytes.
    pub fn of_array(array: &Bound<'py, PyArray1<u8>>) -> PyResult<Self> {
        array.try_readwrite().map(Self).map_err(|error| invalid(error.to_string()))
    }

    /// Returns the memory.
    pub fn as_mut_slice(&mut self) -> PyResult<&mut [u8]> {
        self.0.as_slice_mut().map_err(|error| invalid(error.to_string()))
    }
}
