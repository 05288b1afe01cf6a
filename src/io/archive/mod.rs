//! Reads any part of a compressed file.

pub(crate) mod damage;
pub(crate) mod error;
#[cfg(feature = "safetensors")]
mod listing;
mod scratch;
#[cfg(feature = "gpu")]
pub(crate) mod stored_part;
#[cfg(feature = "safetensors")]
pub(crate) mod tensors;

use core::fmt;
#[cfg(feature = "safetensors")]
use core::ops::Range;
use std::io::Empty;
#[cfg(feature = "safetensors")]
use std::sync::OnceLock;

pub use damage::Damage;
pub use error::ArchiveError;
#[cfg(feature = "gpu")]
pub use stored_part::StoredPart;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::index::Directory;
use crate::file::seek::{FramePart, Seeker};
#[cfg(feature = "safetensors")]
use crate::io::archive::listing::Listing;
use crate::io::archive::scratch::{Bytes, Pool, Scratch};
use crate::io::read_at::ReadAt;
use crate::limits::Limits;

/// Reads any part of a compressed file without decoding the rest.
///
/// With the feature `safetensors`, it also reads single tensors. All reads take `&self`, so threads
/// can share an archive. Each read uses its own scratch memory, which the archive keeps for later
/// reads.
///
/// The source is anything that implements [`ReadAt`]: a [`File`](std::fs::File), bytes in memory, a
/// memory map, or a mutex around any `Read + Seek`. An archive reads and decodes only the chunks
/// that contain the requested bytes, and verifies each chunk that has a checksum. It does not copy
/// compressed bytes that are in memory, and decodes whole chunks directly into the caller's memory.
///
/// The archive keeps the directory of the file in memory, 32 bytes for each frame. For HTTP ranges
/// and asynchronous sources, see [`Seeker`] and the crate `zipnn-async`.
///
/// ```
/// use std::io::Write;
/// use zipnn::{Archive, DType, Encoder, Limits, Options};
///
/// let data: Vec<u8> = (0..100_000_u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::F32))?;
/// encoder.write_all(&data)?;
/// let file = encoder.finish()?;
///
/// let archive = Archive::open(&file, Limits::default())?;
/// std::thread::scope(|scope| {
///     for thread in 0..4 {
///         let archive = &archive;
///         scope.spawn(move || {
///             let mut number = [0; 4];
///             archive.read_into(thread * 4000, &mut number).expect("the file is sound");
///             assert_eq!(f32::from_le_bytes(number), thread as f32 * 1000.0);
///         });
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// | constructor | opens |
/// |---|---|
/// | [`Self::open`] | a complete file |
/// | [`Self::open_partial`] | a file whose end may be missing |
/// | [`Self::open_delta`], [`Self::open_partial_delta`] | a difference, together with its base |
/// | [`Self::with_directory`] | a file whose directory is known, without reading it again |
/// | [`Self::with_seeker`], [`Self::with_seeker_delta`] | any of these, prepared with a [`Seeker`] |
pub struct Archive<S, B = Empty> {
    source: S,
    base: Option<B>,
    seeker: Seeker,
    pool: Pool,
    /// The tensors, after the first call that needs them.
    #[cfg(feature = "safetensors")]
    tensors: OnceLock<Listing>,
}

impl<S: ReadAt> Archive<S> {
    /// Opens a complete file and finds its frames.
    ///
    /// # Errors
    ///
    /// Errors of the source and of [`Seeker::feed`].
    pub fn open(source: S, limits: Limits) -> Result<Self, ArchiveError> {
        let file_len = source.size()?;
        Self::with_seeker(source, Seeker::new(file_len, limits))
    }

