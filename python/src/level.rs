//! The vector instructions that the library uses.

use pyo3::prelude::*;
use zipnn::simd::{Level, from_environment};

use crate::error::invalid;

/// Returns the name of the vector instructions that the library uses, as in `ZIPNN_SIMD`.
#[pyfunction]
pub fn simd_level() -> PyResult<&'static str> {
    from_environment().map(Level::name).map_err(|error| invalid(format!("ZIPNN_SIMD: {error}")))
}
