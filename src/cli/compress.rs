//! `zipnn compress`.

use zipnn::{Delta, EncodeScratch, Options, compress_bound, compress_frame_into, delta};

use super::args::{Compress, Files};
use super::decode;
use super::dtype;
use super::failure::Failure;
use super::input::{Base, Input};
use super::names::{self, Direction, Place};
use super::output::Output;
use super::pipeline;
use super::progress::Progress;
use super::transfer::{self, Moved};

/// Compresses one of the inputs.
pub fn run(source: &Place, arguments: &Compress) -> Result<(), Failure> {
    let files = &arguments.files;
    let destination = names::destination(source, files.output.as_deref(), Direction::Compress)?;
    transfer::check(source, &destination, files)?;
    if Output::is_terminal(&destination) && !files.force {
        return Err(Failure::usage("-", "compressed data is not for terminals")
            .hint("redirect standard output, or name a file with --output"));
    }
    let moved = compress(source, &destination, arguments, |len| {
        Progress::new(source.to_string(), len, files.quiet)
    })?;
    transfer::show(&transfer::summary(source, &destination, &moved), files);
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
    let mut input = Input::open(source)?;
    let mut base = files.delta.as_deref().map(Base::open).transpose()?;
    if let Some(base) = &base {
        base.check_len(input.len(), source)?;
    }
    let dtype = dtype::choose(arguments.dtype, &mut input, base.as_mut())?;
    let mut options = Options::new(dtype);
    if base.is_some() {
        options = options.delta(Delta::File);
    }
    let mut output = Output::create(destination, files.force)?;
    let mut progress = progress(input.len());
    let metadata = input.metadata().cloned();
    let read = write_frames(input, base, options, files, &mut output, &mut progress)?;
    let (written, elapsed) = (output.len(), progress.elapsed());
    drop(progress);
    transfer::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(result, source, files).map(drop)
    })?;
    Ok(Moved { read, written, original: read, elapsed, warning: None })
}

/// A frame on its way through the pipeline.
#[derive(Default)]
struct Job {
    input: Vec<u8>,
    base: Vec<u8>,
    frame: Vec<u8>,
    frame_len: usize,
}

/// Compresses the input, frame by frame. Returns its length.
fn write_frames(
    mut input: Input,
    mut base: Option<Base>,
    options: Options,
    files: &Files,
    output: &mut Output,
    progress: &mut Progress,
) -> Result<u64, Failure> {
    let subject = input.place().clone();
    let mut read_len = 0;
    let mut is_first = true;
    let read = move |job: &mut Job| {
        job.input.clear();
        let len = input
            .read_up_to(Options::DEFAULT_FRAME_LEN as u64, &mut job.input)
            .map_err(|error| input.failure(error))?;
        if let Some(base) = &mut base {
            if len == 0 {
                base.finish(input.place())?;
            }
            base.read(len, &mut job.base, input.place())?;
        }
        // A file has at least one frame.
        let was_first = std::mem::replace(&mut is_first, false);
        Ok(len > 0 || was_first)
    };
    let work = move |job: &mut Job, scratch: &mut EncodeScratch| {
        delta::apply(&mut job.input, &job.base);
        let bound = compress_bound(job.input.len(), &options);
        if job.frame.len() < bound {
            job.frame.resize(bound, 0);
        }
        job.frame_len = compress_frame_into(&job.input, &mut job.frame, &options, scratch)
            .map_err(|error| Failure::encoding(&subject, error))?;
        Ok(())
    };
    let write = |job: &mut Job| {
        output.write(&job.frame[..job.frame_len])?;
        read_len += job.input.len() as u64;
        progress.add(job.input.len() as u64);
        Ok(())
    };
    pipeline::run(files.threads.count(), read, work, write)?;
    Ok(read_len)
}
