//! Reads any part of a compressed file.

use std::fmt;
#[cfg(feature = "safetensors")]
use std::ops::Range;
use std::pin::pin;
#[cfg(feature = "safetensors")]
use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use zipnn::file::Directory;
use zipnn::frame::DecodeScratch;
use zipnn::seek::Seeker;
#[cfg(feature = "safetensors")]
use zipnn::tensor::Metadata;
#[cfg(feature = "safetensors")]
use zipnn::typed::ElementBuf;
use zipnn::{ArchiveError, DecodeErrorKind, Limits};

use crate::fetch::{Groups, fetch, read_exact_at, read_suffix};
use crate::limiter::Limiter;
use crate::source::AsyncReadAt;

/// Reads any part of a compressed file from an asynchronous source, without fetching the rest.
///
/// Opening a file with an index usually takes one request. Each read fetches several ranges at the
/// same time, joins ranges that are close to each other, and decodes them in order as they arrive.
/// It holds up to [`Self::concurrency`] parts of at most 32 MiB in memory. Everything that has a
/// checksum is verified.
///
/// Dropping a future cancels its requests, and the archive stays usable.
///
/// ```
/// use bytes::Bytes;
/// use zipnn::{DType, Limits, Options};
/// use zipnn_async::Archive;
///
/// # futures_executor::block_on(async {
/// let data = [1, 2, 3, 4].repeat(1000);
/// let source = Bytes::from(zipnn::compress(&data, &Options::new(DType::F32))?);
///
/// let archive = Archive::open(source, Limits::default()).await?;
/// let mut bytes = [0; 4];
/// archive.read_into(400, &mut bytes).await?;
/// assert_eq!(bytes, [1, 2, 3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Archive<S> {
    source: S,
    seeker: Seeker,
    concurrency: usize,
    #[cfg(feature = "safetensors")]
    pub(crate) metadata: OnceLock<Metadata>,
}

impl<S: AsyncReadAt> Archive<S> {
    /// Opens a complete file and finds its frames.
    ///
    /// # Errors
    ///
    /// Errors of the source and of [`Seeker::feed`].
    pub async fn open(source: S, limits: Limits) -> Result<Self, ArchiveError> {
        let (suffix, file_len) = read_suffix(&source, Seeker::SUFFIX_LEN).await?;
        let mut seeker = Seeker::new(file_len, limits);
        seeker.feed_suffix(&suffix)?;
        Self::with_seeker(source, seeker).await
    }

    /// Opens a file with a seeker, which may or may not have found its frames yet.
    ///
    /// For files that were cut off, see [`Seeker::partial`]. Differences to a base are an error.
    ///
    /// # Errors
    ///
    /// Errors of the source and of [`Seeker::feed`].
    pub async fn with_seeker(source: S, mut seeker: Seeker) -> Result<Self, ArchiveError> {
        while let Some(range) = seeker.wanted() {
            seeker.feed(&read_exact_at(&source, range).await?)?;
        }
        Ok(Self::new(source, seeker))
    }

    /// Opens a file whose directory is known, without reading anything.
    ///
    /// # Errors
    ///
    /// `LimitExceeded`.
    pub fn with_directory(
        source: S,
        directory: Directory,
        limits: Limits,
    ) -> Result<Self, ArchiveError> {
        Ok(Self::new(source, Seeker::with_directory(directory, limits)?))
    }

    fn new(source: S, seeker: Seeker) -> Self {
        Self {
            source,
            seeker,
            concurrency: Self::DEFAULT_CONCURRENCY,
            #[cfg(feature = "safetensors")]
            metadata: OnceLock::new(),
        }
    }

    /// Fills `dst` with the decoded bytes at `offset`.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the data ends before `dst` is full, errors of the frames that contain the
    /// range, and errors of the source. After an error, the contents of `dst` are unspecified.
    pub async fn read_into(&self, offset: u64, dst: &mut [u8]) -> Result<(), ArchiveError> {
        let end = offset.checked_add(dst.len() as u64).ok_or(DecodeErrorKind::OutOfRange)?;
        let limiter = &Limiter::new(self.concurrency);
        let groups = Groups::new(self.seeker.covering::<Bytes>(offset..end)?);
        let fetches = groups.map(|group| fetch(&self.source, limiter, group));
        let mut fetched = pin!(stream::iter(fetches).buffered(self.concurrency));
        let mut scratch = DecodeScratch::new();
        let mut rest = dst;
        while let Some(parts) = fetched.next().await {
            for part in parts? {
                // The parts cover no more than the range, which is as long as `dst`.
                let (decoded, behind) = rest.split_at_mut(part.decoded_len() as usize);
                part.decode_into(decoded, &mut scratch)?;
                rest = behind;
            }
        }
        Ok(())
    }
}

#[cfg(feature = "safetensors")]
impl<S: AsyncReadAt> Archive<S> {
    /// Decodes the chunks that contain the beginning of a range, and returns their offset in the
    /// data with their bytes.
    pub(crate) async fn read_chunks(
        &self,
        range: Range<u64>,
    ) -> Result<(u64, Vec<u8>), ArchiveError> {
        let part = self.seeker.covering::<Bytes>(range.clone())?.next();
        let limiter = Limiter::new(self.concurrency);
        let fetched = fetch(&self.source, &limiter, part.into_iter().collect()).await?;
        let Some(mut part) = fetched.into_iter().next() else { return Ok((range.start, vec![])) };
        part.widen();
        let mut bytes = ElementBuf::<u8>::new(part.decoded_len())?;
        part.decode_into(bytes.as_bytes_mut(), &mut DecodeScratch::new())?;
        Ok((part.decoded_range().start, bytes.finish()?))
    }
}

impl<S> Archive<S> {
    /// Number of requests that a read makes at the same time by default.
    pub const DEFAULT_CONCURRENCY: usize = 8;

    /// Sets how many requests a read makes at the same time, at least one.
    #[must_use]
    pub fn concurrency(self, requests: usize) -> Self {
        Self { concurrency: requests.max(1), ..self }
    }

    /// Returns the decoded length in bytes.
    pub fn decoded_len(&self) -> u64 {
        self.directory().map_or(0, Directory::decoded_len)
    }

    /// Returns the positions of all frames.
    ///
    /// [`Self::with_directory`] opens the file again with them.
    pub fn directory(&self) -> Option<&Directory> {
        self.seeker.directory()
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

impl<S> fmt::Debug for Archive<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("seeker", &self.seeker)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
