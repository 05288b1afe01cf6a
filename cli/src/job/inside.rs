//! Compresses the tensors inside a `.safetensors` file, and restores and verifies such files.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use zipnn::tensor::Verdict;
use zipnn::tensor::inside::{Section, TensorError, TensorWriter};
use zipnn::{Limits, Options, tensor};

use crate::args::{Files, Verify};
use crate::content::tensor_source::{self, Source};
use crate::fs::endpoint::Place;
use crate::fs::names::{self, Direction, Form};
use crate::fs::output::Output;
use crate::job::commit::{self, Moved};
use crate::job::comparison::Comparison;
use crate::repair::inside_salvage;
use crate::report::failure::{Failure, say};
use crate::report::progress::Progress;
use crate::report::units;

/// Longest tensor for which no other thread is woken, in bytes: a chunk.
const CHUNK_LEN: u64 = 256 << 10;

/// Explains an error of writing a file of tensors.
fn writing(place: &Place, source: &Place, error: TensorError) -> Failure {
    match error {
        TensorError::Io(error) => Failure::writing(place, error),
        TensorError::Metadata(error) => tensor_source::layout(source, &error),
        TensorError::Source(error) => Failure::reading(source, error),
        error @ TensorError::HeaderTooLong { .. } => Failure::new(source, error)
            .hint("compress it without --inside-safetensors, which leaves the header as it is"),
        error => Failure::new(source, error),
    }
}

/// `zipnn compress --inside-safetensors`.
pub fn compress(place: &Place, files: &Files, has_annexes: bool) -> Result<(), Failure> {
    let destination =
        names::destination(place, files.output.as_deref(), Direction::Compress, Form::Inside)?;
    commit::check(place, &destination, files)?;
    let source = Source::open(place, Limits::default())?;
    if source.reader.is_compressed() {
        let hint = match (source.reader.is_list_lost(), source.reader.list_problem()) {
            (true, _) => "its list of compressed tensors is lost: `zipnn repair` makes a new one",
            (_, Some(_)) => "its list of compressed tensors is stale: `zipnn repair` mends it",
            (false, None) => "nothing to compress here",
        };
        return Err(Failure::new(place, "holds compressed tensors already").hint(hint));
    }
    let (metadata, read) = (source.metadata().cloned(), source.file_len());
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(place.to_string(), Some(read), files.quiet);
    output.fill(|file| {
        let pool = tensor_source::pool(files.threads.count())?;
        let failure = |error| writing(&destination, place, error);
        let (mut source, header) = source.reader.into_parts();
        // What the reader knew of the tensors has been dropped before the writer needs memory for
        // the same.
        let data_len = read.saturating_sub(header.len() as u64);
        let writer = TensorWriter::new(&mut *file, &header, data_len).map_err(failure)?;
        drop(header);
        let writer = writer.checksums(has_annexes);
        write_tensors(writer, &mut source, has_annexes, &pool, &mut progress).map_err(failure)?;
        let written = file.metadata().map_err(|error| failure(error.into()))?.len();
        check_growth(place, read, written, files.force)
    })?;
    let (written, elapsed) = (output.len(), progress.elapsed());
    let moved = Moved { read, written, original: read, elapsed, warning: None };
    drop(progress);
    commit::finish(output, place, metadata.as_ref(), files, |result, source| {
        compare(result, source, files)
    })?;
    commit::show(&commit::summary(place, &destination, &moved), files);
    Ok(())
}

/// Compresses all tensors of a file.
fn write_tensors(
    mut writer: TensorWriter<&mut File>,
    source: &mut File,
    has_annexes: bool,
    pool: &rayon::ThreadPool,
    progress: &mut Progress,
) -> Result<(), TensorError> {
    for number in 0..writer.tensors().len() {
        let tensor = &writer.tensors()[number];
        let (range, options) = (tensor.range.clone(), tensor.dtype().map(Options::new));
        let options = if has_annexes { options } else { options.map(Options::plain) };
        let len = range.end - range.start;
        let mut data = Section::new(source, range);
        match len {
            // A chunk, for which no other thread is worth waking.
            ..=CHUNK_LEN => writer.write_from(&mut data, options.as_ref())?,
            _ => pool.install(|| writer.par_write_from(&mut data, options.as_ref()))?,
        }
        progress.add(len);
    }
    writer.finish().map(drop)
}

/// Refuses a result that is larger than its source; where the user insists, warns.
fn check_growth(place: &Place, read: u64, written: u64, force: bool) -> Result<(), Failure> {
    if written <= read {
        return Ok(());
    }
    let growth = format!(
        "compressing its tensors inside makes the file larger: {written} bytes instead of {read}"
    );
    let advice = "compress it without --inside-safetensors to get a .znn file, which suits small \
                  tensors better";
    if force {
        say(format_args!("zipnn: {place}: warning: {growth}; {advice}"));
        return Ok(());
    }
    Err(Failure::new(place, growth).hint(format_args!("{advice}, or write it with --force")))
}

