//! A `.safetensors` file that is read, with tensors that may be compressed.

use std::fs::{self, File};
use std::io::{self, Write};

use zipnn::tensor::{Metadata, MetadataError, TensorError, TensorReader};
use zipnn::{DecodeErrorKind, Limits};

use crate::content::beginning;
use crate::fs::endpoint::Place;
use crate::fs::input::Input;
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// Longest tensor that is decoded at once, in bytes; of a longer one a part at a time, which many
/// threads make longer.
const PART_LEN: u64 = 4 << 20;
const CHUNK_LEN: u64 = 256 << 10;
const PART_LEN_OF_THREAD: u64 = 1 << 20;

/// A file of tensors that is read, and whose data may be decoded on several threads.
pub struct Source {
    place: Place,
    metadata: Option<fs::Metadata>,
    file_len: u64,
    pub reader: TensorReader<File>,
    /// Whether what is restored must be the source to the byte, where that can be known.
    pub verify: bool,
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
        let unverified = limits.verify(false);
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
        if beginning::is_znn(place) {
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

    /// Returns its length in bytes.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Returns its name.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the permissions and times for the result.
    pub fn metadata(&self) -> Option<&fs::Metadata> {
        self.metadata.as_ref()
    }

    /// Explains an error of reading it.
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
            Some(_) => "its metadata belong to another file: `zipnn repair` drops what is stale",
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
    pub fn restore(
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

    /// Checks frames as they are stored, where they have checksums of that: there may be bits that
    /// no decoder looks at.
    pub fn check_stored(&mut self) -> Result<(), Failure> {
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

pub fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
        Failure::new("threads", format_args!("cannot be started: {error}"))
            .hint("ask for fewer with --threads")
    })
}

/// Explains an error of reading a file of tensors.
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
        E::Metadata(error) => layout(place, &error),
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

/// Explains an error in the header of a file of tensors.
pub fn layout(place: &Place, error: &MetadataError) -> Failure {
    use MetadataError as E;
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
        E::HeaderTooLong { len } if *len <= Metadata::MAX_HEADER_LEN => {
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
