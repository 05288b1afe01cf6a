//! Errors of the library as Python exceptions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use zipnn::tensor::MetadataError;
use zipnn::tensor::inside::TensorError;
use zipnn::{ArchiveError, DecodeError, EncodeError};

/// An error from code that runs without holding the interpreter.
#[derive(Debug)]
pub enum Error {
    Decode(DecodeError),
    Encode(EncodeError),
    Archive(ArchiveError),
    Tensor(TensorError),
    /// The tensor of an update.
    Update {
        tensor: String,
        error: DecodeError,
    },
    Io(std::io::Error),
    Python(PyErr),
    Panic(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<ArchiveError> for Error {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Io(error) => error.into(),
            ArchiveError::Decode(error) => error.into(),
            other => Self::Archive(other),
        }
    }
}

impl From<TensorError> for Error {
    fn from(error: TensorError) -> Self {
        match error {
            TensorError::Io(error) => error.into(),
            other => Self::Tensor(other),
        }
    }
}

impl From<MetadataError> for Error {
    fn from(error: MetadataError) -> Self {
        Self::Archive(error.into())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(&decode) = inner.and_then(|inner| inner.downcast_ref::<DecodeError>()) {
            return Self::Decode(decode);
        }
        if let Some(&encode) = inner.and_then(|inner| inner.downcast_ref::<EncodeError>()) {
            return Self::Encode(encode);
        }
        Self::Io(error)
    }
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Decode(error) => of_decoding(error.to_string(), &error),
            Error::Update { tensor, error } => {
                of_decoding(format!("tensor {tensor:?}: {error}"), &error)
            }
            Error::Tensor(error) => match &error {
                // The message names the tensor.
                TensorError::Decode { error: cause, .. } => of_decoding(error.to_string(), cause),
                _ => zipnn_error(error.to_string(), &variant(&error), Default::default()),
            },
            Error::Encode(error) => {
                zipnn_error(error.to_string(), &variant(&error), Default::default())
            }
            Error::Archive(error) => {
                zipnn_error(error.to_string(), &variant(&error), Default::default())
            }
            Error::Io(error) => error.into(),
            Error::Python(error) => error,
            Error::Panic(message) => PyRuntimeError::new_err(format!(
                "zipnn_rs stopped at a fault of its own, please report it: {message}"
            )),
        }
    }
}

fn of_decoding(message: String, error: &DecodeError) -> PyErr {
    let place = error.location();
    zipnn_error(message, error.kind().name(), (place.frame, place.chunk, place.plane))
}

/// Returns the name of an error's variant, the first word of its `Debug` form.
fn variant(error: &impl std::fmt::Debug) -> String {
    format!("{error:?}").chars().take_while(|char| char.is_ascii_alphanumeric()).collect()
}

type Place = (Option<u64>, Option<u64>, Option<u8>);

/// Creates a `zipnn_rs.ZipnnError`.
fn zipnn_error(message: String, code: &str, place: Place) -> PyErr {
    let (frame, chunk, plane) = place;
    Python::attach(|py| {
        let create = || {
            let class = py.import("zipnn_rs._errors")?.getattr("ZipnnError")?;
            class.call1((&message, code, frame, chunk, plane))
        };
        create().map_or_else(|error| error, PyErr::from_value)
    })
}

/// Creates an exception for an invalid argument.
pub fn invalid(message: impl Into<String>) -> PyErr {
    PyValueError::new_err(message.into())
}

/// Runs `work` without holding the interpreter, and returns a panic in it as an error.
pub fn run<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(of_panic(&*panic)))
    })
    .map_err(PyErr::from)
}

fn of_panic(panic: &(dyn std::any::Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    Error::Panic(message.unwrap_or_else(|| "unknown panic".to_owned()))
}

/// Panics as the codec would, so that tests can check the exception in Python.
#[pyfunction]
pub fn panic_for_tests(py: Python<'_>, threads: usize) -> PyResult<()> {
    let pool = crate::pool::Threads::new(threads)?;
    run(py, || pool.install(|| panic!("as the tests asked")))
}
