//! Compresses and decompresses whole inputs in one call.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use rayon::prelude::*;
use zipnn::frame::{DecodeScratch, EncodeScratch, Form, Header};
use zipnn::io::EncoderBuilder;
use zipnn::parallel::{self, ScratchPool};
use zipnn::{Limits, Options, delta};

use crate::error::{Error, Result, invalid, run};
use crate::input::{Input, Target};
use crate::options::{Choices, Elements, limits};
use crate::output;
use crate::pool::Threads;

type Argument<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Input and options of a call that compresses.
struct Job<'py> {
    input: Input<'py>,
    base: Option<Input<'py>>,
    elements: Elements,
    choices: Choices,
    threads: Threads,
}

impl<'py> Job<'py> {
    fn new(
        data: &Bound<'py, PyAny>,
        dtype: Argument<'_, 'py>,
        base: Argument<'_, 'py>,
        threads: usize,
        choices: Choices,
    ) -> PyResult<Self> {
        let (input, of_data) = Input::with_dtype(data)?;
        let elements = Elements::new(dtype, of_data.as_deref())?;
        let base = base.map(Input::new).transpose()?;
        Ok(Self { input, base, elements, choices, threads: Threads::new(threads)? })
    }

    /// Returns the options. Samples the data if its type does not decide the layout.
    fn options(&self, py: Python<'_>) -> PyResult<Options> {
        let (data, base) = (self.input.as_slice()?, self.base()?);
        let (elements, choices) = (self.elements, self.choices);
        run(py, || Ok(choices.apply(elements.options(data, base))))
    }

    fn base(&self) -> PyResult<Option<&[u8]>> {
        self.base.as_ref().map(Input::as_slice).transpose()
    }

    /// Compresses the difference to the base, or returns `None` without a base.
    fn difference(&self, py: Python<'_>, options: &Options) -> PyResult<Option<Vec<u8>>> {
        let (data, Some(base)) = (self.input.as_slice()?, self.base()?) else { return Ok(None) };
        run(py, || Ok(Some(delta::compress(data, base, options)?)))
    }

    /// Compresses into `target`, without a base.
    fn fill(&self, py: Python<'_>, target: &mut [u8], options: &Options) -> PyResult<usize> {
        let (data, threads) = (self.input.as_slice()?, &self.threads);
        run(py, || encode(data, target, options, threads))
    }
}

/// Maximum length of data that one thread processes, because threads share work by chunks.
const ONE_CHUNK: usize = Options::DEFAULT_CHUNK_LEN;

thread_local! {
    // Scratch memory for calls on the caller's thread: the system would zero new memory each time.
    static ENCODE: RefCell<EncodeScratch> = RefCell::new(EncodeScratch::new());
    static DECODE: RefCell<DecodeScratch> = RefCell::new(DecodeScratch::new());
}

/// Encodes data with chunks of the default length, whose scratch memory is kept for later calls.
fn encode(data: &[u8], target: &mut [u8], options: &Options, threads: &Threads) -> Result<usize> {
    Ok(match threads {
        Threads::Pool(workers) if data.len() > ONE_CHUNK => workers
            .pool
            .install(|| parallel::par_compress_into(data, target, options, &workers.scratch))?,
        _ => ENCODE
            .with_borrow_mut(|scratch| zipnn::compress_into(data, target, options, scratch))?,
    })
}

/// Encodes data with chunks of any length.
fn encode_chunks(
    data: &[u8],
    target: &mut [u8],
    options: &Options,
    threads: &Threads,
) -> Result<usize> {
    Ok(match threads {
        Threads::Caller => zipnn::compress_into(data, target, options, &mut EncodeScratch::new())?,
        Threads::Pool(workers) => workers
            .pool
            .install(|| parallel::par_compress_into(data, target, options, &ScratchPool::new()))?,
    })
}

/// Decodes a file. Scratch memory is kept for later calls, unless chunks are unusually long.
fn decode(data: &[u8], target: &mut [u8], threads: &Threads) -> Result<usize> {
    // The target bounds the length of the result.
    let limits = Limits::new();
    let is_short = target.len() <= ONE_CHUNK;
    let is_usual = Header::parse(data).is_ok_and(|header| header.chunk_len() <= ONE_CHUNK as u64);
    let new = ScratchPool::new();
    Ok(match threads {
        Threads::Pool(workers) if !is_short => {
            let scratch = if is_usual { &workers.scratch } else { &new };
            workers
                .pool
                .install(|| parallel::par_decompress_into(data, target, &limits, scratch))?
        }
        _ if is_short || is_usual => DECODE
            .with_borrow_mut(|scratch| zipnn::decompress_into(data, target, &limits, scratch))?,
        _ => zipnn::decompress_into(data, target, &limits, &mut DecodeScratch::new())?,
    })
}

