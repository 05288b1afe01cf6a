//! The annex of a frame: records in its slack, which the original's reader passes over. They carry
//! checksums, an index of the file, and what ties the frames of a file together.
//!
//! `docs/FORMAT.md` has the layout of every record.

use core::fmt;

use crate::base::BaseId;
use crate::checksum;
#[cfg(feature = "alloc")]
use crate::checksum::Hasher;
use crate::error::DecodeErrorKind;
use crate::format::{
    FOOTER_BODY_LEN, FOOTER_LEN, INDEX_COUNT_LEN, INDEX_ENTRY_LEN, RECORD_HEADER_LEN, kind,
};

/// Where the index of a file is: the last 32 bytes of a file that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Footer {
    /// Where in the file the last frame begins.
    pub last_frame: u64,
    /// Where in the file the body of the index begins.
    pub index: u64,
    /// Checksum of that body.
    pub index_checksum: u64,
}

impl Footer {
    /// Reads a footer with its record header, from the last bytes of a file. `None` if they are
    /// none.
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

/// What stands in front of the body of a record.
pub(crate) fn record_header(kind: u8, body_len: usize) -> [u8; RECORD_HEADER_LEN] {
    let mut header = [0; RECORD_HEADER_LEN];
    header[0] = kind;
    // Writers know what they write: no record of theirs has 4 GiB.
    header[4..].copy_from_slice(&(body_len as u32).to_le_bytes());
    header
}

/// Checksums of all of a frame but its data, and its place among the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameChecksum {
    /// Bytes that the frames before decode to.
    pub(crate) decoded_offset: u64,
    /// Of header, shape and index.
    prefix: u64,
    /// Of the payload.
    payload: u64,
    /// Of the annex up to this number.
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

/// The index of a file, where its last frame holds it.
#[derive(Clone, Copy)]
pub(crate) struct IndexRecord<'a> {
    pub(crate) body: &'a [u8],
    /// Bytes from where the body begins to the end of the frame.
    pub(crate) from_end: usize,
}

/// The records of a frame, as far as this crate knows their kinds; none where the slack holds
/// anything else.
#[derive(Clone, Copy, Default)]
pub struct Annex<'a> {
    checksums: Option<&'a [[u8; 8]]>,
    index: Option<IndexRecord<'a>>,
    footer: Option<Footer>,
    base: Option<BaseId>,
    sealed: bool,
    frame_checksum: Option<FrameChecksum>,
    /// What the checksum of the annex is of.
    checked: &'a [u8],
}

impl fmt::Debug for Annex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Annex")
            .field("checksums", &self.checksums.map(<[_]>::len))
            .field("index", &self.index.map(|index| index.body.len()))
            .field("footer", &self.footer)
            .field("base", &self.base)
            .field("sealed", &self.sealed)
            .field("frame_checksum", &self.frame_checksum)
            .finish()
    }
}

impl<'a> Annex<'a> {
    /// What it begins with; slack that does not is passed over.
    pub const MAGIC: [u8; 4] = *b"ZNX1";

    /// Reads the slack of a frame: all of it.
    ///
    /// # Errors
    ///
    /// `InvalidAnnex` if records do not fit, contradict the format, or come twice;
    /// `UnsupportedAnnex` if they are of a newer version.
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

    /// Takes a record, with which `so_far` ends. `None` if its body is malformed, if there was one
    /// of its kind, or if it stands behind the footer, which is the last of its file.
    fn record(
        &mut self,
        kind: u8,
        body: &'a [u8],
        (so_far, behind): (&'a [u8], &'a [u8]),
    ) -> Option<()> {
        /// Fills a place that is still empty.
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

    /// Checks the annex itself, and the header, shape and index in front of the payload, with which
    /// the frame begins.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch`; `InvalidAnnex` if there is not one checksum for each of the frame's
    /// `chunks`.
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

    /// Checks the payload as it is stored, if there is a checksum of it. Decoding does not need
    /// this: every chunk has a checksum of its own. But there may be bits that no decoder looks at,
    /// and a difference can be checked so without its base.
    #[cfg(feature = "alloc")]
    pub fn payload_check(&self) -> Option<PayloadCheck> {
        let expected = self.frame_checksum?.payload;
        Some(PayloadCheck { hasher: Hasher::default(), expected })
    }

    /// The checksum of a chunk's decoded bytes.
    pub fn checksum(&self, chunk: usize) -> Option<u64> {
        self.checksums?.get(chunk).copied().map(u64::from_le_bytes)
    }

    /// The checksums of the chunks' decoded bytes, in order; none at all if there are none.
    pub fn checksums(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.checksums.unwrap_or_default().iter().copied().map(u64::from_le_bytes)
    }

    /// Whether it holds checksums of the frame's chunks.
    pub fn has_checksums(&self) -> bool {
        self.checksums.is_some()
    }

    /// Which base a file needs that holds a difference. In the first frame.
    pub fn base(&self) -> Option<BaseId> {
        self.base
    }

    /// Whether the file promises to end with a footer. In the first frame.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Where the file's index is. In the last frame.
    pub fn footer(&self) -> Option<Footer> {
        self.footer
    }

    /// The file's index. In the last frame.
    pub(crate) fn index(&self) -> Option<IndexRecord<'a>> {
        self.index
    }

    pub(crate) fn frame_checksum(&self) -> Option<FrameChecksum> {
        self.frame_checksum
    }
}

/// What a frame's payload has to be, from [`Annex::payload_check`].
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

    /// Whether the bytes were those that the frame was written with.
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

/// The entries in the body of a file's index; `None` if their number is not the one that it gives.
pub(crate) fn index_entries(body: &[u8]) -> Option<&[[u8; INDEX_ENTRY_LEN]]> {
    let (count, entries) = body.split_first_chunk::<INDEX_COUNT_LEN>()?;
    let (entries, []) = entries.as_chunks() else { return None };
    (entries.len() as u64 == u64::from_le_bytes(*count)).then_some(entries)
}
