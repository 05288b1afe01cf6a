//! Messages that update weights from one step to the next.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zipnn::DType;
use zipnn::delta::{self, UpdatedTensor};
use zipnn::frame::DecodeScratch;

use crate::error::{Error, Result, run};
use crate::input::{Input, Target};
use crate::options::{Elements, profile};

/// Creates a message from tensors before and after a step.
#[pyclass(frozen)]
pub struct UpdateEncoder {
    /// `None` after the message was created.
    encoder: Mutex<Option<delta::UpdateEncoder>>,
}

#[pymethods]
impl UpdateEncoder {
    /// Begins the update to a step.
    #[new]
    #[pyo3(signature = (step, *, extended=true, max=false))]
    fn new(step: u64, extended: bool, max: bool) -> Self {
        let encoder = delta::UpdateEncoder::new(step, profile(extended, max));
        Self { encoder: Mutex::new(Some(encoder)) }
    }

    /// Adds a tensor with its values before and after the step.
    #[pyo3(signature = (name, before, after, dtype=None))]
    fn add<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        before: &Bound<'py, PyAny>,
        after: &Bound<'py, PyAny>,
        dtype: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let before = Input::new(before)?;
        let (after, of_data) = Input::with_dtype(after)?;
        let dtype = nearest(Elements::new(dtype, of_data.as_deref())?);
        let (before, after) = (before.as_slice()?, after.as_slice()?);
        let added = run(py, || {
            let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(match &mut *encoder {
                Some(encoder) => Some(encoder.add(name, dtype, before, after)?),
                None => None,
            })
        })?;
        added.ok_or_else(finished)
    }

    /// Returns the message. Nothing can be added afterwards.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner).take();
        let message = encoder.ok_or_else(finished)?.finish();
        Ok(PyBytes::new(py, &message))
    }
}

fn finished() -> PyErr {
    PyValueError::new_err("the message was created already: begin the next step with a new encoder")
}

/// Returns the type with a code in the format whose elements have as many bytes.
fn nearest(elements: Elements) -> DType {
    match elements {
        Elements::Known(dtype) => dtype,
        Elements::Other(layout) => match layout.planes() {
            1 => DType::F8E4M3,
            2 => DType::F16,
            _ => DType::F32,
        },
    }
}

/// A message of an [`UpdateEncoder`].
#[pyclass(frozen)]
pub struct Update {
    message: Vec<u8>,
    /// The number of the step after the update.
    #[pyo3(get)]
    step: u64,
    /// The names of the tensors that change.
    #[pyo3(get)]
    names: Vec<String>,
}

#[pymethods]
impl Update {
    /// Verifies a message and reads what it contains.
    #[new]
    fn new(py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<Self> {
        let message = Input::new(message)?.as_slice()?.to_vec();
        let (step, names) = run(py, || {
            let update = delta::Update::parse(&message)?;
            let names = update.tensors().iter().map(|tensor| tensor.name().to_owned()).collect();
            Ok((update.step(), names))
        })?;
        Ok(Self { message, step, names })
    }

    /// Returns an error unless these are the weights before the step.
    fn check(&self, py: Python<'_>, weights: &Bound<'_, PyAny>) -> PyResult<()> {
        let inputs = self.weights(weights, Input::new)?;
        let inputs = inputs.iter().map(Input::as_slice).collect::<PyResult<Vec<_>>>()?;
        run(py, || self.for_each(inputs, |tensor, bytes| tensor.check(bytes)))
    }

    /// Replaces the weights before the step with the weights after it, in place.
    fn apply(&self, py: Python<'_>, weights: &Bound<'_, PyAny>) -> PyResult<()> {
        self.check_memory(weights)?;
        let mut targets = self.weights(weights, Target::new)?;
        let mut targets: Vec<_> =
            targets.iter_mut().map(Target::as_mut_slice).collect::<PyResult<_>>()?;
        run(py, || {
            // Nothing changes unless all weights are right.
            let bytes = targets.iter().map(|target| &**target).collect();
            self.for_each(bytes, |tensor, bytes: &[u8]| tensor.check(bytes))?;
            let mut scratch = DecodeScratch::new();
            let targets = targets.iter_mut().map(|target| &mut **target).collect();
            self.for_each(targets, |tensor, bytes| tensor.apply(bytes, &mut scratch))
        })
    }
}

impl Update {
    /// Returns the memory of each tensor that changes, from a mapping of names to tensors.
    fn weights<'py, T>(
        &self,
        weights: &Bound<'py, PyAny>,
        memory: impl Fn(&Bound<'py, PyAny>) -> PyResult<T>,
    ) -> PyResult<Vec<T>> {
        let of_tensor = |name: &String| {
            let tensor = weights.get_item(name).map_err(|error| {
                match error.is_instance_of::<PyKeyError>(weights.py()) {
                    true => PyKeyError::new_err(format!("the update changes {name:?}")),
                    false => error,
                }
            })?;
            memory(&tensor)
        };
        self.names.iter().map(of_tensor).collect()
    }

    /// Returns an error if two tensors share memory: the first would change before the second turns
    /// out to be wrong.
    fn check_memory(&self, weights: &Bound<'_, PyAny>) -> PyResult<()> {
        let inputs = self.weights(weights, Input::new)?;
        let addresses = inputs.iter().map(|input| Ok(input.as_slice()?.as_ptr_range()));
        let addresses: Vec<_> = addresses.collect::<PyResult<_>>()?;
        let mut tensors: Vec<_> =
            addresses.iter().zip(&self.names).filter(|(range, _)| !range.is_empty()).collect();
        tensors.sort_by_key(|(range, _)| range.start);
        for pair in tensors.windows(2) {
            let [(range, name), (next, other)] = [pair[0], pair[1]];
            if next.start < range.end {
                return Err(PyValueError::new_err(format!(
                    "tensors {name:?} and {other:?} share memory, and nothing was changed: update \
                     shared weights under one name"
                )));
            }
        }
        Ok(())
    }

    /// Calls `work` with each tensor and its memory. Errors name the tensor.
    fn for_each<B>(
        &self,
        memory: Vec<B>,
        mut work: impl FnMut(&UpdatedTensor<'_>, B) -> std::result::Result<(), zipnn::DecodeError>,
    ) -> Result<()> {
        let update = delta::Update::parse(&self.message)?;
        for (tensor, memory) in update.tensors().iter().zip(memory) {
            work(tensor, memory)
                .map_err(|error| Error::Update { tensor: tensor.name().to_owned(), error })?;
        }
        Ok(())
    }
}