    /// Opens a file whose end may be missing or damaged, such as an interrupted download.
    ///
    /// If [`Self::open`] would fail, this searches the frames from the front, up to the first that
    /// cannot be read. [`Self::cut`] then returns the reason, and [`Self::available_len`] how many
    /// bytes of the data can be read. Reading verifies them as in any other file: if the end of a
    /// frame is missing, and its checksums with it, none of its bytes are available.
    ///
    /// ```
    /// use zipnn::{Archive, DType, Limits, Options};
    /// use zipnn::io::EncoderBuilder;
    /// # use std::io::Write;
    ///
    /// let builder = EncoderBuilder::new(Options::new(DType::BF16)).frame_len(1000);
    /// let mut encoder = builder.build(Vec::new())?;
    /// encoder.write_all(&[7; 10_000])?;
    /// let file = encoder.finish()?;
    /// let fifth = Archive::open(&file, Limits::default())?.directory().entries()[5];
    /// let cut = &file[..fifth.offset as usize + 1];
    ///
    /// assert!(Archive::open(cut, Limits::default()).is_err());
    /// let archive = Archive::open_partial(cut, Limits::default())?;
    /// assert!(archive.cut().is_some());
    /// assert_eq!(archive.available_len(), 5000);
    /// archive.read_into(4000, &mut [0; 1000])?;
    /// assert!(archive.read_into(4001, &mut [0; 1000]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Errors of the source, and of [`Seeker::feed`] for the first frame.
    pub fn open_partial(source: S, limits: Limits) -> Result<Self, ArchiveError> {
        let file_len = source.size()?;
        Self::with_seeker(source, Seeker::new(file_len, limits).partial(true))
    }

    /// Opens a file whose directory is known, without reading anything.
    ///
    /// Programs that store the directories of their files use this. Each frame is checked against
    /// the directory when it is read.
    ///
    /// ```
    /// use zipnn::{Archive, DType, Limits, Options};
    ///
    /// let file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16))?;
    /// let directory = Archive::open(&file, Limits::default())?.directory().clone();
    ///
    /// let archive = Archive::with_directory(&file, directory, Limits::default())?;
    /// archive.read_into(500, &mut [0; 10])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `LimitExceeded`.
    pub fn with_directory(
        source: S,
        directory: Directory,
        limits: Limits,
    ) -> Result<Self, ArchiveError> {
        Self::with_seeker(source, Seeker::with_directory(directory, limits)?)
    }

    /// Opens a file with a seeker, which may or may not have found its frames yet.
    ///
    /// A clone of the [`Self::seeker`] of one archive opens the same file again without reading it.
    ///
    /// # Errors
    ///
    /// Errors of the source and of [`Seeker::feed`]; `BaseRequired` if the seeker expects a
    /// difference.
    pub fn with_seeker(source: S, seeker: Seeker) -> Result<Self, ArchiveError> {
        if seeker.expects_delta() {
            return Err(DecodeErrorKind::BaseRequired.into());
        }
        Self::new(source, None, seeker)
    }
}

impl<S: ReadAt, B: ReadAt> Archive<S, B> {
    /// Opens a file that holds the difference to `base`.
    ///
    /// Reads take only the needed parts of the file and of the base. Opening checks the length of
    /// the base, but not its checksum, which would take reading all of it. Instead, each chunk has
    /// a checksum of its data: with another base, reads return `ChecksumMismatch`. In a file
    /// without checksums, another base of the same length is not detected.
    ///
    /// ```
    /// use zipnn::{Archive, DType, Limits, Options, delta};
    ///
    /// let base = vec![0x3f; 10_000];
    /// let mut tuned = base.clone();
    /// tuned[1234] = 0x3e;
    /// let file = delta::compress(&tuned, &base, &Options::new(DType::BF16))?;
    ///
    /// let archive = Archive::open_delta(file, base, Limits::default())?;
    /// let mut bytes = [0; 2];
    /// archive.read_into(1233, &mut bytes)?;
    /// assert_eq!(bytes, [0x3f, 0x3e]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`Self::open`], errors of the base, `NotADelta` and `BaseLength`.
    pub fn open_delta(source: S, base: B, limits: Limits) -> Result<Self, ArchiveError> {
        let file_len = source.size()?;
        Self::with_seeker_delta(source, base, Seeker::new(file_len, limits))
    }

    /// Opens a file that holds the difference to `base` and whose end may be missing or damaged.
    ///
    /// See [`Self::open_delta`] and [`Self::open_partial`].
    ///
    /// # Errors
    ///
    /// The errors of [`Self::open_partial`], errors of the base, `NotADelta` and `BaseLength`.
    pub fn open_partial_delta(source: S, base: B, limits: Limits) -> Result<Self, ArchiveError> {
        let file_len = source.size()?;
        Self::with_seeker_delta(source, base, Seeker::new(file_len, limits).partial(true))
    }

    /// Opens a file that holds the difference to `base`, with a seeker.
    ///
    /// See [`Self::with_seeker`]. This sets [`Seeker::delta`].
    ///
    /// # Errors
    ///
    /// The errors of [`Self::open_delta`].
    pub fn with_seeker_delta(source: S, base: B, seeker: Seeker) -> Result<Self, ArchiveError> {
        Self::new(source, Some(base), seeker.delta(true))
    }

