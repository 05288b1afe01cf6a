//! `zipnn compress`.

use zipnn::{
    Delta, Directory, EncodeError, EncodeScratch, FramePosition, Options, compress_bound,
    compress_frame_into, delta,
};

use super::args::{Compress, Files};
use super::decode;
use super::dtype;
use super::failure::Failure;
use super::input::{Base, Input};
use super::names::{self, Direction, Place};
use super::output::Output;
use super::pipeline;
use super::progress::Progress;
use super::transfer;

/// Compresses one of the inputs.
pub fn run(source: &Place, arguments: &Compress) -> Result<(), Failure> {
    let files = &arguments.files;
    let destination = names::destination(source, files.output.as_deref(), Direction::Compress)?;
    transfer::check(source, &destination, files)?;
    if Output::is_terminal(&destination) && !files.force {
        return Err(Failure::usage("-", "compressed data is not for terminals")
            .hint("redirect standard output, or name a file with --output"));
    }
    let mut input = Input::open(source)?;
    let mut base = files.delta.as_deref().map(Base::open).transpose()?;
    if let Some(base) = &base {
        base.check_len(input.len(), source)?;
    }
    let dtype = dtype::choose(arguments.dtype, &mut input, base.as_mut())?;
    let has_annexes = !arguments.plain;
    let mut options = Options::new(dtype).checksums(has_annexes).index(has_annexes);
    if let Some(base) = &mut base {
        options = options.delta(Delta::File);
        if has_annexes && let Some(id) = base.identify()? {
            options = options.base(id);
        }
    }
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(source.to_string(), input.len(), files.quiet);
    let metadata = input.metadata().cloned();
    let frames = write_frames(input, base, options, files, &mut output, &mut progress)?;
    if has_annexes {
        let delta = if files.delta.is_some() { Delta::File } else { Delta::None };
        output.write(&frames.to_frame(delta))?;
    }
    let read = frames.decoded_len();
    let summary = transfer::summary(&progress, source, read, &output, read);
    drop(progress);
    transfer::finish(output, source, metadata.as_ref(), files, |result, source| {
        decode::compare(result, source, files)
    })?;
    transfer::show(&summary, files);
    Ok(())
}

/// A frame on its way through the pipeline.
#[derive(Default)]
struct Job {
    input: Vec<u8>,
    /// The part of the base that goes with it.
    base: Option<Vec<u8>>,
    frame: Vec<u8>,
    frame_len: usize,
    position: FramePosition,
}

impl Job {
    fn compress(
        &mut self,
        options: &Options,
        scratch: &mut EncodeScratch,
    ) -> Result<(), EncodeError> {
        let bound = compress_bound(self.input.len(), options);
        if self.frame.len() < bound {
            self.frame.resize(bound, 0);
        }
        let (input, frame, position) = (&self.input, &mut self.frame, self.position);
        self.frame_len = match &mut self.base {
            None => compress_frame_into(input, frame, options, position, scratch)?,
            Some(part) => {
                delta::compress_frame_into(input, part, frame, options, position, scratch)?
            }
        };
        Ok(())
    }
}

/// Compresses the input, frame by frame, and tells of the frames.
fn write_frames(
    mut input: Input,
    mut base: Option<Base>,
    options: Options,
    files: &Files,
    output: &mut Output,
    progress: &mut Progress,
) -> Result<Directory, Failure> {
    let subject = input.place().clone();
    let mut directory = Directory::new();
    let mut position = FramePosition::FIRST;
    let read = move |job: &mut Job| {
        job.input.clear();
        let len = input
            .read_up_to(Options::DEFAULT_FRAME_LEN as u64, &mut job.input)
            .map_err(|error| input.failure(error))?;
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
    let work = move |job: &mut Job, scratch: &mut EncodeScratch| {
        job.compress(&options, scratch).map_err(|error| Failure::encoding(&subject, error))
    };
    let write = |job: &mut Job| {
        let frame = &job.frame[..job.frame_len];
        output.write(frame)?;
        let decoded_len = job.input.len() as u64;
        directory.push(frame.len() as u64, decoded_len).ok_or_else(|| too_long(output))?;
        progress.add(decoded_len);
        Ok(())
    };
    pipeline::run(files.threads.count(), read, work, write)?;
    Ok(directory)
}

fn too_long(output: &Output) -> Failure {
    Failure::new(output.place(), "would be longer than any file can be")
}
