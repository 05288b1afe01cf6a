//! Reading any part of a compressed file.

pub(crate) mod damage;
pub(crate) mod error;
pub(crate) mod source;
#[cfg(feature = "safetensors")]
pub(crate) mod tensors;

use core::fmt;
use std::io::{Empty, Read, Seek, SeekFrom};
use std::vec::Vec;

pub use damage::Damage;
pub use error::ArchiveError;

use crate::chunk::decode::DecodeScratch;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::file::index::Directory;
use crate::file::seek::Seeker;
use crate::io::archive::source::{read_base_range, read_range};
use crate::limits::Limits;
#[cfg(feature = "safetensors")]
use crate::tensor::safetensors::metadata::Metadata;

/// A compressed file in which any part can be read without decoding the rest; with the feature
/// `safetensors`, tensor by tensor.
///
/// It reads from a file or, through [`std::io::Cursor`], from memory. It decodes only the chunks
/// that are needed, into the caller's memory where they fit there whole, and verifies every one of
/// them that has a checksum. It keeps the directory of the file in memory, 32 bytes a frame, and
/// what is read of one frame at a time. For sources that cannot block, such as HTTP ranges, there
/// is the [`Seeker`] beneath it.
///
/// ```
/// use std::io::{Cursor, Write};
/// use zipnn::{Archive, DType, Encoder, Limits, Options};
///
/// let data: Vec<u8> = (0..100_000_u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::F32))?;
/// encoder.write_all(&data)?;
/// let file = encoder.finish()?;
///
/// let mut archive = Archive::open(Cursor::new(&file), Limits::default())?;
/// let mut number = [0; 4];
/// archive.read_into(77_777 * 4, &mut number)?;
/// assert_eq!(f32::from_le_bytes(number), 77_777.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Self::open_delta`] opens a file that holds a difference, together with its base, and
/// [`Self::open_partial`] one that was cut off.
pub struct Archive<S, B = Empty> {
    source: S,
    base: Option<B>,
    seeker: Seeker,
    /// Why the file is incomplete, if it is.
    cut: Option<DecodeError>,
    /// Whether the file may be incomplete.
    #[cfg(feature = "safetensors")]
    is_partial: bool,
    scratch: DecodeScratch,
    /// What has been read last.
    bytes: Vec<u8>,
    /// The part of the base that goes with these bytes.
    base_part: Vec<u8>,
    /// Which tensors there are, once that has been asked.
    #[cfg(feature = "safetensors")]
    layout: Option<Metadata>,
}

impl<S: Read + Seek> Archive<S> {
    /// Finds the frames of the file that `source` reads from its beginning to its end.
    ///
    /// # Errors
    ///
    /// Errors of reading the source, and of [`Seeker::feed`].
    pub fn open(source: S, limits: Limits) -> Result<Self, ArchiveError> {
        Self::open_seeker(source, None, |file_len| Seeker::new(file_len, limits))
    }

    /// Opens a file whose end may be missing or damaged, such as an interrupted download.
    ///
    /// If [`Self::open`] would fail, this searches the frames from the front, up to the first that
    /// cannot be read. [`Self::cut`] then returns the reason, and [`Self::available_len`] how many
    /// bytes of the data can be read. Reading verifies them as in any other file: if the end of a
    /// frame is missing, and its checksums with it, none of its bytes are available.
    ///
    /// ```
    /// use std::io::Cursor;
    /// use zipnn::{Archive, DType, Limits, Options};
    /// use zipnn::io::EncoderBuilder;
    /// # use std::io::Write;
    ///
    /// let builder = EncoderBuilder::new(Options::new(DType::BF16)).frame_len(1000);
    /// let mut encoder = builder.build(Vec::new())?;
    /// encoder.write_all(&[7; 10_000])?;
    /// let mut file = encoder.finish()?;
    /// let fifth = Archive::open(Cursor::new(&file), Limits::default())?.directory().entries()[5];
    /// file.truncate(fifth.offset as usize + 1);
    ///
    /// assert!(Archive::open(Cursor::new(&file), Limits::default()).is_err());
    /// let mut archive = Archive::open_partial(Cursor::new(&file), Limits::default())?;
    /// assert!(archive.cut().is_some());
    /// assert_eq!(archive.available_len(), 5000);
    /// archive.read_into(4000, &mut [0; 1000])?;
    /// assert!(archive.read_into(4001, &mut [0; 1000]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Errors of reading the source, and of [`Seeker::feed`] for the first frame.
    pub fn open_partial(source: S, limits: Limits) -> Result<Self, ArchiveError> {
        Self::open_seeker(source, None, |file_len| Seeker::new(file_len, limits).partial(true))
    }
}

