//! The annex of a frame: records in its slack, which the original ignores.
//!
//! The records contain checksums, the index of the file, and the position of the frame in the data.
//!
//! `docs/FORMAT.md` specifies every record.

use core::fmt;

use crate::base::BaseId;
#[cfg(feature = "alloc")]
use crate::base::map::BaseMap;
use crate::checksum;
#[cfg(feature = "alloc")]
use crate::checksum::Hasher;
use crate::error::DecodeErrorKind;
use crate::format::{
    FOOTER_BODY_LEN, FOOTER_LEN, HAS_EXTENDED, INDEX_COUNT_LEN, INDEX_ENTRY_LEN, RECORD_HEADER_LEN,
    kind,
};

/// The footer of a file, which contains the position of the index.
///
/// It is the last 32 bytes of a file with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Footer {
    /// The offset of the last frame in the file.
    pub last_frame: u64,
    /// The offset of the body of the index in the file.
    pub index: u64,
    /// The checksum of the body of the index.
    pub index_checksum: u64,
}

impl Footer {
    /// Parses a footer with its record header from the last bytes of a file.
    ///
    /// Returns `None` if they are not a footer.
    pub(crate) fn parse(bytes: &[u8; FOOTER_LEN]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk()?;
        let expected = record_header(kind::FOOTER, FOOTER_BODY_LEN);
        if *header != expected {
            return None;
        }
        Self::parse_body(body)
    }

    fn parse_body(body: &[u8]) -> Option<Self> {
        let (numbers, []) = body.as_chunks() else { return None };
        let [last_frame, index, index_checksum] =
            <[[u8; 8]; 3]>::try_from(numbers).ok()?.map(u64::from_le_bytes);
        Some(Self { last_frame, index, index_checksum })
    }
}

/// Returns the header of a record.
pub(crate) fn record_header(kind: u8, body_len: usize) -> [u8; RECORD_HEADER_LEN] {
    let mut header = [0; RECORD_HEADER_LEN];
    header[0] = kind;
    // No record that this crate writes reaches 4 GiB.
    header[4..].copy_from_slice(&(body_len as u32).to_le_bytes());
    header
}

/// Checksums of the stored parts of a frame, and the position of its data in the file's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameChecksum {
    /// The decoded length of the frames before this one, in bytes.
    pub(crate) decoded_offset: u64,
    /// The checksum of header, shape and index.
    prefix: u64,
    /// The checksum of the payload.
    payload: u64,
    /// The checksum of the annex before this field.
    annex: u64,
}

impl FrameChecksum {
    fn parse(body: &[u8]) -> Option<Self> {
        let (numbers, []) = body.as_chunks() else { return None };
        let [decoded_offset, prefix, payload, annex] =
            <[[u8; 8]; 4]>::try_from(numbers).ok()?.map(u64::from_le_bytes);
        Some(Self { decoded_offset, prefix, payload, annex })
    }
}

/// The index of a file, from the last frame of the file.
#[derive(Clone, Copy)]
pub(crate) struct IndexRecord<'a> {
    pub(crate) body: &'a [u8],
    /// The distance from the beginning of the body to the end of the frame, in bytes.
    pub(crate) from_end: usize,
}

/// The records in the annex of a frame.
///
/// Records of unknown kinds are ignored. A frame whose slack is not an annex has an empty annex.
#[derive(Clone, Copy, Default)]
pub struct Annex<'a> {
    checksums: Option<&'a [[u8; 8]]>,
    index: Option<IndexRecord<'a>>,
    footer: Option<Footer>,
    base: Option<BaseId>,
    base_map: Option<&'a [u8]>,
    sealed: bool,
    frame_checksum: Option<FrameChecksum>,
    /// The bytes that the checksum of the annex covers.
    checked: &'a [u8],
}

