//! Compressing one file: read pieces, compress them on threads, write frames in order.

use zipnn::Options;
use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{EncodeScratch, FramePosition};

use crate::args::{self, Compress, Files};
use crate::fs::endpoint::Endpoint;
use crate::fs::input::{Base, Input};
use crate::fs::output::Output;
use crate::fs::snapshot::{self, Snapshot};
use crate::job::commit::{self, Stats};
use crate::job::decode;
use crate::job::framing::{Coded, Framing, Knowledge};
use crate::job::pipeline::{self, Spare};
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// Compresses `source` to `destination`. Passes the length of the source, if known, to `progress`.
pub fn compress(
    source: &Endpoint,
    destination: &Endpoint,
    arguments: &Compress,
    progress: impl FnOnce(Option<u64>) -> Progress,
) -> Result<Stats, Failure> {
    let files = &arguments.files;
    commit::check(source, destination, files)?;
    let mut input = if files.force { Input::open_any(source)? } else { Input::open(source)? };
    let mut base = files.delta.as_deref().map(Base::open).transpose()?;
    if let Some(base) = &base {
        base.check_len(input.len(), source)?;
    }
    let pieces = Framing::new(arguments.dtype, &mut input, base.is_some() && arguments.extended)
        .map_err(|error| input.failure(error))?;
    let has_annexes = !arguments.plain;
    let options = arguments.dtype.dtype().map_or(Options::bytes(), Options::new);
    let profile = args::profile(arguments.extended);
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
    Ok(Stats { read, written, original: read, elapsed, warning: None })
}

/// A piece in the pipeline.
#[derive(Default)]
struct PieceItem {
    /// The data of the piece. Compression exchanges it for the worker's memory with the frames.
    input: Vec<u8>,
    knowledge: Knowledge,
    /// The matching part of the base.
    base: Option<Vec<u8>>,
    /// The position of its first frame in the file.
    position: FramePosition,
    coded: Coded,
}

/// Memory that a worker reuses for each piece.
#[derive(Default)]
struct EncodeWorker {
    scratch: EncodeScratch,
    /// Memory for the frames of the next piece.
    memory: Vec<u8>,
}

/// Compresses the input piece by piece, and returns the directory of its frames.
fn write_frames(
    mut input: Input,
    mut pieces: Framing,
    mut base: Option<Base>,
    options: Options,
    files: &Files,
    output: &mut Output,
    progress: &mut Progress,
) -> Result<Directory, Failure> {
    let subject = input.endpoint().clone();
    let mut directory = Directory::new();
    let mut position = FramePosition::FIRST;
    let spare = if base.is_some() { Spare::Two } else { Spare::Three };
    let read = move |item: &mut PieceItem| {
        item.coded.exchange_memory(&mut item.input);
        item.input.clear();
        let (len, knowledge) = pieces.next();
        item.knowledge = knowledge;
        let len = input.read_up_to(len, &mut item.input).map_err(|error| input.failure(error))?;
        if let Some(base) = &mut base {
            if len == 0 {
                base.finish(input.endpoint())?;
            }
            base.read(len, item.base.get_or_insert_default(), input.endpoint())?;
        }
        item.position = position;
        position = position.after(len);
        // A file has at least one frame.
        Ok(len > 0 || item.position.is_first)
    };
    let work = move |item: &mut PieceItem, worker: &mut EncodeWorker| {
        let PieceItem { input, knowledge, base, position, coded } = item;
        let EncodeWorker { scratch, memory } = worker;
        coded.exchange_memory(memory);
        coded
            .compress(input, base.as_deref_mut(), *knowledge, &options, *position, scratch)
            .map_err(|error| Failure::encoding(&subject, error))?;
        *memory = std::mem::take(input);
        Ok(())
    };
    let write = |item: &mut PieceItem| {
        output.write(item.coded.bytes())?;
        for (frame, decoded_len) in item.coded.frames() {
            let (frame_len, decoded_len) = (frame.len() as u64, decoded_len as u64);
            directory.push(frame_len, decoded_len).ok_or_else(|| too_long(output))?;
        }
        progress.add(item.coded.decoded_len());
        Ok(())
    };
    pipeline::run(files.threads.count(), spare, read, work, write)?;
    Ok(directory)
}

fn too_long(output: &Output) -> Failure {
    Failure::new(output.endpoint(), "would be longer than a file can be")
}
