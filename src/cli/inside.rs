//! Tensors compressed inside a `.safetensors` file: writing such files, and reading them.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use zipnn::safetensors::{
    self, Layout, LayoutError, Section, TensorError, TensorReader, TensorWriter, Verdict,
};
use zipnn::{DecodeErrorKind, Limits, Options};

use super::args::{Files, Verify};
use super::comparison::Comparison;
use super::decompress;
use super::failure::{Failure, say};
use super::input::Input;
use super::inside_salvage;
use super::names::{self, Direction, Form, Place};
use super::output::Output;
use super::progress::Progress;
use super::transfer::{self, Moved};
use super::units;

/// Bytes before a header's JSON, and with its first.
const LENGTH_LEN: usize = 8;
const PEEK_LEN: usize = LENGTH_LEN + 1;
/// Longest tensor that is decoded at once, in bytes; of a longer one a part at a time, which many
/// threads make longer.
const PART_LEN: u64 = 4 << 20;
const CHUNK_LEN: u64 = 256 << 10;
const PART_LEN_OF_THREAD: u64 = 1 << 20;

/// Whether a file begins as a `.safetensors` file does. A `.znn` file never does: taken for the
/// length of a header, its first bytes are a number that no file has bytes for.
pub fn is_safetensors(source: &Place) -> bool {
    const LONGEST: u64 = Layout::MAX_HEADER_LEN;
    let Some(first) = peek(source) else { return false };
    let [len @ .., json] = first;
    u64::from_le_bytes(len) <= LONGEST && may_begin_json(json)
}

/// Returns whether a file begins as a `.znn` file does. The length of a header can do so as well.
fn is_znn(source: &Place) -> bool {
    peek(source).is_some_and(|first| first.starts_with(b"ZN")) && !is_safetensors(source)
}

