//! The index of a frame: how each plane of each chunk is stored, and where.
//!
//! Both tables go plane by plane: a method for every chunk of the lowest plane, then for every
//! chunk of the next; and likewise where each chunk's part of the plane ends.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::chunk::decode::{Chunk, Method, Piece};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::format::{HEADER_LEN, SHORTEST_ZSTD_FRAME, method};
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::shape::Shape;
use crate::plane::MAX_PLANES;

/// Whether planes that are Zstandard frames can be decoded.
const HAS_ZSTD: bool = cfg!(feature = "zstd");

/// Bytes of an entry: the method, and the end as a u64.
pub(crate) const ENTRY_LEN: u64 = 9;

/// Header, shape and index of a frame, checked against each other: everything but the payload.
#[derive(Clone, Copy)]
pub struct FrameIndex<'a> {
    checked: CheckedIndex,
    shape: Option<Shape<'a>>,
    methods: &'a [u8],
    ends: &'a [[u8; 8]],
}

/// What is known of an index that has been checked, without its bytes: where those are owned and
/// may move, this and they together are the index again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckedIndex {
    header: Header,
    chunks: usize,
    /// Where the tables begin.
    tables_at: usize,
    /// Where in the frame the payload of each plane begins.
    plane_starts: [u64; MAX_PLANES],
    content_len: u64,
}

#[cfg(feature = "alloc")]
impl CheckedIndex {
    /// The frame's header.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the number of chunks.
    pub(crate) fn chunk_count(&self) -> usize {
        self.chunks
    }

    /// Returns the range of the slack, counted from where the frame begins.
    pub(crate) fn slack_range(&self) -> Range<u64> {
        self.content_len..self.header.frame_len
    }

    /// Returns the index with its bytes, exactly the ones that were checked.
    pub(crate) fn own(self, bytes: Vec<u8>) -> IndexBuf {
        IndexBuf { checked: self, bytes }
    }

    /// Returns the index again, from the bytes that were checked and any behind them.
    pub(crate) fn with_bytes(self, bytes: &[u8]) -> FrameIndex<'_> {
        let shape = Shape::from_checked(&bytes[..self.tables_at]);
        FrameIndex::from_checked(self, shape, bytes)
    }
}

impl fmt::Debug for FrameIndex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameIndex")
            .field("header", &self.checked.header)
            .field("shape", &self.shape)
            .field("chunks", &self.checked.chunks)
            .finish_non_exhaustive()
    }
}

