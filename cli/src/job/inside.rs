//! Compressing the tensors inside a `.safetensors` file, and decompressing and verifying such
//! files.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use zipnn::tensor::inside::{Section, TensorError, TensorWriter};
use zipnn::{Limits, Options};

use crate::args::{Files, Verify};
use crate::content::tensor_source::{self, TensorSource};
use crate::fs::endpoint::Endpoint;
use crate::fs::names::{Direction, Scope};
use crate::fs::output::Output;
use crate::job::commit::{self, Stats};
use crate::job::comparison::Comparison;
use crate::job::destination::destination;
use crate::repair::diagnosis::Verdict;
use crate::repair::examination::examine;
use crate::repair::inside_salvage;
use crate::report::failure::{Failure, say};
use crate::report::progress::Progress;
use crate::report::units;

/// Returns the failure for an error of [`TensorWriter`].
fn writing(endpoint: &Endpoint, source: &Endpoint, error: TensorError) -> Failure {
    match error {
        TensorError::Io(error) => Failure::writing(endpoint, error),
        TensorError::Metadata(error) => tensor_source::header_failure(source, &error),
        TensorError::Source(error) => Failure::reading(source, error),
        error @ TensorError::HeaderTooLong { .. } => {
            Failure::new(source, error).hint("compress it without --inside-safetensors")
        }
        error => Failure::new(source, error),
    }
}

/// Compresses the tensors inside a file.
pub fn compress(endpoint: &Endpoint, files: &Files, has_annexes: bool) -> Result<(), Failure> {
    let destination =
        destination(endpoint, files.output.as_deref(), Direction::Compress, Scope::Tensors)?;
    commit::check(endpoint, &destination, files)?;
    let source = TensorSource::open(endpoint, Limits::default())?;
    if source.reader.is_compressed() {
        let hint = match (source.reader.is_list_lost(), source.reader.list_problem()) {
            (true, _) => {
                "its list of compressed tensors is missing: `zipnn repair` writes a new one"
            }
            (_, Some(_)) => {
                "its list of compressed tensors is stale: `zipnn repair` writes a new one"
            }
            (false, None) => "it needs no compression",
        };
        return Err(Failure::new(endpoint, "already holds compressed tensors").hint(hint));
    }
    let (metadata, read) = (source.metadata().cloned(), source.file_len());
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(endpoint.to_string(), Some(read), files.quiet);
    output.fill(|file| {
        let pool = tensor_source::pool(files.threads.count())?;
        let failure = |error| writing(&destination, endpoint, error);
        let (mut source, header) = source.reader.into_parts();
        // Drops the reader's list of tensors before the writer allocates its own.
        let data_len = read.saturating_sub(header.len() as u64);
        let writer = TensorWriter::new(&mut *file, &header, data_len).map_err(failure)?;
        drop(header);
        let writer = writer.checksums(has_annexes);
        write_tensors(writer, &mut source, has_annexes, &pool, &mut progress).map_err(failure)?;
        let written = file.metadata().map_err(|error| failure(error.into()))?.len();
        check_growth(endpoint, read, written, files.force)
    })?;
    let (written, elapsed) = (output.len(), progress.elapsed());
    let stats = Stats { read, written, original: read, elapsed, warning: None };
    drop(progress);
    commit::finish(output, endpoint, metadata.as_ref(), files, |result, source| {
        compare(result, source, files)
    })?;
    commit::show(&commit::summary(endpoint, &destination, &stats), files);
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
            // Waking another thread costs more than compressing one chunk.
            ..=tensor_source::CHUNK_LEN => writer.write_from(&mut data, options.as_ref())?,
            _ => pool.install(|| writer.par_write_from(&mut data, options.as_ref()))?,
        }
        progress.add(len);
    }
    writer.finish().map(drop)
}

/// Returns an error if a result is larger than its source; with `--force`, prints a warning.
fn check_growth(endpoint: &Endpoint, read: u64, written: u64, force: bool) -> Result<(), Failure> {
    if written <= read {
        return Ok(());
    }
    let growth = format!(
        "compressing its tensors inside makes the file larger: {written} bytes instead of {read}"
    );
    let advice = "compress it without --inside-safetensors: a .znn file suits small tensors better";
    if force {
        say(format_args!("zipnn: {endpoint}: warning: {growth}; {advice}"));
        return Ok(());
    }
    Err(Failure::new(endpoint, growth).hint(format_args!("{advice}; or write it with --force")))
}