/// Returns whether the JSON of a header may begin with a byte: an object, or a blank before one.
pub fn may_begin_json(byte: u8) -> bool {
    matches!(byte, b'{' | b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns the first bytes of a file, without taking them from a pipe.
fn peek(source: &Place) -> Option<[u8; PEEK_LEN]> {
    let mut first = [0; PEEK_LEN];
    match source {
        // Something else than a file cannot be looked into without taking what is there.
        Place::Path(path) => {
            let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
            let mut file = if is_file { File::open(path).ok()? } else { return None };
            file.read_exact(&mut first).ok()?;
        }
        Place::Standard => {
            first = *io::stdin().lock().fill_buf().ok()?.first_chunk()?;
        }
    }
    Some(first)
}

/// A file of tensors that is read, and whose data may be decoded on several threads.
pub struct Source {
    place: Place,
    metadata: Option<Metadata>,
    file_len: u64,
    reader: TensorReader<File>,
    /// Whether what is restored must be the source to the byte, where that can be known.
    verify: bool,
}

impl Source {
    /// Opens a file; standard input by way of a nameless one, as tensors are not read in order.
    pub fn open(place: &Place, limits: Limits) -> Result<Self, Failure> {
        Self::open_with(place, |file| TensorReader::open(file, limits), limits.verify)
    }

    /// Opens a file whose end may be missing.
    pub fn open_partial(place: &Place) -> Result<Self, Failure> {
        let limits = Limits::default();
        Self::open_with(place, |file| TensorReader::open_partial(file, limits), true)
    }

    /// Opens a file that may be damaged, to save what is left of it.
    pub fn open_damaged(place: &Place) -> Result<Self, Failure> {
        let limits = Limits::default();
        let unverified = Limits { verify: false, ..limits };
        let open = |file: File| match TensorReader::open_partial(file.try_clone()?, limits) {
            // The checksums themselves are damaged.
            Err(TensorError::InvalidMetadata { .. }) => {
                TensorReader::open_partial(file, unverified)
            }
            opened => opened,
        };
        Self::open_with(place, open, false)
    }

    fn open_with(
        place: &Place,
        open: impl FnOnce(File) -> Result<TensorReader<File>, TensorError>,
        verify: bool,
    ) -> Result<Self, Failure> {
        if is_znn(place) {
            return Err(Failure::new(place, "is compressed as a whole, and no .safetensors file")
                .hint("`zipnn decompress` it first"));
        }
        let input = Input::open(place)?;
        let metadata = input.metadata().cloned();
        let failure = |error| Failure::reading(place, error);
        let file = match place.path() {
            Some(path) if input.is_seekable() => File::open(path).map_err(failure)?,
            _ => spool(input).map_err(failure)?,
        };
        let file_len = file.metadata().map_err(failure)?.len();
        let reader = open(file).map_err(|error| reading(place, error))?;
        Ok(Self { place: place.clone(), metadata, file_len, reader, verify })
    }

    /// The reader of its tensors.
    pub fn reader(&mut self) -> &mut TensorReader<File> {
        &mut self.reader
    }

    /// What it is called.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Permissions and times to pass on.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// An error of reading it, in words.
    pub fn failure(&self, error: TensorError) -> Failure {
        reading(&self.place, error)
    }

    /// Refuses a file in which nothing is to be decompressed.
    pub fn require_compressed(self) -> Result<Self, Failure> {
        if self.reader.is_compressed() {
            return Ok(self);
        }
        if let Some(cut) = self.reader.cut() {
            return Err(layout(&self.place, cut));
        }
        let hint = match self.reader.list_problem() {
            Some(_) => "its metadata are those of another file: `zipnn repair` drops what is stale",
            None => "nothing to decompress here",
        };
        Err(Failure::new(&self.place, "no tensor in it is compressed").hint(hint))
    }

    /// Refuses a file without compressed tensors that does not list any either.
    pub fn require_list(self) -> Result<Self, Failure> {
        match self.reader.list_problem() {
            Some(_) => Ok(self),
            None => self.require_compressed(),
        }
    }

    /// Decodes the whole file and hands over its parts in order. Returns their length.
    fn restore(
        &mut self,
        threads: usize,
        progress: &mut Progress,
        mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let pool = pool(threads)?;
        let restored = self.reader.restored().map_err(|error| self.failure(error))?;
        if self.reader.is_ours() && !restored.is_exact && self.verify {
            if let Some(oddity) = self.reader.layout().oddities().next() {
                let message = format!("has been changed since it was compressed: {oddity}");
                return Err(Failure::new(&self.place, message).hint(
                    "fetch or copy it once more; with --no-verify, `zipnn decompress` restores the \
                     tensors under another header",
                ));
            }
            return Err(Failure::new(
                &self.place,
                "the header of its source, which it carries, does not belong to these tensors",
            )
            .hint(
                "if a tool has changed the file since it was compressed, `zipnn repair` drops what \
                 is stale; with --no-verify, `zipnn decompress` restores the tensors under another \
                 header",
            ));
        }
        write(&restored.header)?;
        let mut decoded_len = restored.header.len() as u64;
        let mut decoded = Vec::new();
        for number in restored.order {
            decoded_len += self.reader.tensors()[number].decoded_len;
            if self.reader.tensors()[number].decoded_len <= PART_LEN {
                let read = match self.reader.tensors()[number].decoded_len {
                    // A chunk, for which no other thread is worth waking.
                    ..=CHUNK_LEN => self.reader.read(number, &mut decoded),
                    _ => pool.install(|| self.reader.par_read(number, &mut decoded)),
                };
                read.map_err(|error| self.failure(error))?;
                write(&decoded)?;
                let stored = &self.reader.tensors()[number].stored;
                progress.add(stored.end - stored.start);
            } else {
                self.restore_long(number, &pool, &mut decoded, progress, &mut write)?;
            }
        }
        Ok(decoded_len)
    }

    /// Decodes a tensor part by part.
    fn restore_long(
        &mut self,
        number: usize,
        pool: &rayon::ThreadPool,
        decoded: &mut Vec<u8>,
        progress: &mut Progress,
        write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let tensor = &self.reader.tensors()[number];
        let (len, stored_len) = (tensor.decoded_len, tensor.stored.end - tensor.stored.start);
        // The part of the stored bytes that goes with so many decoded ones.
        let share = |at: u64| (u128::from(stored_len) * u128::from(at) / u128::from(len)) as u64;
        let part_len = PART_LEN.max(PART_LEN_OF_THREAD * pool.current_num_threads() as u64);
        for start in (0..len).step_by(part_len as usize) {
            let end = len.min(start + part_len);
            decoded.resize((end - start) as usize, 0);
            pool.install(|| self.reader.par_read_part(number, start, decoded))
                .map_err(|error| self.failure(error))?;
            write(decoded)?;
            progress.add(share(end) - share(start));
        }
        Ok(())
    }
}

impl Source {
    /// Checks frames as they are stored, where they have checksums of that: there may be bits that no
    /// decoder looks at.
    fn check_stored(&mut self) -> Result<(), Failure> {
        for number in 0..self.reader.tensors().len() {
            self.reader.verify_stored(number).map_err(|error| self.failure(error))?;
        }
        Ok(())
    }
}

fn spool(mut input: Input) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    const STEP: u64 = 1 << 20;
    let mut part = Vec::new();
    while input.read_up_to(STEP, &mut part)? > 0 {
        file.write_all(&part)?;
        part.clear();
    }
    Ok(file)
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
        Failure::new("threads", format_args!("cannot be started: {error}"))
            .hint("ask for fewer with --threads")
    })
}

