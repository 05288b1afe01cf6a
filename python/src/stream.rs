//! Compresses and decompresses data that arrives in parts.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyEOFError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zipnn::io::EncoderBuilder;
use zipnn::push::PushDecoder;
use zipnn::{Encoder, Options};

use crate::error::{Result, run};
use crate::input::Input;
use crate::options::{Choices, Elements, limits};

/// Collects the output of an encoder.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses input that arrives in parts.
#[pyclass]
pub struct Compressor {
    /// `None` once the file is complete.
    encoder: Option<Encoder<Sink>>,
    sink: Sink,
}

#[pymethods]
impl Compressor {
    #[new]
    #[pyo3(signature = (dtype=None, *, checksums=true, extended=false, max=false, frame_len=None))]
    fn new(
        dtype: Option<&Bound<'_, PyAny>>,
        checksums: bool,
        extended: bool,
        max: bool,
        frame_len: Option<usize>,
    ) -> PyResult<Self> {
        let options = match dtype {
            None => Options::auto(),
            dtype => Elements::new(dtype, None)?.declared(),
        };
        let options = Choices::new(checksums, extended, max).apply(options);
        let frame_len = frame_len.unwrap_or(Options::DEFAULT_FRAME_LEN);
        let builder = EncoderBuilder::new(options).frame_len(frame_len);
        let sink = Sink::default();
        let encoder = builder.build(sink.clone());
        Ok(Self { encoder: Some(encoder.map_err(crate::error::Error::from)?), sink })
    }

    /// Compresses more data, and returns the frames that are complete.
    fn compress<'py>(
        &mut self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let input = Input::new(data)?;
        let data = input.as_slice()?;
        let Some(encoder) = &mut self.encoder else {
            return Err(PyValueError::new_err("the file is complete: flush() has been called"));
        };
        run(py, || Ok(encoder.write_all(data)?))?;
        Ok(PyBytes::new(py, &self.sink.take()))
    }

    /// Completes the file, and returns the rest of it.
    fn flush<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let Some(encoder) = self.encoder.take() else {
            return Err(PyValueError::new_err("the file is complete: flush() has been called"));
        };
        run(py, || Ok(encoder.finish().map(drop)?))?;
        Ok(PyBytes::new(py, &self.sink.take()))
    }
}

/// Decompresses input that arrives in parts.
#[pyclass]
pub struct Decompressor {
    decoder: PushDecoder,
    /// Input that has not been decoded yet.
    waiting: Vec<u8>,
    /// Output that has not been returned yet.
    ready: Vec<u8>,
    /// Whether the first frame states that an index ends the file.
    is_sealed: bool,
    /// Whether all of the file has been decoded.
    is_decoded: bool,
    unused: Vec<u8>,
}

#[pymethods]
impl Decompressor {
    #[new]
    #[pyo3(signature = (*, max_output=None))]
    fn new(max_output: Option<u64>) -> Self {
        Self {
            decoder: PushDecoder::new(limits(max_output)),
            waiting: Vec::new(),
            ready: Vec::new(),
            is_sealed: false,
            is_decoded: false,
            unused: Vec::new(),
        }
    }

    /// Decompresses more data, and returns at most `max_length` bytes of the result.
    #[pyo3(signature = (data, max_length=-1))]
    fn decompress<'py>(
        &mut self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
        max_length: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if self.eof() {
            return Err(PyEOFError::new_err("the end of the file has been reached"));
        }
        let input = Input::new(data)?;
        let data = input.as_slice()?;
        let most = usize::try_from(max_length).unwrap_or(usize::MAX);
        run(py, || self.decode(data, most))?;
        let len = self.ready.len().min(most);
        let bytes = PyBytes::new(py, &self.ready[..len]);
        self.ready.drain(..len);
        Ok(bytes)
    }

    /// Raises an error if the input ended too early.
    fn finish(&self) -> PyResult<()> {
        match self.is_decoded {
            true => Ok(()),
            false => Ok(self.decoder.finish().map_err(crate::error::Error::from)?),
        }
    }

    /// Whether the end of the file has been reached.
    ///
    /// A file of several frames has no end that can be recognized unless it ends with an index.
    #[getter]
    fn eof(&self) -> bool {
        self.is_decoded && self.ready.is_empty()
    }

    /// Whether `decompress` needs more input before it can return more output.
    #[getter]
    fn needs_input(&self) -> bool {
        let is_idle = self.waiting.is_empty() && self.decoder.frame().is_none();
        !self.is_decoded && self.ready.is_empty() && is_idle
    }

    /// The input after the end of the file.
    #[getter]
    fn unused_data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, if self.eof() { &self.unused } else { &[] })
    }
}

impl Decompressor {
    /// Decodes until `most` bytes are available, or all input has been used.
    fn decode(&mut self, data: &[u8], most: usize) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let input = match waiting.is_empty() {
            true => data,
            false => {
                waiting.extend_from_slice(data);
                &waiting
            }
        };
        let taken = self.decode_some(input, most)?;
        let rest = input[taken..].to_vec();
        if self.is_decoded {
            self.unused.extend(rest);
        } else {
            self.waiting = rest;
        }
        Ok(())
    }

    /// Decodes some of the input, and returns the number of its bytes that have been used.
    fn decode_some(&mut self, input: &[u8], most: usize) -> Result<usize> {
        let mut taken = 0;
        while !self.is_decoded && self.ready.len() < most {
            let is_last = self.note_frame();
            if let Some(is_last) = is_last {
                self.decode_frame(most)?;
                self.is_decoded = is_last && self.decoder.frame().is_none();
                continue;
            }
            if taken == input.len() {
                break;
            }
            taken += self.decoder.push(&input[taken..])?;
        }
        Ok(taken)
    }

    /// Returns whether the waiting frame is the last of the file, or `None` if no frame waits.
    fn note_frame(&mut self) -> Option<bool> {
        let frame = self.decoder.frame()?;
        let is_first = self.decoder.frame_number() == 0;
        if is_first {
            self.is_sealed = frame.annex().is_sealed();
        }
        let is_single = is_first && !frame.index().header().streaming;
        Some(is_single || self.is_sealed && frame.annex().footer().is_some())
    }

    fn decode_frame(&mut self, most: usize) -> Result<()> {
        while self.ready.len() < most {
            match self.decoder.next_chunk()? {
                Some(chunk) => self.ready.extend_from_slice(chunk),
                None => break,
            }
        }
        Ok(())
    }
}
