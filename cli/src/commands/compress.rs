//! `zipnn compress`.

use zipnn::Options;
use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{EncodeScratch, FramePosition};

use crate::args::{self, Compress, Files};
use crate::fs::endpoint::Place;
use crate::fs::input::{Base, Input};
use crate::fs::names::{self, Direction, Form};
use crate::fs::output::Output;
use crate::fs::snapshot::{self, Snapshot};
use crate::job::commit::{self, Moved};
use crate::job::framing::{Coded, Knowledge, Pieces};
use crate::job::pipeline::{self, Spare};
use crate::job::{decode, inside};
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// Compresses one of the inputs.
pub fn run(source: &Place, arguments: &Compress) -> Result<(), Failure> {
    let files = &arguments.files;
    if arguments.inside_safetensors {
        return inside::compress(source, files, !arguments.plain);
    }
    let destination =
        names::destination(source, files.output.as_deref(), Direction::Compress, Form::Whole)?;
    let moved = compress(source, &destination, arguments, |len| {
        Progress::new(source.to_string(), len, files.quiet)
    })?;
    commit::show(&commit::summary(source, &destination, &moved), files);
    Ok(())
}

/// Compresses `source` to `destination`. `progress` is told the length of the source.
pub fn compress(
    source: &Place,
    destination: &Place,
    arguments: &Compress,
    progress: impl FnOnce(Option<u64>) -> Progress,
) -> Result<Moved, Failure> {
    let files = &arguments.files;
    commit::check(source, destination, files)?;
    let mut input = if files.force { Input::open_any(source)? } else { Input::open(source)? };
    let mut base = files.delta.as_deref().map(Base::open).transpose()?;
    if let Some(base) = &base {
        base.check_len(input.len(), source)?;
    }
    let pieces = Pieces::new(arguments.dtype, &mut input).map_err(|error| input.failure(error))?;
    let has_annexes = !arguments.plain;
    let profile = args::profile(arguments.extended);
    let options = arguments.dtype.dtype().map_or(Options::bytes(), Options::new);
    let mut options = options.profile(profile);
    if !has_annexes {
        options = options.plain();
    }
    if let Some(base) = &mut base {
        options = options.delta(Delta::File);
        if has_annexes && let Some(id) = base.identify()? {
            options = options.base(id);
        }
    }
    let mut output = Output::create(destination, files.force)?;
    let mut progress = progress(input.len());
    let metadata = input.metadata().cloned();
    let snapshots = Snapshot::new(source, metadata.as_ref());
    let snapshots: Vec<_> =
        snapshots.into_iter().chain(base.as_ref().and_then(Base::snapshot)).collect();
    let frames = write_frames(input, pieces, base, options, files, &mut output, &mut progress)
        .map_err(|failure| snapshot::explain(&snapshots, failure))?;
    if has_annexes {
        let delta = if files.delta.is_some() { Delta::File } else { Delta::None };
        output.write(&frames.to_frame(delta))?;
    }
    let read = frames.decoded_len();
    let (written, elapsed) = (output.len(), progress.elapsed());
    drop(progress);
    snapshot::check_all(&snapshots)?;
    commit::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(result, source, files).map(drop)
    })?;
    Ok(Moved { read, written, original: read, elapsed, warning: None })
}

/// A piece on its way through the pipeline.
#[derive(Default)]
struct Job {
    /// What has been read, until it is compressed. Its memory then goes to the worker, whose own
    /// the frames are in.
    input: Vec<u8>,
    knowledge: Knowledge,
    /// The part of the base that goes with it.
    base: Option<Vec<u8>>,
    /// Where its first frame stands.
    position: FramePosition,
    coded: Coded,
}

/// What a worker keeps from piece to piece.
#[derive(Default)]
struct Worker {
    scratch: EncodeScratch,
    /// Memory for the frames of the next piece.
    memory: Vec<u8>,
}

/// Compresses the input, piece by piece, and tells of the frames.
fn write_frames(
    mut input: Input,
    mut pieces: Pieces,
    mut base: Option<Base>,
    options: Options,
    files: &Files,
    output: &mut Output,
    progress: &mut Progress,
) -> Result<Directory, Failure> {
    let subject = input.place().clone();
    let mut directory = Directory::new();
    let mut position = FramePosition::FIRST;
    let spare = if base.is_some() { Spare::Two } else { Spare::Three };
    let read = move |job: &mut Job| {
        job.coded.exchange_memory(&mut job.input);
        job.input.clear();
        let (len, knowledge) = pieces.next();
        job.knowledge = knowledge;
        let len = input.read_up_to(len, &mut job.input).map_err(|error| input.failure(error))?;
        if let Some(base) = &mut base {
            if len == 0 {
                base.finish(input.place())?;
            }
            base.read(len, job.base.get_or_insert_default(), input.place())?;
        }
        job.position = position;
        position = position.after(len);
        // A file has at least one frame.
        Ok(len > 0 || job.position.is_first)
    };
    let work = move |job: &mut Job, worker: &mut Worker| {
        let Job { input, knowledge, base, position, coded } = job;
        let Worker { scratch, memory } = worker;
        coded.exchange_memory(memory);
        coded
            .compress(input, base.as_deref_mut(), *knowledge, &options, *position, scratch)
            .map_err(|error| Failure::encoding(&subject, error))?;
        *memory = std::mem::take(input);
        Ok(())
    };
    let write = |job: &mut Job| {
        output.write(job.coded.bytes())?;
        for (frame, decoded_len) in job.coded.frames() {
            let (frame_len, decoded_len) = (frame.len() as u64, decoded_len as u64);
            directory.push(frame_len, decoded_len).ok_or_else(|| too_long(output))?;
        }
        progress.add(job.coded.decoded_len());
        Ok(())
    };
    pipeline::run(files.threads.count(), spare, read, work, write)?;
    Ok(directory)
}

fn too_long(output: &Output) -> Failure {
    Failure::new(output.place(), "would be longer than any file can be")
}
