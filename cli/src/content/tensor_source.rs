//! Reading a `.safetensors` file whose tensors may be compressed.

use std::fs::{self, File};
use std::io::{self, Write};

use zipnn::tensor::inside::{TensorError, TensorReader};
use zipnn::tensor::{MetadataError, safetensors};
use zipnn::{DecodeErrorKind, Limits, Options};

use crate::content::beginning;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// Maximum length in bytes of a tensor that is decoded at once. Longer tensors are decoded in
/// parts.
const PART_LEN: u64 = 4 << 20;
/// Minimum length of a part for each thread.
const PART_LEN_PER_THREAD: u64 = 1 << 20;
/// Maximum length of a tensor for which waking another thread costs more than it saves: a chunk.
pub const CHUNK_LEN: u64 = Options::DEFAULT_CHUNK_LEN as u64;

/// A `.safetensors` file, opened for reading.
pub struct TensorSource {
    endpoint: Endpoint,
    metadata: Option<fs::Metadata>,
    file_len: u64,
    pub reader: TensorReader<File>,
    /// Whether decoding must restore the exact source, if the file records it.
    pub verify: bool,
}

impl TensorSource {
    /// Opens a file. Copies standard input to an anonymous file, because tensors are not read in
    /// order.
    pub fn open(endpoint: &Endpoint, limits: Limits) -> Result<Self, Failure> {
        Self::open_with(endpoint, |file| TensorReader::open(file, limits), limits.verify)
    }

    /// Opens a file whose end may be missing.
    pub fn open_partial(endpoint: &Endpoint) -> Result<Self, Failure> {
        let limits = Limits::default();
        Self::open_with(endpoint, |file| TensorReader::open_partial(file, limits), true)
    }

    /// Opens a file that may be damaged, to recover its readable part.
    pub fn open_damaged(endpoint: &Endpoint) -> Result<Self, Failure> {
        let limits = Limits::default();
        let unverified = limits.verify(false);
        let open = |file: File| match TensorReader::open_partial(file.try_clone()?, limits) {
            // The list of checksums is damaged.
            Err(TensorError::InvalidMetadata { .. }) => {
                TensorReader::open_partial(file, unverified)
            }
            opened => opened,
        };
        Self::open_with(endpoint, open, false)
    }

    fn open_with(
        endpoint: &Endpoint,
        open: impl FnOnce(File) -> Result<TensorReader<File>, TensorError>,
        verify: bool,
    ) -> Result<Self, Failure> {
        if beginning::is_znn(endpoint) {
            return Err(Failure::new(
                endpoint,
                "is compressed as a whole, and not a .safetensors file",
            )
            .hint("run `zipnn decompress` first"));
        }
        let input = Input::open(endpoint)?;
        let metadata = input.metadata().cloned();
        let unreadable = |error| Failure::reading(endpoint, error);
        let file = match endpoint.path() {
            Some(path) if input.is_seekable() => File::open(path).map_err(unreadable)?,
            _ => spool(input).map_err(unreadable)?,
        };
        let file_len = file.metadata().map_err(unreadable)?.len();
        let reader = open(file).map_err(|error| failure(endpoint, error))?;
        Ok(Self { endpoint: endpoint.clone(), metadata, file_len, reader, verify })
    }

    /// Returns the length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Returns the endpoint that was opened.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the permissions and times for the result.
    pub fn metadata(&self) -> Option<&fs::Metadata> {
        self.metadata.as_ref()
    }

    /// Returns the failure for an error of reading this file.
    pub fn failure(&self, error: TensorError) -> Failure {
        failure(&self.endpoint, error)
    }

    /// Returns an error if no tensor in the file is compressed.
    pub fn require_compressed(self) -> Result<Self, Failure> {
        if self.reader.is_compressed() {
            return Ok(self);
        }
        if let Some(cut) = self.reader.cut() {
            return Err(header_failure(&self.endpoint, cut));
        }
        let hint = match self.reader.list_problem() {
            Some(_) => "its metadata belong to another file: `zipnn repair` removes them",
            None => "it needs no decompression",
        };
        Err(Failure::new(&self.endpoint, "no tensor in it is compressed").hint(hint))
    }

    /// Returns an error if the file neither holds nor lists compressed tensors.
    pub fn require_list(self) -> Result<Self, Failure> {
        match self.reader.list_problem() {
            Some(_) => Ok(self),
            None => self.require_compressed(),
        }
    }