/// Compresses bytes into a file of one frame.
#[pyfunction]
#[pyo3(signature = (data, dtype=None, *, base=None, threads=0, checksums=true, extended=false, max=false))]
#[expect(clippy::too_many_arguments, reason = "most are keywords with defaults")]
pub fn compress<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    dtype: Argument<'_, 'py>,
    base: Argument<'_, 'py>,
    threads: usize,
    checksums: bool,
    extended: bool,
    max: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let job = Job::new(data, dtype, base, threads, Choices::new(checksums, extended, max))?;
    let options = job.options(py)?;
    if let Some(file) = job.difference(py, &options)? {
        return Ok(PyBytes::new(py, &file));
    }
    let bound = zipnn::compress_bound(job.input.as_slice()?.len(), &options);
    output::bytes(py, bound, |target| job.fill(py, target, &options))
}

/// Compresses bytes directly into a new `bytearray`, as a file of one frame.
#[pyfunction]
#[pyo3(signature = (data, dtype=None, *, base=None, threads=0, checksums=true, extended=false, max=false))]
#[expect(clippy::too_many_arguments, reason = "most are keywords with defaults")]
pub fn compress_bytearray<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    dtype: Argument<'_, 'py>,
    base: Argument<'_, 'py>,
    threads: usize,
    checksums: bool,
    extended: bool,
    max: bool,
) -> PyResult<Bound<'py, PyByteArray>> {
    let job = Job::new(data, dtype, base, threads, Choices::new(checksums, extended, max))?;
    let options = job.options(py)?;
    if let Some(file) = job.difference(py, &options)? {
        return Ok(PyByteArray::new(py, &file));
    }
    let bound = zipnn::compress_bound(job.input.as_slice()?.len(), &options);
    output::bytearray(py, bound, |target| job.fill(py, target, &options))
}

/// Compresses bytes into memory of the caller, and returns the length of the file.
#[pyfunction]
#[pyo3(signature = (data, out, dtype=None, *, threads=0, checksums=true, extended=false, max=false))]
#[expect(clippy::too_many_arguments, reason = "most are keywords with defaults")]
pub fn compress_into<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    out: &Bound<'py, PyAny>,
    dtype: Argument<'_, 'py>,
    threads: usize,
    checksums: bool,
    extended: bool,
    max: bool,
) -> PyResult<usize> {
    let job = Job::new(data, dtype, None, threads, Choices::new(checksums, extended, max))?;
    let options = job.options(py)?;
    let mut target = Target::new(out)?;
    job.fill(py, target.as_mut_slice()?, &options)
}

/// Returns the number of bytes that `compress_into` needs for an input of this length.
#[pyfunction]
#[pyo3(signature = (len, dtype=None, *, checksums=true, extended=false, max=false))]
pub fn compress_bound(
    len: usize,
    dtype: Argument<'_, '_>,
    checksums: bool,
    extended: bool,
    max: bool,
) -> PyResult<usize> {
    let choices = Choices::new(checksums, extended, max);
    let bound = |options| zipnn::compress_bound(len, &choices.apply(options));
    match dtype {
        Some(_) => match Elements::new(dtype, None)? {
            Elements::Known(dtype) => Ok(bound(Options::new(dtype))),
            Elements::Other(_) => Ok(largest_bound(bound)),
        },
        None => Ok(largest_bound(bound)),
    }
}

/// Returns the largest bound of all layouts, because samples of the data choose the layout.
fn largest_bound(bound: impl Fn(Options) -> usize) -> usize {
    let layouts = zipnn::frame::PlaneLayout::ALL.into_iter();
    layouts.map(|layout| bound(Options::bytes().layout(layout))).max().unwrap_or_default()
}

/// Compresses the elements of a tensor or array with its shape, as the original does.
#[pyfunction]
#[pyo3(signature = (data, dtype, form, shape, *, chunk_log2, threshold))]
pub fn compress_shaped<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyAny>,
    form: &str,
    shape: Vec<u64>,
    chunk_log2: u8,
    threshold: f32,
) -> PyResult<Bound<'py, PyBytes>> {
    let form = match form {
        "torch" => Form::Torch,
        "numpy" => Form::Numpy,
        _ => return Err(invalid(format!("unknown form {form:?}: \"torch\" and \"numpy\" exist"))),
    };
    let options = Elements::new(Some(dtype), None)?.declared().plain();
    let options = options.chunk_log2(chunk_log2).threshold(threshold);
    let input = Input::new(data)?;
    let data = input.as_slice()?;
    let file = run(py, || Ok(zipnn::compress_tensor(data, form, &shape, &options)?))?;
    Ok(PyBytes::new(py, &file))
}

