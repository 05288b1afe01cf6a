//! Decodes a file to any destination.

use std::fs::Metadata;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{DecodeScratch, PayloadCheck};
use zipnn::{DecodeError, DecodeErrorKind, Limits, delta, legacy};

use crate::args::Files;
use crate::base::content::{Base, Bases};
use crate::content::data_header::DataHeader;
use crate::content::tensors;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::fs::snapshot::Snapshot;
use crate::job::comparison::Comparison;
use crate::job::frames::{Frames, Next, OpenFrame, Opened};
use crate::job::pipeline;
use crate::job::run::Run;
use crate::repair::resync;
use crate::repair::salvage::Salvage;
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// The totals of a decoded file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// The length of the compressed file in bytes.
    pub stored: u64,
    /// The decoded length in bytes.
    pub decoded: u64,
    /// The number of chunks compared with their checksums.
    pub checksums: u64,
    /// The number of chunks whose checksums cannot be compared without the base of a difference.
    pub unverified: u64,
    /// The number of bytes after the only frame, which are not part of the file's data.
    pub trailing: u64,
    /// Whether the loss of whole frames at the end is detected; `None` if none can be lost.
    pub is_sealed: Option<bool>,
}

impl Totals {
    /// Returns the number of bytes missing before the end of the last tensor, if whole frames may
    /// have been lost. In any other file, they were missing before compression.
    pub fn shortage(&self, header: &DataHeader) -> Option<u64> {
        (self.is_sealed == Some(false)).then(|| header.shortage(self.decoded)).flatten()
    }
}

/// The extent to which a file is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Nothing, so that a damaged file can be salvaged.
    None,
    /// The decoded data.
    Decoded,
    /// The decoded data and the stored bytes.
    Stored,
}

/// A compressed file that is ready to be decoded.
pub struct Decoding {
    source: Endpoint,
    metadata: Option<Metadata>,
    opened: Opened,
    base: Option<Base>,
    checks: Checks,
}

impl Decoding {
    /// Opens a file, and its base if it is known. Reads only headers.
    pub fn open(source: &Endpoint, bases: Bases<'_>, checks: Checks) -> Result<Self, Failure> {
        let input = Input::open(source)?;
        let metadata = input.metadata().cloned();
        let limits = Limits::default().verify(checks != Checks::None);
        let opened = Opened::new(input, limits)?;
        let base = bases.open(source)?;
        let known_len = match &opened {
            Opened::Frames(frames) => frames.known_decoded_len(),
            Opened::Whole(_) => None,
        };
        if let Some(base) = &base {
            if !opened.is_delta() {
                return Err(fail(source, DecodeErrorKind::NotADelta));
            }
            base.check_len(known_len, source)?;
        }
        Ok(Self { source: source.clone(), metadata, opened, base, checks })
    }

    /// Returns an error if the file holds a difference and no base is given.
    pub fn require_base(self) -> Result<Self, Failure> {
        if self.is_bare_difference() {
            return Err(fail(&self.source, DecodeErrorKind::BaseRequired));
        }
        Ok(self)
    }

    /// Returns whether the file holds a difference.
    pub fn is_difference(&self) -> bool {
        self.opened.is_delta()
    }

    /// Returns whether the file holds a difference that is decoded without its base.
    pub fn is_bare_difference(&self) -> bool {
        self.opened.is_delta() && self.base.is_none()
    }

