//! Compressing one file: read pieces, compress them on threads, write frames in order.

use std::path::Path;

use zipnn::delta::{BaseMap, Delta};
use zipnn::file::Directory;
use zipnn::frame::{EncodeScratch, FramePosition};
use zipnn::{Options, Profile};

use crate::args::{Compress, Files};
use crate::base::content::Base;
use crate::base::plan::Source;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::fs::output::Output;
use crate::fs::snapshot::{self, Snapshot};
use crate::job::commit::{self, Stats};
use crate::job::decode;
use crate::job::framing::{Coded, Framing, Knowledge};
use crate::job::pipeline;
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
    commit::check_replaced(source, destination, files)?;
    let mut input = if files.force { Input::open_any(source)? } else { Input::open(source)? };
    let (mut base, map) = open_base(source, destination, arguments)?;
    if let Some(base) = &base {
        base.check_len(input.len(), source)?;
    }
    let is_small_difference = base.is_some() && arguments.profile() != Profile::Original;
    let piece_len = Options::DEFAULT_FRAME_LEN as u64;
    let pieces = Framing::new(arguments.dtype, piece_len, &mut input, is_small_difference)
        .map_err(|error| input.failure(error))?;
    let has_annexes = !arguments.plain;
    let mut options = arguments.dtype.options().profile(arguments.profile());
    options = options.plane_code(arguments.plane_code.code());
    if !has_annexes {
        options = options.plain();
    }
    let mut head = None;
    let delta = if base.is_some() { Delta::File } else { Delta::None };
    if let Some(base) = &mut base {
        options = options.delta(delta);
        if has_annexes && let Some(id) = base.identify()? {
            options = options.base(id);
            head = map.map(|map| map.to_frame(id));
        }
    }
    let mut output = Output::create(destination, files.force)?;
    let mut progress = progress(input.len());
    let metadata = input.metadata().cloned();
    let snapshots = Snapshot::new(source, metadata.as_ref());
    let snapshots: Vec<_> = snapshots
        .into_iter()
        .chain(base.as_ref().map(Base::snapshots).unwrap_or_default())
        .collect();
    let data = Data { input, pieces, base, head };
    let frames = write_frames(data, options, files, &mut output, &mut progress)
        .map_err(|failure| snapshot::explain(&snapshots, failure))?;
    if has_annexes {
        output.write(&frames.to_frame(delta))?;
    }
    let read = frames.decoded_len();
    let (written, elapsed) = (output.len(), progress.elapsed());
    drop(progress);
    snapshot::check_all(&snapshots)?;
    commit::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(result, source, &arguments.files_to_verify(source)).map(drop)
    })?;
    Ok(Stats { read, written, original: read, elapsed, warning: None })
}

/// Opens the base of a file to be compressed; with a map if it is assembled from several files.
fn open_base(
    source: &Endpoint,
    destination: &Endpoint,
    arguments: &Compress,
) -> Result<(Option<Base>, Option<BaseMap>), Failure> {
    if let Some(delta) = &arguments.files.delta {
        return Ok((Some(Base::open(delta)?), None));
    }
    let planned = source
        .path()
        .and_then(|source| arguments.plan.map(source, destination.path().unwrap_or(Path::new(""))));
    let Some(map) = planned else { return Ok((None, None)) };
    let sources = source.path().map(|source| arguments.plan.sources(source)).unwrap_or_default();
    let sources = sources.iter().map(Source::open).collect::<Result<_, _>>()?;
    let base = Base::mapped(map.clone(), sources, source)?;
    Ok((Some(base), Some(map)))
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

/// The data to compress.
struct Data {
    input: Input,
    pieces: Framing,
    base: Option<Base>,
    /// A frame without data that begins the file.
    head: Option<Vec<u8>>,
}

/// Compresses the input piece by piece, and returns the directory of its frames.
fn write_frames(
    data: Data,
    options: Options,
    files: &Files,
    output: &mut Output,
    progress: &mut Progress,
) -> Result<Directory, Failure> {
    let Data { mut input, mut pieces, mut base, head } = data;
    let subject = input.endpoint().clone();
    let mut directory = Directory::new();
    let mut position = FramePosition::FIRST;
    if let Some(head) = head {
        output.write(&head)?;
        directory.push(head.len() as u64, 0).ok_or_else(|| too_long(output))?;
        position = position.after(0);
    }
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
    pipeline::run(files.threads.count(), read, work, write)?;
    Ok(directory)
}

fn too_long(output: &Output) -> Failure {
    Failure::new(output.endpoint(), "would be longer than a file can be")
}