impl<'a> FrameIndex<'a> {
    /// Reads header, shape and index from `bytes`, which may be cut behind them, and checks every
    /// entry once, so that nothing that is taken from it later can be out of range.
    ///
    /// # Errors
    ///
    /// What [`Header::parse`] finds; `Truncated`; `InvalidShape`; and, with chunk and plane,
    /// `UnsupportedMethod` and `InvalidIndex`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_behind(Header::parse(bytes)?, bytes)
    }

    /// Reads shape and index behind the header, which has been read from `bytes`.
    pub(crate) fn parse_behind(header: Header, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (shape, tables_at) = Shape::parse(bytes, header.form)?;
        let needed = prefix_len(&header, tables_at)?;
        let have = bytes.len() as u64;
        if have < needed {
            return Err(DecodeErrorKind::Truncated { needed, have }.into());
        }
        let checked = CheckedIndex {
            header,
            chunks: header.chunk_count() as usize,
            tables_at,
            plane_starts: [0; MAX_PLANES],
            content_len: needed,
        };
        let mut index = Self::from_checked(checked, shape, bytes);
        for plane in 0..header.layout().planes {
            let start = index.checked.content_len;
            let end = start.checked_add(index.check_plane(plane)?);
            index.checked.plane_starts[plane] = start;
            index.checked.content_len = end.ok_or(DecodeErrorKind::InvalidIndex)?;
        }
        if index.content_len() > header.frame_len {
            return Err(DecodeErrorKind::InvalidLength.into());
        }
        Ok(index)
    }

    /// The tables in `bytes`, which are known to hold them.
    fn from_checked(checked: CheckedIndex, shape: Option<Shape<'a>>, bytes: &'a [u8]) -> Self {
        let entries = checked.chunks * checked.header.layout().planes;
        let (methods, rest) = bytes[checked.tables_at..].split_at(entries);
        let ends = &rest.as_chunks().0[..entries];
        Self { checked, shape, methods, ends }
    }

    pub(crate) fn checked(&self) -> CheckedIndex {
        self.checked
    }

    /// Checks the entries of a plane and returns the length of its payload.
    fn check_plane(&self, plane: usize) -> Result<u64, DecodeError> {
        let layout = self.checked.header.layout();
        let mut start = 0;
        for chunk in 0..self.checked.chunks {
            let end = self.end(plane, chunk);
            let plane_len = layout.plane_len(self.chunk_decoded_len(chunk), plane);
            let code = self.methods[plane * self.checked.chunks + chunk];
            let stored = end.checked_sub(start);
            let fault = match (code, stored) {
                (method::RAW, Some(stored)) if stored == plane_len => None,
                (method::HUFFMAN, Some(stored)) if (1..=plane_len).contains(&stored) => {
                    // A code takes at least one bit.
                    let is_repeat = stored == 1;
                    (!is_repeat && plane_len / 8 > stored).then_some(DecodeErrorKind::CorruptStream)
                }
                (method::ZSTD, Some(stored)) if HAS_ZSTD && is_zstd(stored, plane_len) => None,
                (method::RAW | method::HUFFMAN, _) => Some(DecodeErrorKind::InvalidIndex),
                (method::ZSTD, _) if HAS_ZSTD => Some(DecodeErrorKind::InvalidIndex),
                _ => Some(DecodeErrorKind::UnsupportedMethod(code)),
            };
            if let Some(kind) = fault {
                return Err(DecodeError::from(kind).in_chunk(chunk as u64).in_plane(plane));
            }
            start = end;
        }
        Ok(start)
    }

    /// Where a chunk's part of a plane's payload ends, counted from where the plane begins.
    fn end(&self, plane: usize, chunk: usize) -> u64 {
        u64::from_le_bytes(self.ends[plane * self.checked.chunks + chunk])
    }

    fn chunk_decoded_len(&self, chunk: usize) -> u64 {
        let len = self.checked.header.chunk_len();
        len.min(self.checked.header.decoded_len - chunk as u64 * len)
    }

    /// The frame's header.
    pub fn header(&self) -> &Header {
        &self.checked.header
    }

    /// The shape, where the frame holds a tensor or an array.
    pub fn shape(&self) -> Option<Shape<'a>> {
        self.shape
    }

    /// Number of chunks.
    pub fn chunk_count(&self) -> usize {
        self.checked.chunks
    }

    /// Bytes of header, shape and index: where the payload begins.
    pub fn prefix_len(&self) -> u64 {
        self.checked.plane_starts[0]
    }

    /// Bytes of the frame that carry data. What follows up to the frame's length is slack.
    pub fn content_len(&self) -> u64 {
        self.checked.content_len
    }

    /// Returns whether a streaming decoder needs no more than a chunk of the payload at a time: a
    /// single plane is stored in the order in which it is decoded, and nothing behind it has to be
    /// verified first.
    pub(crate) fn is_chunk_by_chunk(&self, verify: bool) -> bool {
        let header = self.header();
        header.dtype.size() == 1 && (self.content_len() == header.frame_len || !verify)
    }

    /// The chunk of this number, if there is one.
    pub fn chunk(&self, chunk: usize) -> Option<Chunk> {
        (chunk < self.checked.chunks).then(|| {
            let layout = self.checked.header.layout();
            let mut pieces: [Piece; MAX_PLANES] = Default::default();
            for (plane, piece) in pieces[..layout.planes].iter_mut().enumerate() {
                let before = chunk.checked_sub(1).map_or(0, |before| self.end(plane, before));
                let start = self.checked.plane_starts[plane];
                *piece = Piece {
                    method: self.methods[plane * self.checked.chunks + chunk],
                    range: start + before..start + self.end(plane, chunk),
                };
            }
            Chunk { layout, len: self.chunk_decoded_len(chunk), pieces, checksum: None }
        })
    }

    /// All chunks in order.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = Chunk> + '_ {
        (0..self.checked.chunks).map(|chunk| self.chunk(chunk).expect("the number is in range"))
    }

    /// Plane space that the chunks of this frame need, in bytes.
    pub fn scratch_len(&self) -> u64 {
        self.chunks().map(|chunk| chunk.scratch_len()).max().unwrap_or_default()
    }

    /// How many planes of chunks are stored by each method.
    pub fn method_counts(&self) -> impl Iterator<Item = (Method, u64)> {
        let methods = [Method::Raw, Method::Repeat, Method::Huffman, Method::Zstd];
        let mut counts = methods.map(|method| (method, 0));
        for chunk in self.chunks() {
            for method in chunk.methods() {
                for (_, count) in counts.iter_mut().filter(|(name, _)| *name == method) {
                    *count += 1;
                }
            }
        }
        counts.into_iter()
    }
}