impl<S: Read + Seek, B: Read + Seek> Archive<S, B> {
    /// Opens a file that holds the difference to `base`.
    ///
    /// Reading takes only the needed parts of the file and of the base. The checksum of the whole
    /// base, which the file may have, is not verified: that would take reading all of it. Its
    /// length is, and so is the checksum of each chunk, which is one of the data: with another
    /// base, reading returns `ChecksumMismatch`. In a file without checksums, another base of the
    /// same length is not detected.
    ///
    /// ```
    /// use std::io::Cursor;
    /// use zipnn::{Archive, DType, Limits, Options, delta};
    ///
    /// let base = vec![0x3f; 10_000];
    /// let mut tuned = base.clone();
    /// tuned[1234] = 0x3e;
    /// let file = delta::compress(&tuned, &base, &Options::new(DType::BF16))?;
    ///
    /// let (file, base) = (Cursor::new(file), Cursor::new(base));
    /// let mut archive = Archive::open_delta(file, base, Limits::default())?;
    /// let mut bytes = [0; 2];
    /// archive.read_into(1233, &mut bytes)?;
    /// assert_eq!(bytes, [0x3f, 0x3e]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`Self::open`], errors of reading the base, `NotADelta` and `BaseLength`.
    pub fn open_delta(source: S, base: B, limits: Limits) -> Result<Self, ArchiveError> {
        let seeker = |file_len| Seeker::new(file_len, limits).delta(true);
        Self::open_seeker(source, Some(base), seeker)
    }

    /// Opens a file that holds the difference to `base` and whose end may be missing or damaged.
    ///
    /// See [`Self::open_delta`] and [`Self::open_partial`].
    ///
    /// # Errors
    ///
    /// The errors of [`Self::open_partial`], errors of reading the base, `NotADelta` and
    /// `BaseLength`.
    pub fn open_partial_delta(source: S, base: B, limits: Limits) -> Result<Self, ArchiveError> {
        let seeker = |file_len| Seeker::new(file_len, limits).delta(true).partial(true);
        Self::open_seeker(source, Some(base), seeker)
    }

    fn open_seeker(
        mut source: S,
        base: Option<B>,
        seeker: impl FnOnce(u64) -> Seeker,
    ) -> Result<Self, ArchiveError> {
        let file_len = source.seek(SeekFrom::End(0))?;
        let mut seeker = seeker(file_len);
        let mut bytes = Vec::new();
        while let Some(range) = seeker.wanted() {
            read_range(&mut source, range.start, range.end - range.start, &mut bytes)?;
            seeker.feed(&bytes)?;
        }
        let mut archive = Self {
            source,
            base,
            cut: seeker.cut(),
            #[cfg(feature = "safetensors")]
            is_partial: seeker.is_partial(),
            seeker,
            scratch: DecodeScratch::new(),
            bytes,
            base_part: Vec::new(),
            #[cfg(feature = "safetensors")]
            layout: None,
        };
        archive.check_base_len()?;
        Ok(archive)
    }

    /// Checks that the base is as long as the data; for an incomplete file, that it is long enough.
    fn check_base_len(&mut self) -> Result<(), ArchiveError> {
        let Some(base) = &mut self.base else { return Ok(()) };
        let found = base.seek(SeekFrom::End(0))?;
        let expected = self.seeker.available_len();
        if found < expected || self.cut.is_none() && found > expected {
            return Err(DecodeErrorKind::BaseLength { expected, found }.into());
        }
        Ok(())
    }

    /// Returns why the file is incomplete, or its end cannot be trusted; `None` if it is complete.
    ///
    /// Always `None` unless the file was opened with [`Self::open_partial`] or
    /// [`Self::open_partial_delta`]. A file without an index looks complete if it ends where a
    /// frame ends. With the data of a `.safetensors` file, [`Self::tensors`] detects that as well.
    pub fn cut(&self) -> Option<DecodeError> {
        self.cut
    }

    /// Returns how many bytes of the data can be read, counted from the first.
    pub fn available_len(&self) -> u64 {
        self.seeker.available_len()
    }

    /// Returns the decoded length in bytes; for an incomplete file, the decoded length of the
    /// frames that begin in it.
    pub fn decoded_len(&self) -> u64 {
        self.directory().decoded_len()
    }

    /// The frames of the file.
    pub fn directory(&self) -> &Directory {
        self.seeker.directory().unwrap_or(Directory::EMPTY)
    }

    /// Decodes the bytes from `offset` on, as many as `dst` holds.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the data ends before, the errors of the frames that hold it, and errors of
    /// reading the source and the base. For an incomplete file, the error that [`Self::cut`]
    /// returns.
    /// `dst` is then unspecified.
    pub fn read_into(&mut self, offset: u64, dst: &mut [u8]) -> Result<(), ArchiveError> {
        let end = offset.checked_add(dst.len() as u64).ok_or(DecodeErrorKind::OutOfRange)?;
        let mut rest = dst;
        for mut part in self.seeker.covering(offset..end)? {
            while let Some(range) = part.wanted() {
                let len = range.end - range.start;
                read_range(&mut self.source, range.start, len, &mut self.bytes)?;
                part.feed(&self.bytes)?;
            }
            // The parts cover no more than the range, whose length is that of `dst`.
            let (decoded, behind) = rest.split_at_mut(part.decoded_len() as usize);
            match read_base_range(self.base.as_mut(), &part, &mut self.base_part)? {
                Some(base) => part.decode_delta_into(base, decoded, &mut self.scratch)?,
                None => part.decode_into(decoded, &mut self.scratch)?,
            }
            rest = behind;
        }
        Ok(())
    }

    /// The source, wherever it stands.
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S, B> fmt::Debug for Archive<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("seeker", &self.seeker).finish_non_exhaustive()
    }
}