/// Decompresses a file in which tensors are compressed.
pub fn decompress(endpoint: &Endpoint, files: &Files, verify: bool) -> Result<(), Failure> {
    let destination =
        destination(endpoint, files.output.as_deref(), Direction::Decompress, Scope::Tensors)?;
    commit::check(endpoint, &destination, files)?;
    if files.delta.is_some() {
        return Err(Failure::usage(endpoint, "holds compressed tensors, not a difference")
            .hint("leave out --delta"));
    }
    let source = match verify {
        true => TensorSource::open(endpoint, Limits::default())?,
        false => TensorSource::open_damaged(endpoint)?,
    };
    let mut source = source.require_compressed()?;
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(endpoint.to_string(), Some(source.file_len()), files.quiet);
    let write = |decoded: &[u8]| output.write(decoded);
    let decoded_len = if verify {
        source.restore(files.threads.count(), &mut progress, write)?
    } else {
        let saved = inside_salvage::run(&mut source, &mut progress, write)?;
        if !saved.is_whole() {
            drop(progress);
            let failure = |destination: Option<&Endpoint>| saved.failure(endpoint, destination);
            let is_empty = saved.is_empty();
            return Err(commit::keep_partial(output, source.metadata(), files, failure, is_empty));
        }
        saved.len()
    };
    let (written, elapsed) = (output.len(), progress.elapsed());
    let (read, original) = (source.file_len(), decoded_len);
    let stats = Stats { read, written, original, elapsed, warning: None };
    drop(progress);
    commit::finish(output, endpoint, source.metadata(), files, |result, source| {
        compare(source, result, files)
    })?;
    if !files.quiet {
        warn_of_stale_list(&source);
        warn_of_gaps(&source);
        warn_of_rotated(&mut source)?;
    }
    commit::show(&commit::summary(endpoint, &destination, &stats), files);
    Ok(())
}

/// Warns if the list of compressed tensors does not match the file.
fn warn_of_stale_list(source: &TensorSource) {
    if let Some(problem) = source.reader.list_problem() {
        let endpoint = source.endpoint();
        say(format_args!(
            "zipnn: {endpoint}: warning: {problem}; every tensor that is a frame was decompressed"
        ));
    }
}

/// Warns if the result lacks bytes of the file that belong to no tensor.
fn warn_of_gaps(source: &TensorSource) {
    let gaps = source.reader.tensors().iter().filter(|tensor| tensor.is_gap);
    let len: u64 = gaps.map(|gap| gap.decoded_len).sum();
    if len > 0 {
        let endpoint = source.endpoint();
        say(format_args!(
            "zipnn: {endpoint}: warning: {} outside of all tensors left out",
            units::count(len, "byte")
        ));
    }
}

/// Warns if the original stored some tensors with rotated bits.
pub fn warn_of_rotated(source: &mut TensorSource) -> Result<(), Failure> {
    if source.reader.is_ours() {
        return Ok(());
    }
    let found = examine(&mut source.reader).map_err(|error| source.failure(error))?;
    let rotated = found.iter().filter(|one| one.verdict == Verdict::Rotated).count();
    if rotated > 0 {
        let endpoint = source.endpoint();
        say(format_args!(
            "zipnn: {endpoint}: warning: the original seems to have stored {} with \
             rotated bits; `zipnn repair` lists and repairs them",
            units::count(rotated as u64, "tensor")
        ));
    }
    Ok(())
}

/// Verifies a file in which tensors are compressed, and prints the result.
pub fn verify(endpoint: &Endpoint, arguments: &Verify) -> Result<(), Failure> {
    if arguments.delta.is_some() {
        return Err(Failure::usage(endpoint, "holds compressed tensors, not a difference")
            .hint("leave out --delta"));
    }
    let failure = |failure: Failure| failure.details(inside_salvage::damage(endpoint));
    let mut source =
        TensorSource::open(endpoint, Limits::default()).map_err(failure)?.require_list()?;
    // With a stale list, the stored header of the source is stale as well.
    source.verify &= source.reader.list_problem().is_none();
    let mut progress =
        Progress::new(endpoint.to_string(), Some(source.file_len()), arguments.quiet);
    let decoded_len = source
        .restore(arguments.threads.count(), &mut progress, |_| Ok(()))
        .and_then(|decoded_len| source.check_stored().map(|()| decoded_len));
    drop(progress);
    let decoded_len = decoded_len.map_err(failure)?;
    if arguments.quiet {
        return Ok(());
    }
    let note = match (source.reader.is_list_lost(), source.reader.list_problem()) {
        (true, _) => {
            "; its list of compressed tensors is missing, and `zipnn repair` writes a new one"
                .to_owned()
        }
        (false, Some(problem)) => {
            format!("; {problem}; `zipnn repair` removes stale metadata")
        }
        (false, None) => String::new(),
    };
    let checks = match source.reader.has_checksums() {
        true => "; all checksums match",
        false => "; it decodes, but has no checksums",
    };
    writeln!(io::stdout(), "{endpoint}: sound, {}{checks}{note}", units::bytes(decoded_len))
        .map_err(|error| Failure::writing("-", error))
}

/// Returns an error unless a file with compressed tensors decodes to exactly the bytes of `plain`.
pub fn compare(compressed: &Path, plain: &Path, files: &Files) -> Result<(), Failure> {
    let mut comparison = Comparison::open(compressed, plain)?;
    let mut source = TensorSource::open(&Endpoint::Path(compressed.to_owned()), Limits::default())?;
    let mut progress = Progress::new("verifying".to_owned(), Some(source.file_len()), files.quiet);
    source.restore(files.threads.count(), &mut progress, |decoded| comparison.push(decoded))?;
    comparison.finish()
}