impl fmt::Debug for Annex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Annex")
            .field("checksums", &self.checksums.map(<[_]>::len))
            .field("index", &self.index.map(|index| index.body.len()))
            .field("footer", &self.footer)
            .field("base", &self.base)
            .field("base_map", &self.base_map.map(<[_]>::len))
            .field("sealed", &self.sealed)
            .field("frame_checksum", &self.frame_checksum)
            .finish()
    }
}

impl<'a> Annex<'a> {
    /// The first bytes of an annex. Slack without them is ignored.
    pub const MAGIC: [u8; 4] = *b"ZNX1";

    /// Parses the annex from the whole slack of a frame.
    ///
    /// # Errors
    ///
    /// `InvalidAnnex` if a record is malformed, repeated, or longer than the rest of the slack, or
    /// follows a footer; `UnsupportedAnnex` if a record has a newer form.
    pub fn parse(slack: &'a [u8]) -> Result<Self, DecodeErrorKind> {
        let mut annex = Self::default();
        let Some(mut rest) = slack.strip_prefix(&Self::MAGIC) else { return Ok(annex) };
        while let Some((header, behind)) = rest.split_first_chunk::<RECORD_HEADER_LEN>() {
            let &[kind, zeros @ .., l0, l1, l2, l3] = header;
            if zeros != [0; 3] {
                return Err(DecodeErrorKind::UnsupportedAnnex(kind));
            }
            let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            let (body, behind) =
                behind.split_at_checked(len).ok_or(DecodeErrorKind::InvalidAnnex)?;
            let so_far = slack.len() - behind.len();
            annex
                .record(kind, body, slack.split_at(so_far))
                .ok_or(DecodeErrorKind::InvalidAnnex)?;
            rest = behind;
        }
        if rest.is_empty() { Ok(annex) } else { Err(DecodeErrorKind::InvalidAnnex) }
    }

