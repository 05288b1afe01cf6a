//! Compresses and decompresses files.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use rayon::prelude::*;
use tempfile::NamedTempFile;
use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{EncodeScratch, FramePosition, PlaneLayout, Record, compress_frame_into};
use zipnn::layout_search::{self, Segment};
use zipnn::tensor::{Metadata, plan};
use zipnn::{ArchiveError, Options};

use crate::error::{Error, Result, run};
use crate::inside::Inside;
use crate::options::{Choices, Elements, limits};
use crate::pool::Threads;
use crate::ranges::{Ranges, Source, read_at};

/// Maximum number of bytes of data in a frame.
const FRAME: usize = Options::DEFAULT_FRAME_LEN;

/// Compresses a file, and returns the length of the result.
#[pyfunction]
#[pyo3(signature = (source, target, dtype=None, *, threads=0, checksums=true, extended=false, max=false, overwrite=false))]
#[expect(clippy::too_many_arguments, reason = "all but two are keywords with defaults")]
pub fn compress_file(
    py: Python<'_>,
    source: PathBuf,
    target: PathBuf,
    dtype: Option<&Bound<'_, PyAny>>,
    threads: usize,
    checksums: bool,
    extended: bool,
    max: bool,
    overwrite: bool,
) -> PyResult<u64> {
    let elements = dtype.map(|dtype| Elements::new(Some(dtype), None)).transpose()?;
    let choices = Choices::new(checksums, extended, max);
    let threads = Threads::new(threads)?;
    run(py, || {
        write_whole(&target, overwrite, |file| {
            Writer::new(file, choices, threads).write_file(&mut File::open(source)?, elements)
        })
    })
}

/// Decompresses a file, or the tensors inside a safetensors file, and returns the length of the
/// result.
#[pyfunction]
#[pyo3(signature = (source, target, *, base=None, threads=0, overwrite=false))]
pub fn decompress_file(
    py: Python<'_>,
    source: PathBuf,
    target: PathBuf,
    base: Option<PathBuf>,
    threads: usize,
    overwrite: bool,
) -> PyResult<u64> {
    let threads = Threads::new(threads)?;
    run(py, || {
        write_whole(&target, overwrite, |file| {
            let mut beginning = Vec::new();
            File::open(&source)?.take(8).read_to_end(&mut beginning)?;
            if zipnn::legacy::is_legacy(&beginning) {
                return decompress_legacy(&source, base.as_deref(), file);
            }
            match Inside::open(File::open(&source)?, threads.clone())? {
                Some(mut inside) if base.is_none() => inside.write(file),
                _ => decompress_ranges(&source, base.as_deref(), threads, file),
            }
        })
    })
}

/// Writes a file under a temporary name, and renames it once it is complete.
fn write_whole(
    target: &Path,
    overwrite: bool,
    write: impl FnOnce(&mut File) -> Result<u64>,
) -> Result<u64> {
    if !overwrite && target.symlink_metadata().is_ok() {
        return Err(exists(target).into());
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".zipnn-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file: NamedTempFile = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    let len = write(file.as_file_mut())?;
    let persisted = match overwrite {
        true => file.persist(target),
        false => file.persist_noclobber(target),
    };
    persisted.map_err(|error| error.error)?;
    Ok(len)
}

fn exists(target: &Path) -> std::io::Error {
    let message = format!("{} exists: pass overwrite=True to replace it", target.display());
    std::io::Error::new(std::io::ErrorKind::AlreadyExists, message)
}

fn decompress_legacy(source: &Path, base: Option<&Path>, file: &mut File) -> Result<u64> {
    let source = std::fs::read(source)?;
    let decoded = match base {
        Some(base) => zipnn::delta::decompress(&source, &std::fs::read(base)?, &limits(None))?,
        None => zipnn::decompress(&source, &limits(None))?,
    };
    file.write_all(&decoded)?;
    Ok(decoded.len() as u64)
}

fn decompress_ranges(
    source: &Path,
    base: Option<&Path>,
    threads: Threads,
    file: &mut File,
) -> Result<u64> {
    let source = File::open(source)?;
    let len = source.metadata()?.len();
    let base = base.map(File::open).transpose()?;
    let window = (threads.len() * FRAME) as u64;
    let ranges = Ranges::open(Source::File(source), len, base.map(Source::File), threads)?;
    let mut decoded = Vec::new();
    let mut start = 0;
    while start < ranges.decoded_len() {
        let end = ranges.decoded_len().min(start + window);
        decoded.resize((end - start) as usize, 0);
        ranges.read_into(start, &mut decoded)?;
        file.write_all(&decoded)?;
        start = end;
    }
    Ok(start)
}

/// A part of a file, and how its frames are laid out.
struct Part {
    range: Range<u64>,
    layout: PartLayout,
}

#[derive(Clone, Copy)]
enum PartLayout {
    /// The element type that the caller chose.
    Fixed(Elements),
    /// The layout of a tensor's type. Another layout is used if it suits the data better.
    Declared(PlaneLayout),
    /// The records of a quantised type, which the extended profile splits.
    Records(Record),
    Unknown,
}

/// Bytes that become one frame.
struct Planned<'d> {
    data: &'d [u8],
    options: Options,
    position: FramePosition,
}

/// Writes a file of frames.
struct Writer<'f> {
    file: &'f mut File,
    choices: Choices,
    threads: Threads,
    position: FramePosition,
    directory: Directory,
    written: u64,
}