    /// Decodes the whole file, and passes its parts to `write` in order. Returns the decoded
    /// length.
    pub fn restore(
        &mut self,
        threads: usize,
        progress: &mut Progress,
        mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let pool = pool(threads)?;
        let restored = self.reader.restored_header().map_err(|error| self.failure(error))?;
        if self.reader.is_ours() && !restored.is_exact && self.verify {
            if let Some(oddity) = self.reader.metadata().oddities().next() {
                let message = format!("was changed after it was compressed: {oddity}");
                return Err(Failure::new(&self.endpoint, message).hint(
                    "fetch or copy it once more; `zipnn decompress --no-verify` restores the tensors \
                     with a new header",
                ));
            }
            return Err(Failure::new(
                &self.endpoint,
                "the stored header of its source belongs to other tensors",
            )
            .hint(
                "if a tool changed the file after it was compressed, `zipnn repair` removes the stale \
                 header; `zipnn decompress --no-verify` restores the tensors with a new header",
            ));
        }
        write(&restored.header)?;
        let mut decoded_len = restored.header.len() as u64;
        let mut decoded = Vec::new();
        for number in restored.order {
            decoded_len += self.reader.tensors()[number].decoded_len;
            if self.reader.tensors()[number].decoded_len <= PART_LEN {
                let read = match self.reader.tensors()[number].decoded_len {
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

    /// Decodes a tensor in parts.
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
        // The share of the stored bytes for this many decoded bytes.
        let share = |at: u64| (u128::from(stored_len) * u128::from(at) / u128::from(len)) as u64;
        let part_len = PART_LEN.max(PART_LEN_PER_THREAD * pool.current_num_threads() as u64);
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

    /// Verifies the checksums of stored frames, if they have any. These also cover bits that no
    /// decoder reads.
    pub fn check_stored(&mut self) -> Result<(), Failure> {
        for number in 0..self.reader.tensors().len() {
            self.reader.verify_stored(number).map_err(|error| self.failure(error))?;
        }
        Ok(())
    }
}

/// Copies a pipe to a file. Of data that cannot be a `.safetensors` file, and may have no end, copies
/// only the beginning.
fn spool(mut input: Input) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    const STEP: u64 = 1 << 20;
    let mut part = Vec::new();
    input.read_up_to(beginning::PEEK_LEN as u64, &mut part)?;
    let first = part.first_chunk();
    let is_copied = first.is_some_and(|first| beginning::begins_safetensors(*first));
    while !part.is_empty() {
        file.write_all(&part)?;
        part.clear();
        if is_copied {
            input.read_up_to(STEP, &mut part)?;
        }
    }
    Ok(file)
}

pub fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
        Failure::new("threads", format_args!("cannot be started: {error}"))
            .hint("use fewer threads with --threads")
    })
}

/// Returns the failure for an error of reading a `.safetensors` file.
pub fn failure(endpoint: &Endpoint, error: TensorError) -> Failure {
    use TensorError as E;
    match error {
        E::Io(error) => Failure::reading(endpoint, error),
        E::Decode { ref name, error } => {
            let failure = Failure::decoding(format_args!("{endpoint}: tensor {name:?}"), error);
            match error.kind() {
                DecodeErrorKind::ChecksumMissing => failure.hint(
                    "if a tool changed the file after it was compressed, `zipnn repair` removes \
                     stale metadata; otherwise the file is damaged: fetch or copy it once more, or \
                     recover the rest with zipnn decompress --no-verify",
                ),
                _ => failure,
            }
        }
        E::Metadata(error) => header_failure(endpoint, &error),
        E::InvalidMetadata { .. } | E::NotAFrame { .. } | E::Contradiction { .. } => Failure::new(
            endpoint, error,
        )
        .hint(
            "if a tool saved the file with the metadata of another one, `zipnn repair` removes them; \
             otherwise the file is damaged: fetch or copy it once more",
        ),
        error => Failure::new(endpoint, error),
    }
}

/// Returns the failure for an error in the header of a `.safetensors` file.
pub fn header_failure(endpoint: &Endpoint, error: &MetadataError) -> Failure {
    use MetadataError as E;
    let (is_tensors, hint) = match error {
        E::SharedBytes { .. } => {
            (true, "`zipnn compress` without --inside-safetensors accepts this file")
        }
        E::AmbiguousTensor { .. } => (
            true,
            "readers interpret such a file differently: save it again with the tool that wrote it; \
             `zipnn compress` without --inside-safetensors accepts it",
        ),
        E::MissingData { .. } => (
            true,
            "the file is not complete: fetch or copy it once more; if it holds compressed tensors, \
             zipnn ls lists complete ones, and zipnn decompress --no-verify recovers the rest",
        ),
        E::HeaderTooLong { len } if *len <= safetensors::MAX_HEADER_LEN => {
            (true, "the file ends within its header: fetch or copy it once more")
        }
        E::InvalidHeader { .. } | E::InvalidTensor { .. } => (
            false,
            "if other programs read it before, it is damaged: fetch or copy it once more; otherwise, save \
             it again with the tool that wrote it; `zipnn compress` without --inside-safetensors \
             accepts it",
        ),
        _ => (false, "if it should be one, it is damaged: fetch or copy it once more"),
    };
    match error {
        _ if is_tensors => Failure::new(endpoint, error),
        // The first bytes of another format, read as a length.
        E::HeaderTooLong { .. } => Failure::new(
            endpoint,
            "is not a .safetensors file: it does not begin with the header of one",
        ),
        _ => Failure::new(endpoint, format_args!("is not a .safetensors file: {error}")),
    }
    .hint(hint)
}