/// Compresses bytes as the original does: in one frame, or in frames of `frame_len` bytes.
#[pyfunction]
#[pyo3(signature = (data, dtype, *, frame_len, chunk_log2, threshold, delta, threads))]
#[expect(clippy::too_many_arguments, reason = "the original has as many parameters")]
pub fn compress_frames<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyAny>,
    frame_len: Option<usize>,
    chunk_log2: u8,
    threshold: f32,
    delta: Option<&str>,
    threads: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let options = Elements::new(Some(dtype), None)?.declared().plain();
    let options = options.chunk_log2(chunk_log2).threshold(threshold).delta(match delta {
        None => delta::Delta::None,
        Some("byte") => delta::Delta::Bytes,
        Some("file") => delta::Delta::File,
        Some(other) => return Err(invalid(format!("unknown kind of difference {other:?}"))),
    });
    let (input, threads) = (Input::new(data)?, Threads::new(threads)?);
    let data = input.as_slice()?;
    let Some(frame_len) = frame_len else {
        let bound = zipnn::compress_bound(data.len(), &options);
        let fill = |target: &mut [u8]| run(py, || encode_chunks(data, target, &options, &threads));
        return output::bytes(py, bound, fill).map(Bound::into_any);
    };
    let builder = EncoderBuilder::new(options).frame_len(frame_len);
    let run_len = data.len().div_ceil(threads.len()).next_multiple_of(frame_len.max(1));
    let runs = run(py, || threads.install(|| frames_in_runs(data, builder, run_len)))?;
    let len = runs.iter().map(Vec::len).sum();
    let file = output::bytearray(py, len, |mut target| {
        for run in &runs {
            let (part, behind) = target.split_at_mut(run.len());
            part.copy_from_slice(run);
            target = behind;
        }
        Ok(len)
    })?;
    Ok(file.into_any())
}

/// Compresses runs of frames in parallel. Frames in the original's form do not refer to each other.
fn frames_in_runs(data: &[u8], builder: EncoderBuilder, run_len: usize) -> Result<Vec<Vec<u8>>> {
    let compress = |run: &[u8]| -> Result<Vec<u8>> {
        let mut encoder = builder.build(Vec::new())?;
        std::io::Write::write_all(&mut encoder, run)?;
        Ok(encoder.finish()?)
    };
    data.par_chunks(run_len.max(1)).map(compress).collect()
}

/// Decompresses a file.
#[pyfunction]
#[pyo3(signature = (data, *, base=None, threads=0, max_output=None))]
pub fn decompress<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    base: Argument<'_, 'py>,
    threads: usize,
    max_output: Option<u64>,
) -> PyResult<Bound<'py, PyByteArray>> {
    let (input, threads) = (Input::new(data)?, Threads::new(threads)?);
    let (data, limits) = (input.as_slice()?, limits(max_output));
    if let Some(base) = base {
        let base = Input::new(base)?;
        let base = base.as_slice()?;
        let decoded = run(py, || Ok(delta::decompress(data, base, &limits)?))?;
        return output::bytearray(py, decoded.len(), |target| {
            target.copy_from_slice(&decoded);
            Ok(decoded.len())
        });
    }
    let len = run(py, || length(data, &limits))?;
    output::bytearray(py, len, |target| run(py, || decode(data, target, &threads)))
}

fn length(data: &[u8], limits: &zipnn::Limits) -> Result<usize> {
    let len = zipnn::decoded_len(data, limits)?;
    usize::try_from(len).map_err(|_| {
        let kind = zipnn::DecodeErrorKind::OutOfMemory { requested: len };
        Error::Decode(kind.into())
    })
}

/// Decompresses a file into memory of the caller, and returns the number of bytes.
#[pyfunction]
#[pyo3(signature = (data, out, *, threads=0))]
pub fn decompress_into<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    out: &Bound<'py, PyAny>,
    threads: usize,
) -> PyResult<usize> {
    let (input, threads) = (Input::new(data)?, Threads::new(threads)?);
    let mut target = Target::new(out)?;
    let (data, target) = (input.as_slice()?, target.as_mut_slice()?);
    run(py, || decode(data, target, &threads))
}

/// Returns the number of bytes that a file decompresses to.
#[pyfunction]
pub fn decoded_len(py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
    let input = Input::new(data)?;
    let data = input.as_slice()?;
    run(py, || length(data, &limits(None)))
}

/// Verifies a whole file, and returns the number of bytes that it decompresses to.
#[pyfunction]
#[pyo3(signature = (data, *, max_output=None))]
pub fn verify(py: Python<'_>, data: &Bound<'_, PyAny>, max_output: Option<u64>) -> PyResult<u64> {
    let input = Input::new(data)?;
    let data = input.as_slice()?;
    run(py, || Ok(zipnn::verify(data, &limits(max_output))?))
}