impl<'f> Writer<'f> {
    fn new(file: &'f mut File, choices: Choices, threads: Threads) -> Self {
        let (position, directory) = (FramePosition::FIRST, Directory::new());
        Self { file, choices, threads, position, directory, written: 0 }
    }

    fn write_file(mut self, source: &mut File, elements: Option<Elements>) -> Result<u64> {
        let len = source.metadata()?.len();
        let mut parts = parts(source, len, elements)?.peekable();
        let batch = (self.threads.len() * FRAME) as u64;
        if len > 0 {
            // On Windows, reading has moved it.
            source.rewind()?;
        }
        while let Some(first) = parts.next() {
            let mut of_batch = vec![first];
            let start = of_batch[0].range.start;
            while let Some(part) = parts.next_if(|part| part.range.end - start <= batch) {
                of_batch.push(part);
            }
            self.write_batch(source, &of_batch)?;
        }
        if self.written == 0 {
            self.write_batch(source, &[Part { range: 0..0, layout: PartLayout::Unknown }])?;
        }
        if self.choices.checksums {
            let index = self.directory.to_frame(Delta::None);
            self.write(&index)?;
        }
        Ok(self.written)
    }

    /// Compresses consecutive parts in parallel.
    fn write_batch(&mut self, source: &mut File, parts: &[Part]) -> Result<()> {
        let len = parts.iter().map(|part| part.range.end - part.range.start).sum();
        let mut data = Vec::new();
        source.take(len).read_to_end(&mut data)?;
        if (data.len() as u64) < len {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        let threads = self.threads.clone();
        let mut rest = &data[..];
        let slices: Vec<_> = parts
            .iter()
            .map(|part| {
                let (slice, behind) = rest.split_at((part.range.end - part.range.start) as usize);
                rest = behind;
                (part.layout, slice)
            })
            .collect();
        let choices = self.choices;
        let segments: Vec<Vec<(&[u8], Options)>> = threads.install(|| {
            slices.into_par_iter().map(|(layout, data)| segments(layout, data, choices)).collect()
        });
        let planned: Vec<_> = segments
            .into_iter()
            .flatten()
            .map(|(data, options)| {
                let position = self.position;
                self.position = position.after(data.len() as u64);
                Planned { data, options, position }
            })
            .collect();
        let frames: Vec<(Vec<u8>, u64)> = threads.install(|| {
            planned.par_iter().map_init(EncodeScratch::new, compress_frame).collect::<Result<_>>()
        })?;
        for (frame, decoded_len) in frames {
            let pushed = self.directory.push(frame.len() as u64, decoded_len);
            pushed.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
            self.write(&frame)?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn compress_frame(scratch: &mut EncodeScratch, planned: &Planned<'_>) -> Result<(Vec<u8>, u64)> {
    let Planned { data, options, position } = planned;
    let mut frame = vec![0; zipnn::compress_bound(data.len(), options)];
    let len = compress_frame_into(data, &mut frame, options, *position, scratch)?;
    frame.truncate(len);
    Ok((frame, data.len() as u64))
}

/// Cuts a part into frames.
fn segments(layout: PartLayout, data: &[u8], choices: Choices) -> Vec<(&[u8], Options)> {
    let with_layout = |layout| choices.apply(Options::bytes().layout(layout));
    match layout {
        PartLayout::Fixed(elements) => vec![(data, choices.apply(elements.options(data, None)))],
        PartLayout::Declared(declared) => {
            vec![(data, with_layout(layout_search::layout(data, None, declared)))]
        }
        PartLayout::Records(record) if choices.is_extended() => {
            vec![(data, choices.apply(Options::bytes().record(record)))]
        }
        PartLayout::Unknown if data.is_empty() => vec![(data, with_layout(PlaneLayout::ONE))],
        PartLayout::Unknown | PartLayout::Records(_) => layout_search::segments(data, None)
            .into_iter()
            .map(|Segment { range, layout }| (&data[range], with_layout(layout)))
            .collect(),
    }
}

/// Cuts a file into parts that match its tensors, or into parts of equal length.
fn parts(
    source: &File,
    len: u64,
    elements: Option<Elements>,
) -> Result<Box<dyn Iterator<Item = Part>>> {
    if let Some(elements) = elements {
        return Ok(Box::new(equal_parts(len, PartLayout::Fixed(elements))));
    }
    let Some(metadata) = read_metadata(source, len)? else {
        return Ok(Box::new(equal_parts(len, PartLayout::Unknown)));
    };
    Ok(Box::new(plan(&metadata, FRAME as u64).map(|planned| Part {
        range: planned.range,
        layout: match (planned.record, planned.layout) {
            (Some(record), _) => PartLayout::Records(record),
            (None, Some(layout)) => PartLayout::Declared(layout),
            (None, None) => PartLayout::Unknown,
        },
    })))
}

fn equal_parts(len: u64, layout: PartLayout) -> impl Iterator<Item = Part> {
    let step = FRAME as u64;
    let starts = (0..len.div_ceil(step)).map(move |number| number * step);
    starts.map(move |start| Part { range: start..len.min(start + step), layout })
}

/// Finds the tensors of a file, or returns `None` if its format is not known.
fn read_metadata(source: &File, len: u64) -> Result<Option<Metadata>> {
    let read = Metadata::read(len, |range, bytes| -> Result<()> {
        bytes.extend(read_at(source, range)?);
        Ok(())
    });
    match read {
        Ok(metadata) => Ok(Some(metadata)),
        Err(Error::Archive(ArchiveError::Metadata(_))) => Ok(None),
        Err(error) => Err(error),
    }
}