    /// Returns the permissions and times of the file, if it is a regular file.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// Returns the state of the file and its base at the time when they were opened.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let source = Snapshot::new(&self.source, self.metadata.as_ref());
        let base = self.base.as_ref().map(Base::snapshots).unwrap_or_default();
        source.into_iter().chain(base).collect()
    }

    /// Returns the length of the file, if it is known.
    pub fn file_len(&self) -> Option<u64> {
        match &self.opened {
            Opened::Frames(frames) => frames.file_len(),
            Opened::Whole(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Decodes the readable chunks of a file that may be damaged, and passes them to `write` in
    /// order. Writes zeros in place of unreadable chunks, so that offsets stay right. Writes chunks
    /// with wrong checksums as they are.
    pub fn salvage(
        self,
        threads: usize,
        progress: &mut Progress,
        mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(Totals, Salvage), Failure> {
        match self.opened {
            Opened::Frames(mut frames) => {
                let delta = self.base.as_ref().and_then(Base::path);
                let bases = Bases { delta, ..Bases::default() };
                let directory = tensors::directory(&self.source, bases)
                    .or_else(|| resync::directory(&self.source, bases));
                let known_len = frames.known_decoded_len();
                let directory_len = directory.as_ref().map(Directory::decoded_len);
                let mut salvage = Salvage::new(known_len.or(directory_len));
                if let Some(directory) = directory {
                    frames.use_directory(directory);
                }
                let cutter = Cutter::new(*frames, self.base, self.checks);
                let totals = run_frames(cutter, threads, progress, |job| {
                    salvage_job(job, &mut salvage, &mut write)
                })?;
                salvage.finish(&mut write)?;
                Ok((totals, salvage))
            }
            Opened::Whole(file) => {
                let mut salvage = Salvage::default();
                let (mut decoded, error) = legacy::decode_partial(&file, &Limits::default());
                let (stored, decoded_len) = (file.len() as u64, decoded.len() as u64);
                if let Some(mut base) = self.base {
                    undo_difference(&mut decoded, &mut base, &self.source)?;
                    if error.is_none() {
                        base.finish(&self.source)?;
                    }
                }
                salvage.save(&decoded, &mut write)?;
                if let Some(error) = error {
                    salvage.end(error);
                }
                let trailing = legacy::trailing_len(&file);
                let totals = Totals { stored, decoded: decoded_len, trailing, ..Totals::default() };
                Ok((totals, salvage))
            }
        }
    }

    /// Decodes the file and passes its data to `write`, part by part and in order.
    pub fn run(
        self,
        threads: usize,
        progress: &mut Progress,
        mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Totals, Failure> {
        match self.opened {
            Opened::Frames(frames) => {
                let cutter = Cutter::new(*frames, self.base, self.checks);
                run_frames(cutter, threads, progress, |job| write(job.decoded()))
            }
            Opened::Whole(file) => {
                let mut decoded =
                    decode_whole(&file).map_err(|error| Failure::decoding(&self.source, error))?;
                if let Some(mut base) = self.base {
                    undo_difference(&mut decoded, &mut base, &self.source)?;
                    base.finish(&self.source)?;
                }
                write(&decoded)?;
                Ok(Totals {
                    stored: file.len() as u64,
                    decoded: decoded.len() as u64,
                    trailing: legacy::trailing_len(&file),
                    ..Totals::default()
                })
            }
        }
    }
}

/// Turns a difference into the data, with the next part of the base.
fn undo_difference(decoded: &mut [u8], base: &mut Base, subject: &Endpoint) -> Result<(), Failure> {
    let mut part = Vec::new();
    base.read(decoded.len() as u64, &mut part, subject)?;
    delta::apply(decoded, &part);
    Ok(())
}

/// Passes the decoded chunks of a job to `salvage`, and records which are lost.
fn salvage_job(
    job: &Job,
    salvage: &mut Salvage,
    write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Some((len, error)) = job.lost_before {
        salvage.lose(len, error);
    }
    let mut start = 0;
    for (range, error) in &job.faults {
        salvage.save(&job.decoded()[start..range.start], write)?;
        match error.kind() {
            DecodeErrorKind::ChecksumMismatch => {
                salvage.save_wrong(&job.decoded()[range.clone()], *error, write)?;
            }
            _ => salvage.lose(range.len() as u64, *error),
        }
        start = range.end;
    }
    salvage.save(&job.decoded()[start..], write)?;
    if let Some(error) = job.end {
        salvage.end(error);
    }
    Ok(())
}

fn fail(source: &Endpoint, kind: DecodeErrorKind) -> Failure {
    Failure::decoding(source, kind.into())
}

/// Decodes a file of an old layout, which cannot be read frame by frame. Returns the difference if
/// the file holds one.
fn decode_whole(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    legacy::decode(file, &Limits::default())
}

/// A run of chunks in the pipeline.
#[derive(Default)]
struct Job {
    run: Run,
    /// The check of the stored bytes, if the run holds a frame.
    payload_check: Option<PayloadCheck>,
    /// The part of the base that belongs to it.
    base: Option<Vec<u8>>,
    decoded: Vec<u8>,
    decoded_len: usize,
    /// The offset up to which the file has been read.
    position: u64,
    /// Whether decoding continues after a chunk that cannot be decoded.
    is_salvaging: bool,
    /// Decoded length of unreadable frames before the run, and the first error.
    lost_before: Option<(u64, DecodeError)>,
    /// Ranges of `decoded` that could not be decoded, each with its error.
    faults: Vec<(Range<usize>, DecodeError)>,
    /// The reason why no further frame can be found.
    end: Option<DecodeError>,
}

/// The memory that a worker reuses.
#[derive(Default)]
struct Worker {
    scratch: DecodeScratch,
    /// Memory for the next run. With a base, the job's memory is used for the base.
    memory: Vec<u8>,
}

impl Job {
    /// Decodes the run, and undoes the difference. With a base, this decodes into the worker's
    /// memory and leaves the base's memory to the worker.
    fn decode(&mut self, worker: &mut Worker) -> Result<(), DecodeError> {
        if let Some(check) = self.payload_check.take() {
            self.run.check_payload(check)?;
        }
        if self.base.is_some() {
            std::mem::swap(&mut self.decoded, &mut worker.memory);
        }
        let needed = self.run.decoded_len();
        let out_of_memory = DecodeErrorKind::OutOfMemory { requested: needed };
        self.decoded_len = usize::try_from(needed).map_err(|_| out_of_memory)?;
        if self.decoded.len() < self.decoded_len {
            let more = self.decoded_len - self.decoded.len();
            self.decoded.try_reserve_exact(more).map_err(|_| out_of_memory)?;
            self.decoded.resize(self.decoded_len, 0);
        }
        let decoded = &mut self.decoded[..self.decoded_len];
        self.faults.clear();
        let (faults, is_salvaging) = (&mut self.faults, self.is_salvaging);
        self.run.decode(decoded, self.base.as_deref(), &mut worker.scratch, |range, error| {
            faults.push((range, error));
            if is_salvaging { Ok(()) } else { Err(error) }
        })?;
        if let Some(base) = &mut self.base {
            worker.memory = std::mem::take(base);
        }
        Ok(())
    }

    fn decoded(&self) -> &[u8] {
        &self.decoded[..self.decoded_len]
    }
}

/// Cuts a file into runs of chunks.
struct Cutter {
    frames: Frames,
    base: Option<Base>,
    checks: Checks,
    frame: Option<OpenFrame>,
    next_chunk: usize,
    /// The number of bytes after the only frame, once the end has been reached.
    trailing_len: Arc<AtomicU64>,
    /// The number of checksums that cannot be verified without the base.
    unverified: Arc<AtomicU64>,
    /// Whether a salvaged file has ended too early.
    is_cut: bool,
    /// Whether the file is sealed, once the end has been reached.
    is_sealed: Arc<OnceLock<bool>>,
}

impl Cutter {
    fn new(frames: Frames, base: Option<Base>, checks: Checks) -> Self {
        Self {
            frames,
            base,
            checks,
            frame: None,
            next_chunk: 0,
            trailing_len: Arc::default(),
            unverified: Arc::default(),
            is_cut: false,
            is_sealed: Arc::default(),
        }
    }

    /// Reads the next run; returns `false` at the end of the file.
    fn read(&mut self, job: &mut Job) -> Result<bool, Failure> {
        job.is_salvaging = self.checks == Checks::None;
        (job.lost_before, job.end) = (None, None);
        let frame = match job.is_salvaging {
            true => self.salvaged_frame(job)?,
            false => self.frame_with_chunks()?,
        };
        let Some(frame) = frame else {
            if let Some(base) = &mut self.base
                && !self.is_cut
            {
                base.finish(self.frames.endpoint())?;
            }
            self.trailing_len.store(self.frames.trailing_len(), Ordering::Relaxed);
            if let Some(is_sealed) = self.frames.is_sealed() {
                // Only the end of the file sets it.
                self.is_sealed.get_or_init(|| is_sealed);
            }
            // An empty run reports losses at the end of the file.
            job.run = Run::default();
            return Ok(job.lost_before.is_some() || job.end.is_some());
        };
        let end = self.next_chunk.saturating_add(Run::chunk_count(&frame));
        let end = end.min(frame.index().chunk_count());
        job.run.read(&mut self.frames, &frame, self.next_chunk..end)?;
        job.payload_check = match self.checks {
            Checks::Stored if Run::holds(&frame) => frame.opened.payload_check(),
            _ => None,
        };
        if let Some(base) = &mut self.base {
            let part = job.base.get_or_insert_default();
            // The worker took this memory; `decoded` has been written and can replace it.
            std::mem::swap(part, &mut job.decoded);
            base.read(job.run.decoded_len(), part, self.frames.endpoint())?;
        }
        job.position = self.frames.position();
        self.next_chunk = end;
        self.frame = Some(frame);
        Ok(true)
    }

    /// Checks a frame as far as possible before it is decoded.
    fn check(&mut self, mut frame: OpenFrame) -> Result<OpenFrame, Failure> {
        if let (Some(expected), Some(base)) = (frame.opened.base(), &mut self.base)
            && self.checks != Checks::None
        {
            base.check(expected, self.frames.endpoint())?;
        }
        if self.frames.first().delta != Delta::None && self.base.is_none() {
            // Checksums cover the data, but only the difference is decoded.
            let count = frame.opened.checksums().len() as u64;
            self.unverified.fetch_add(count, Ordering::Relaxed);
            frame.opened = frame.opened.without_checksums();
        }
        // The stored bytes of a frame in a single run are checked with the run.
        if self.checks == Checks::Stored && !Run::holds(&frame) {
            self.frames.check_payload(&frame)?;
        }
        Ok(frame)
    }

    /// Returns the open frame, or the next readable frame with data. Records lost frames before it
    /// in the job.
    fn salvaged_frame(&mut self, job: &mut Job) -> Result<Option<OpenFrame>, Failure> {
        if let Some(frame) = self.unfinished_frame() {
            return Ok(Some(frame));
        }
        if self.is_cut {
            return Ok(None);
        }
        loop {
            match self.frames.next_salvaged()? {
                Next::Frame(frame) => {
                    if let Some(frame) = self.begin(*frame)? {
                        return Ok(Some(frame));
                    }
                }
                Next::Lost(len, error) => {
                    let (before, error) = job.lost_before.unwrap_or((0, error));
                    job.lost_before = Some((before.saturating_add(len), error));
                    if let Some(base) = &mut self.base {
                        base.skip(len)?;
                    }
                }
                Next::End(error) => {
                    self.is_cut = error.is_some();
                    job.end = error;
                    return Ok(None);
                }
            }
        }
    }

    /// Returns the open frame, unless all of its chunks have been read.
    fn unfinished_frame(&mut self) -> Option<OpenFrame> {
        let frame = self.frame.take()?;
        (self.next_chunk < frame.index().chunk_count()).then_some(frame)
    }

    /// Prepares a frame for reading, or returns `None` if it has no data.
    fn begin(&mut self, frame: OpenFrame) -> Result<Option<OpenFrame>, Failure> {
        self.next_chunk = 0;
        let frame = self.check(frame)?;
        let chunks = frame.index().chunk_count();
        // A single plane is stored in the order in which it is decoded.
        let is_sequential = frame.index().header().dtype.size() == 1;
        if chunks > Run::chunk_count(&frame) && !is_sequential {
            self.frames.keep_payload(&frame)?;
        }
        Ok((chunks > 0).then_some(frame))
    }

    /// Returns the open frame, or the next frame with data.
    fn frame_with_chunks(&mut self) -> Result<Option<OpenFrame>, Failure> {
        if let Some(frame) = self.unfinished_frame() {
            return Ok(Some(frame));
        }
        while let Some(frame) = self.frames.next()? {
            if let Some(frame) = self.begin(frame)? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }
}

fn run_frames(
    cutter: Cutter,
    threads: usize,
    progress: &mut Progress,
    mut write: impl FnMut(&Job) -> Result<(), Failure>,
) -> Result<Totals, Failure> {
    let mut cutter = cutter;
    let subject = cutter.frames.endpoint().clone();
    let trailing_len = Arc::clone(&cutter.trailing_len);
    let unverified = Arc::clone(&cutter.unverified);
    let is_sealed = Arc::clone(&cutter.is_sealed);
    let mut totals = Totals::default();
    pipeline::run(
        threads,
        move |job: &mut Job| cutter.read(job),
        move |job: &mut Job, worker: &mut Worker| {
            job.decode(worker).map_err(|error| Failure::decoding(&subject, error))
        },
        |job| {
            write(job)?;
            totals.decoded += job.decoded_len as u64;
            totals.checksums += job.run.checksum_count();
            progress.add(job.position.saturating_sub(totals.stored));
            totals.stored = totals.stored.max(job.position);
            Ok(())
        },
    )?;
    totals.trailing = trailing_len.load(Ordering::Relaxed);
    totals.unverified = unverified.load(Ordering::Relaxed);
    totals.is_sealed = is_sealed.get().copied();
    Ok(totals)
}

/// Checks that a compressed file decodes to exactly the bytes of another file.
pub fn compare(compressed: &Path, plain: &Path, files: &Files) -> Result<Totals, Failure> {
    let mut comparison = Comparison::open(compressed, plain)?;
    let compressed = Endpoint::Path(compressed.to_owned());
    let decoding = Decoding::open(&compressed, files.bases(), Checks::Decoded)?.require_base()?;
    let mut progress = Progress::new("verifying".to_owned(), decoding.file_len(), files.quiet);
    let totals =
        decoding.run(files.threads.count(), &mut progress, |decoded| comparison.push(decoded))?;
    comparison.finish()?;
    Ok(totals)
}