/// A file of tensors could not be read.
fn reading(place: &Place, error: TensorError) -> Failure {
    use TensorError as E;
    match error {
        E::Io(error) => Failure::reading(place, error),
        E::Decode { ref name, error } => {
            let failure = Failure::decoding(format_args!("{place}: tensor {name:?}"), error);
            match error.kind() {
                DecodeErrorKind::ChecksumMissing => failure.hint(
                    "a tool has changed the file since it was compressed, and `zipnn repair` drops \
                     what is stale; or the file is damaged: fetch or copy it once more, or save what \
                     is left with zipnn decompress --no-verify",
                ),
                _ => failure,
            }
        }
        E::Layout(error) => layout(place, &error),
        E::InvalidMetadata { .. } | E::NotAFrame { .. } | E::Contradiction { .. } => Failure::new(
            place, error,
        )
        .hint(
            "the file is damaged, and to be fetched or copied once more; or a tool has saved it \
                 with the metadata of another file, and `zipnn repair` drops them",
        ),
        error => Failure::new(place, error),
    }
}

/// A file does not have the header of a file of tensors, or one that does not serve.
pub fn layout(place: &Place, error: &LayoutError) -> Failure {
    use LayoutError as E;
    let (is_tensors, hint) = match error {
        E::SharedBytes { .. } => {
            (true, "`zipnn compress` without --inside-safetensors takes such a file as it is")
        }
        E::AmbiguousTensor { .. } => (
            true,
            "readers disagree on such a file: save it anew with the tool that made it; \
             `zipnn compress` without --inside-safetensors takes it as it is",
        ),
        E::MissingData { .. } => (
            true,
            "the file is not complete: fetch or copy it once more; if tensors are compressed in it, \
             zipnn ls lists which are complete, and zipnn decompress --no-verify saves what is left",
        ),
        E::HeaderTooLong { len } if *len <= Layout::MAX_HEADER_LEN => {
            (true, "the file ends within its header: fetch or copy it once more")
        }
        E::InvalidHeader { .. } | E::InvalidTensor { .. } => (
            false,
            "if it loaded before, it is damaged: fetch or copy it once more; if not, save it anew with \
             the tool that made it; `zipnn compress` without --inside-safetensors takes it as it is",
        ),
        _ => (false, "if it was one, it is damaged: fetch or copy it once more"),
    };
    match is_tensors {
        true => Failure::new(place, error),
        false => Failure::new(place, format_args!("is no .safetensors file: {error}")),
    }
    .hint(hint)
}