/// A [`FrameIndex`] that owns its bytes: for readers that take header and index from a file and the
/// payload as they need it.
///
/// ```
/// use zipnn::{DType, DecodeError, Options};
/// use zipnn::frame::{HEADER_LEN, Header, IndexBuf};
///
/// let file = zipnn::compress(&[7; 1000], &Options::new(DType::BF16))?;
/// let header = Header::parse(&file[..HEADER_LEN]).map_err(DecodeError::from)?;
/// let index = IndexBuf::read(header, file[..HEADER_LEN].to_vec(), |bytes, needed| {
///     bytes.extend_from_slice(&file[bytes.len()..needed as usize]);
///     Ok::<(), DecodeError>(())
/// })?;
/// assert_eq!(index.get().chunk_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone)]
pub struct IndexBuf {
    checked: CheckedIndex,
    bytes: Vec<u8>,
}

#[cfg(feature = "alloc")]
impl fmt::Debug for IndexBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(feature = "alloc")]
impl IndexBuf {
    /// Reads the index behind `header`, which has been read from the beginning of `bytes`.
    ///
    /// `fill` is called with the bytes so far and the length to which they are to be filled up from
    /// the file. How long the index is shows only while it is read, so it may be called often. The
    /// length comes from the file: it is never more than the header's `frame_len`, which may be a
    /// lie. If `fill` leaves the bytes shorter, the file is truncated.
    ///
    /// # Errors
    ///
    /// What [`FrameIndex::parse`] finds, and those of `fill`.
    pub fn read<E: From<DecodeError>>(
        header: Header,
        mut bytes: Vec<u8>,
        mut fill: impl FnMut(&mut Vec<u8>, u64) -> Result<(), E>,
    ) -> Result<Self, E> {
        loop {
            let error = match FrameIndex::parse_behind(header, &bytes) {
                Ok(index) => return Ok(Self { checked: index.checked(), bytes }),
                Err(error) => error,
            };
            let DecodeErrorKind::Truncated { needed, .. } = error.kind() else {
                return Err(error.into());
            };
            fill(&mut bytes, needed)?;
            let have = bytes.len() as u64;
            if have < needed {
                return Err(DecodeError::from(DecodeErrorKind::Truncated { needed, have }).into());
            }
        }
    }

    /// Returns the frame's header.
    pub fn header(&self) -> &Header {
        &self.checked.header
    }

    /// Returns the index.
    pub fn get(&self) -> FrameIndex<'_> {
        self.checked.with_bytes(&self.bytes)
    }

    /// Bytes of header, shape and index: where the payload begins.
    pub fn prefix_len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Checks an annex, which has been read from the same frame, against header, shape and index.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch`, or `InvalidAnnex` if there is not one checksum for each chunk.
    pub fn check_annex(&self, annex: &Annex<'_>) -> Result<(), DecodeErrorKind> {
        annex.check_prefix(&self.bytes, self.checked.chunks)
    }
}

/// Whether a plane of this length may be a Zstandard frame of so many bytes: there is no reason for
/// one that is not shorter.
fn is_zstd(stored: u64, plane_len: u64) -> bool {
    (SHORTEST_ZSTD_FRAME..plane_len).contains(&stored)
}

/// Bytes of header, shape and index, where the index begins at `start`.
fn prefix_len(header: &Header, start: usize) -> Result<u64, DecodeErrorKind> {
    let entries = header
        .chunk_count()
        .checked_mul(header.layout().planes as u64)
        .and_then(|entries| entries.checked_mul(ENTRY_LEN))
        .and_then(|tables| tables.checked_add(start as u64));
    // In memory or not, an index that is longer than its frame is never read.
    entries
        .filter(|&len| len <= header.frame_len && usize::try_from(len).is_ok())
        .ok_or(DecodeErrorKind::InvalidLength)
}

/// Bytes of the tables of `chunks` chunks.
pub(crate) fn tables_len(layout: crate::plane_layout::PlaneLayout, chunks: usize) -> usize {
    (ENTRY_LEN as usize * layout.planes).saturating_mul(chunks)
}

const _: () = assert!(HEADER_LEN == 32, "the format's header has 32 bytes");