    fn new(source: S, base: Option<B>, mut seeker: Seeker) -> Result<Self, ArchiveError> {
        let mut scratch = Scratch::default();
        while let Some(range) = seeker.wanted() {
            let bytes = scratch.read(&source, range)?;
            seeker.feed(bytes.as_ref())?;
            scratch.recycle([bytes]);
        }
        let archive = Self {
            source,
            base,
            seeker,
            pool: Pool::default(),
            #[cfg(feature = "safetensors")]
            tensors: OnceLock::new(),
        };
        archive.check_base_len()?;
        Ok(archive)
    }

    /// Checks that the base is as long as the data; for an incomplete file, that it is long enough.
    fn check_base_len(&self) -> Result<(), ArchiveError> {
        let Some(base) = &self.base else { return Ok(()) };
        let found = base.size()?;
        let expected = self.seeker.available_len();
        if found < expected || self.seeker.cut().is_none() && found > expected {
            return Err(DecodeErrorKind::BaseLength { expected, found }.into());
        }
        Ok(())
    }

    /// Fills `dst` with the decoded bytes at `offset`.
    ///
    /// Once the archive has read as much as this before, a read allocates no memory.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the data ends before `dst` is full, errors of the frames that contain the
    /// range, and errors of the source and the base. For an incomplete file, the error that
    /// [`Self::cut`] returns. After an error, the contents of `dst` are unspecified.
    pub fn read_into(&self, offset: u64, dst: &mut [u8]) -> Result<(), ArchiveError> {
        let end = offset.checked_add(dst.len() as u64).ok_or(DecodeErrorKind::OutOfRange)?;
        self.pool.with(|scratch| {
            let mut rest = dst;
            for mut part in self.seeker.covering::<Bytes<'_>>(offset..end)? {
                scratch.fill(&self.source, &mut part)?;
                // The parts cover no more than the range, which is as long as `dst`.
                let (decoded, behind) = rest.split_at_mut(part.decoded_len() as usize);
                self.decode_part(part, decoded, scratch)?;
                rest = behind;
            }
            Ok(())
        })
    }

    /// Decodes a part whose bytes have been read.
    fn decode_part<'a>(
        &'a self,
        part: FramePart<Bytes<'a>>,
        dst: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(), ArchiveError> {
        match scratch.base(self.base.as_ref(), &part)? {
            (Some(base), scratch) => part.decode_delta_into(base, dst, scratch)?,
            (None, scratch) => part.decode_into(dst, scratch)?,
        }
        scratch.recycle(part.into_bytes());
        Ok(())
    }
}

impl<S, B> Archive<S, B> {
    /// Returns an error if the data does not contain a range. Called before memory for the range is
    /// allocated.
    #[cfg(feature = "safetensors")]
    fn check_available(&self, range: &Range<u64>) -> Result<(), DecodeError> {
        self.seeker.covering::<&[u8]>(range.clone()).map(drop)
    }

    /// Returns why the file is incomplete or its end is damaged, or `None` if it is complete.
    ///
    /// Always `None` unless the file was opened with [`Self::open_partial`] or
    /// [`Self::open_partial_delta`]. A file without an index looks complete if it ends where a
    /// frame ends. With the data of a `.safetensors` file, [`Self::tensors`] detects that as well.
    pub fn cut(&self) -> Option<DecodeError> {
        #[cfg(feature = "safetensors")]
        if let Some(missing) = self.tensors.get().and_then(|tensors| tensors.missing) {
            return Some(missing);
        }
        self.seeker.cut()
    }

    /// Returns how many bytes of the data can be read, counted from the first.
    pub fn available_len(&self) -> u64 {
        self.seeker.available_len()
    }

    /// Returns the decoded length in bytes.
    ///
    /// For an incomplete file, this is the decoded length of the frames that begin in it.
    pub fn decoded_len(&self) -> u64 {
        self.directory().decoded_len()
    }

    /// Returns the positions of all frames.
    pub fn directory(&self) -> &Directory {
        self.seeker.directory().unwrap_or(Directory::EMPTY)
    }

    /// Returns the seeker that has found the frames.
    pub fn seeker(&self) -> &Seeker {
        &self.seeker
    }

    /// Returns the source.
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Returns the source, and drops the rest of the archive.
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S, B> fmt::Debug for Archive<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("seeker", &self.seeker).finish_non_exhaustive()
    }
}