/// A file of tensors could not be written.
fn writing(place: &Place, source: &Place, error: TensorError) -> Failure {
    match error {
        TensorError::Io(error) => Failure::writing(place, error),
        TensorError::Layout(error) => layout(source, &error),
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
    transfer::check(place, &destination, files)?;
    let source = Source::open(place, Limits::default())?;
    if source.reader.is_compressed() {
        let hint = match (source.reader.is_list_lost(), source.reader.list_problem()) {
            (true, _) => "its list of compressed tensors is lost: `zipnn repair` makes a new one",
            (_, Some(_)) => "its list of compressed tensors is stale: `zipnn repair` mends it",
            (false, None) => "nothing to compress here",
        };
        return Err(Failure::new(place, "holds compressed tensors already").hint(hint));
    }
    let Source { metadata, file_len: read, reader, .. } = source;
    let mut output = Output::create(&destination, files.force)?;
    let mut progress = Progress::new(place.to_string(), Some(read), files.quiet);
    output.fill(|file| {
        let pool = pool(files.threads.count())?;
        let failure = |error| writing(&destination, place, error);
        let (mut source, header) = reader.into_parts();
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
    transfer::finish(output, place, metadata.as_ref(), files, |result, source| {
        compare(result, source, files)
    })?;
    transfer::show(&transfer::summary(place, &destination, &moved), files);
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
    transfer::check(place, &destination, files)?;
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
    let mut progress = Progress::new(place.to_string(), Some(source.file_len), files.quiet);
    let write = |decoded: &[u8]| output.write(decoded);
    let decoded_len = if verify {
        source.restore(files.threads.count(), &mut progress, write)?
    } else {
        let saved = inside_salvage::run(&mut source, &mut progress, write)?;
        if !saved.is_whole() {
            drop(progress);
            let failure = |destination: Option<&Place>| saved.failure(place, destination);
            let is_empty = saved.is_empty();
            return Err(decompress::keep(output, source.metadata(), files, failure, is_empty));
        }
        saved.len()
    };
    let (written, elapsed) = (output.len(), progress.elapsed());
    let (read, original) = (source.file_len, decoded_len);
    let moved = Moved { read, written, original, elapsed, warning: None };
    drop(progress);
    transfer::finish(output, place, source.metadata(), files, |result, source| {
        compare(source, result, files)
    })?;
    if !files.quiet {
        warn_of_stale_list(&source);
        warn_of_gaps(&source);
        warn_of_rotated(&mut source)?;
    }
    transfer::show(&transfer::summary(place, &destination, &moved), files);
    Ok(())
}

/// Says so if the list of compressed tensors does not fit the file.
fn warn_of_stale_list(source: &Source) {
    if let Some(problem) = source.reader.list_problem() {
        let place = &source.place;
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
        let place = &source.place;
        say(format_args!(
            "zipnn: {place}: warning: {len} bytes that belong to no tensor are left out"
        ));
    }
}

/// Says so if the original has stored some tensors wrong.
pub fn warn_of_rotated(source: &mut Source) -> Result<(), Failure> {
    if source.reader.is_ours() {
        return Ok(());
    }
    let found = safetensors::examine(&mut source.reader).map_err(|error| source.failure(error))?;
    let rotated = found.iter().filter(|one| one.verdict == Verdict::Rotated).count();
    if rotated > 0 {
        let place = &source.place;
        say(format_args!(
            "zipnn: {place}: warning: it seems that the original has stored {rotated} tensors with \
             their bits rotated; `zipnn repair` shows them, and mends the file"
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
    let mut progress = Progress::new(place.to_string(), Some(source.file_len), arguments.quiet);
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
    let mut progress = Progress::new("verifying".to_owned(), Some(source.file_len), files.quiet);
    source.restore(files.threads.count(), &mut progress, |decoded| comparison.push(decoded))?;
    comparison.finish()
}