/// `zipnn decompress` of a file in which tensors are compressed.
pub fn decompress(place: &Place, files: &Files, verify: bool) -> Result<(), Failure> {
    let destination =
        names::destination(place, files.output.as_deref(), Direction::Decompress, Form::Inside)?;
    commit::check(place, &destination, files)?;
    if files.delta.is_some() {
        return Err(Failure::usage(place, "holds compressed tensors, and no difference")
            .hint("leave out --delta"));
    }
    let source = match verify {
        true => Source::open(place, Limits::default())?,
        false => Source::open_damaged(place)?,
    };
    let mut source = source.require_compressed()?;
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(place.to_string(), Some(source.file_len()), files.quiet);
    let write = |decoded: &[u8]| output.write(decoded);
    let decoded_len = if verify {
        source.restore(files.threads.count(), &mut progress, write)?
    } else {
        let saved = inside_salvage::run(&mut source, &mut progress, write)?;
        if !saved.is_whole() {
            drop(progress);
            let failure = |destination: Option<&Place>| saved.failure(place, destination);
            let is_empty = saved.is_empty();
            return Err(commit::keep(output, source.metadata(), files, failure, is_empty));
        }
        saved.len()
    };
    let (written, elapsed) = (output.len(), progress.elapsed());
    let (read, original) = (source.file_len(), decoded_len);
    let moved = Moved { read, written, original, elapsed, warning: None };
    drop(progress);
    commit::finish(output, place, source.metadata(), files, |result, source| {
        compare(source, result, files)
    })?;
    if !files.quiet {
        warn_of_stale_list(&source);
        warn_of_gaps(&source);
        warn_of_rotated(&mut source)?;
    }
    commit::show(&commit::summary(place, &destination, &moved), files);
    Ok(())
}

/// Says so if the list of compressed tensors does not fit the file.
fn warn_of_stale_list(source: &Source) {
    if let Some(problem) = source.reader.list_problem() {
        let place = source.place();
        say(format_args!(
            "zipnn: {place}: warning: {problem}; all tensors that are frames were decompressed"
        ));
    }
}

/// Says so if the result lacks bytes of the file that belong to no tensor.
fn warn_of_gaps(source: &Source) {
    let gaps = source.reader.tensors().iter().filter(|tensor| tensor.is_gap);
    let len: u64 = gaps.map(|gap| gap.decoded_len).sum();
    if len > 0 {
        let place = source.place();
        say(format_args!(
            "zipnn: {place}: warning: left out: {} outside of any tensor",
            units::count(len, "byte")
        ));
    }
}

/// Says so if the original has stored some tensors wrong.
pub fn warn_of_rotated(source: &mut Source) -> Result<(), Failure> {
    if source.reader.is_ours() {
        return Ok(());
    }
    let found = tensor::examine(&mut source.reader).map_err(|error| source.failure(error))?;
    let rotated = found.iter().filter(|one| one.verdict == Verdict::Rotated).count();
    if rotated > 0 {
        let place = source.place();
        say(format_args!(
            "zipnn: {place}: warning: it seems that the original has stored {} with \
             rotated bits; `zipnn repair` lists and repairs them",
            units::count(rotated as u64, "tensor")
        ));
    }
    Ok(())
}

/// `zipnn verify` of a file in which tensors are compressed.
pub fn verify(place: &Place, arguments: &Verify) -> Result<(), Failure> {
    if arguments.delta.is_some() {
        return Err(Failure::usage(place, "holds compressed tensors, and no difference")
            .hint("leave out --delta"));
    }
    let failure = |failure: Failure| failure.details(inside_salvage::damage(place));
    let mut source = Source::open(place, Limits::default()).map_err(failure)?.require_list()?;
    // A stale list comes with the header of another source.
    source.verify &= source.reader.list_problem().is_none();
    let mut progress = Progress::new(place.to_string(), Some(source.file_len()), arguments.quiet);
    let decoded_len = source
        .restore(arguments.threads.count(), &mut progress, |_| Ok(()))
        .and_then(|decoded_len| source.check_stored().map(|()| decoded_len));
    drop(progress);
    let decoded_len = decoded_len.map_err(failure)?;
    if arguments.quiet {
        return Ok(());
    }
    let note = match (source.reader.is_list_lost(), source.reader.list_problem()) {
        (true, _) => "; its list of compressed tensors is lost, and `zipnn repair` makes a new one"
            .to_owned(),
        (false, Some(problem)) => {
            format!("; {problem}; `zipnn repair` drops what is stale")
        }
        (false, None) => String::new(),
    };
    let checks = match source.reader.has_checksums() {
        true => "; all checksums are right",
        false => "; it decodes, but has no checksums",
    };
    writeln!(io::stdout(), "{place}: sound, {}{checks}{note}", units::bytes(decoded_len))
        .map_err(|error| Failure::writing("-", error))
}

/// Makes sure that a file of compressed tensors decodes to exactly the bytes of another file.
pub fn compare(compressed: &Path, plain: &Path, files: &Files) -> Result<(), Failure> {
    let mut comparison = Comparison::open(compressed, plain)?;
    let mut source = Source::open(&Place::Path(compressed.to_owned()), Limits::default())?;
    let mut progress = Progress::new("verifying".to_owned(), Some(source.file_len()), files.quiet);
    source.restore(files.threads.count(), &mut progress, |decoded| comparison.push(decoded))?;
    comparison.finish()
}