    /// Stores a record, which is the end of `so_far`.
    ///
    /// Returns `None` if its body is malformed, if its kind is repeated, or if it follows the
    /// footer, which must be the end of the file.
    fn record(
        &mut self,
        kind: u8,
        body: &'a [u8],
        (so_far, behind): (&'a [u8], &'a [u8]),
    ) -> Option<()> {
        /// Sets a field that has not been set before.
        fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
            place.replace(value).is_none().then_some(())
        }
        if self.footer.is_some() {
            return None;
        }
        match kind {
            kind::CHECKSUMS => match body.as_chunks() {
                (checksums, []) => once(&mut self.checksums, checksums),
                _ => None,
            },
            kind::INDEX => {
                let from_end = body.len() + behind.len();
                once(&mut self.index, IndexRecord { body, from_end })
            }
            kind::FOOTER => once(&mut self.footer, Footer::parse_body(body)?),
            kind::BASE => match body.as_chunks() {
                (&[len, checksum], []) => {
                    let [len, checksum] = [len, checksum].map(u64::from_le_bytes);
                    once(&mut self.base, BaseId { len, checksum })
                }
                _ => None,
            },
            kind::BASE_MAP => once(&mut self.base_map, body),
            kind::SEALED => {
                let is_new = !core::mem::replace(&mut self.sealed, true);
                (is_new && body.is_empty()).then_some(())
            }
            kind::FRAME_CHECKSUM => {
                self.checked = &so_far[..so_far.len() - size_of::<u64>()];
                once(&mut self.frame_checksum, FrameChecksum::parse(body)?)
            }
            _ => Some(()),
        }
    }

    /// Verifies the annex, and header, shape and index, which are `prefix`.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch`; `InvalidAnnex` if the number of checksums is not `chunks`, the number of
    /// chunks of the frame.
    pub(crate) fn check_prefix(&self, prefix: &[u8], chunks: usize) -> Result<(), DecodeErrorKind> {
        if self.checksums.is_some_and(|checksums| checksums.len() != chunks) {
            return Err(DecodeErrorKind::InvalidAnnex);
        }
        match self.frame_checksum {
            Some(expected)
                if !checksum::matches(self.checked, expected.annex)
                    || !checksum::matches(prefix, expected.prefix) =>
            {
                Err(DecodeErrorKind::ChecksumMismatch)
            }
            _ => Ok(()),
        }
    }

    /// Returns a check of the stored payload; `None` if the annex has no checksum of it.
    ///
    /// Decoding does not need this check, because every chunk has a checksum. The check also
    /// detects damage in bits that no decoder reads, and works for a difference without its base.
    #[cfg(feature = "alloc")]
    pub fn payload_check(&self) -> Option<PayloadCheck> {
        let expected = self.frame_checksum?.payload;
        Some(PayloadCheck { hasher: Hasher::default(), expected })
    }

    /// Returns the checksum of a chunk's data; `None` if the annex has none.
    pub fn checksum(&self, chunk: usize) -> Option<u64> {
        self.checksums?.get(chunk).copied().map(u64::from_le_bytes)
    }

    /// Returns the checksums of the chunks' data, in order; empty if the annex has none.
    pub fn checksums(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.checksums.unwrap_or_default().iter().copied().map(u64::from_le_bytes)
    }

    /// Returns whether the annex has checksums of the chunks' data.
    pub fn has_checksums(&self) -> bool {
        self.checksums.is_some()
    }

    /// Returns the base of a difference. Only the first frame of a file names it.
    pub fn base(&self) -> Option<BaseId> {
        self.base
    }

    /// Returns the files from which the base of a difference is assembled; `None` if the base is one
    /// file. Only the first frame of a file names them.
    ///
    /// # Errors
    ///
    /// `InvalidAnnex` if the record is malformed.
    #[cfg(feature = "alloc")]
    pub fn base_map(&self) -> Result<Option<BaseMap>, DecodeErrorKind> {
        let parse = |body| BaseMap::parse(body).ok_or(DecodeErrorKind::InvalidAnnex);
        self.base_map.filter(|_| HAS_EXTENDED).map(parse).transpose()
    }

    /// Returns whether the file must end with a footer. Only the first frame announces it.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Returns the footer of the file. Only the last frame has it.
    pub fn footer(&self) -> Option<Footer> {
        self.footer
    }

    /// Returns the index of the file. Only the last frame has it.
    pub(crate) fn index(&self) -> Option<IndexRecord<'a>> {
        self.index
    }

    pub(crate) fn frame_checksum(&self) -> Option<FrameChecksum> {
        self.frame_checksum
    }
}

/// Verifies the stored payload of a frame, part by part.
///
/// [`Annex::payload_check`] and
/// [`OpenedFrame::payload_check`](crate::frame::OpenedFrame::payload_check) return it.
///
/// ```
/// use zipnn::{DType, Options};
/// use zipnn::frame::Frame;
///
/// let file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16))?;
/// let frame = Frame::parse(&file)?;
/// let mut check = frame.annex().payload_check().expect("there are checksums");
/// check.update(frame.payload());
/// assert!(check.finish().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone)]
pub struct PayloadCheck {
    hasher: Hasher,
    expected: u64,
}

#[cfg(feature = "alloc")]
impl PayloadCheck {
    /// Takes the next bytes of the payload.
    pub fn update(&mut self, payload: &[u8]) {
        self.hasher.update(payload);
    }

    /// Checks that the bytes so far match the checksum of the payload.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch`.
    pub fn finish(self) -> Result<(), DecodeErrorKind> {
        if self.hasher.matches(self.expected) {
            Ok(())
        } else {
            Err(DecodeErrorKind::ChecksumMismatch)
        }
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for PayloadCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadCheck").field("expected", &self.expected).finish_non_exhaustive()
    }
}

/// Returns the entries in the body of a file's index; `None` if their number is wrong.
pub(crate) fn index_entries(body: &[u8]) -> Option<&[[u8; INDEX_ENTRY_LEN]]> {
    let (count, entries) = body.split_first_chunk::<INDEX_COUNT_LEN>()?;
    let (entries, []) = entries.as_chunks() else { return None };
    (entries.len() as u64 == u64::from_le_bytes(*count)).then_some(entries)
}
