//! The index of a frame: the method and the position of each plane of each chunk.
//!
//! It has two tables, methods and ends, both ordered by plane: the entries of all chunks for the
//! lowest plane come first, followed by the entries for the next plane. An end is the offset, in
//! the payload of a plane, at which the part of a chunk ends.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::base::Delta;
use crate::chunk::decode::{BaseUse, Chunk, Method, PlaneEntry};
use crate::chunk::records;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::format::{HAS_EXTENDED, HEADER_LEN, MAX_PIVOT_PLANE, SHORTEST_ZSTD_FRAME, method};
use crate::frame::annex::Annex;
use crate::frame::header::Header;
use crate::frame::shape::Shape;
use crate::plane::MAX_PLANES;

/// Whether this build decodes planes that are Zstandard frames.
const HAS_ZSTD: bool = cfg!(feature = "zstd");

/// The length of an entry in bytes: the method, and the end as a u64.
pub(crate) const ENTRY_LEN: u64 = 9;

/// Header, shape and index of a frame, checked against each other.
#[derive(Clone, Copy)]
pub struct FrameIndex<'a> {
    checked: CheckedIndex,
    shape: Option<Shape<'a>>,
    methods: &'a [u8],
    ends: &'a [[u8; 8]],
}

/// The results of checking an index, without the bytes of the index.
///
/// [`Self::with_bytes`] combines both again, so that the bytes can be stored and moved separately.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckedIndex {
    header: Header,
    chunks: usize,
    /// The offset of the tables in the frame.
    tables_at: usize,
    /// The offset of each plane's payload in the frame.
    plane_starts: [u64; MAX_PLANES],
    content_len: u64,
}

#[cfg(feature = "alloc")]
impl CheckedIndex {
    /// Returns the header.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the number of chunks.
    pub(crate) fn chunk_count(&self) -> usize {
        self.chunks
    }

    /// Returns the range of the slack, in bytes from the beginning of the frame.
    pub(crate) fn slack_range(&self) -> Range<u64> {
        self.content_len..self.header.frame_len
    }

    /// Combines the index with exactly the bytes that were checked.
    pub(crate) fn own(self, bytes: Vec<u8>) -> IndexBuf {
        IndexBuf { checked: self, bytes }
    }

    /// Combines the index with the bytes that were checked; other bytes may follow them.
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
    /// Parses header, shape and index at the beginning of a frame. `bytes` may end after them.
    ///
    /// It checks every entry, so no length or offset in the result is out of range.
    ///
    /// # Errors
    ///
    /// The errors of [`Header::parse`]; `Truncated`; `InvalidLength`; `UnsupportedMethod`,
    /// `InvalidIndex` and `CorruptStream`, which name chunk and plane.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::parse_behind(Header::parse(bytes)?, bytes)
    }

    /// Parses the shape and index after the header. `bytes` begins with the header.
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

    /// Returns the index in `bytes`, which must contain all of its tables.
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
            let base_use = self.base_use(chunk);
            let is_difference = self.checked.header.delta != Delta::None;
            let stored = end.checked_sub(start);
            let fault = match (code & !method::WITHOUT_BASE, stored) {
                _ if !is_difference && BaseUse::of(code) != BaseUse::Xor => {
                    Some(DecodeErrorKind::UnsupportedMethod(code))
                }
                _ if BaseUse::of(code) != base_use => Some(DecodeErrorKind::InvalidIndex),
                (method::PIVOT | method::DIFFERENCE | method::RECORDS | method::SCALES, _)
                    if !HAS_EXTENDED =>
                {
                    Some(DecodeErrorKind::UnsupportedMethod(code & !method::WITHOUT_BASE))
                }
                _ if is_scales(code) != is_scales(self.methods[chunk]) && !is_difference => {
                    Some(DecodeErrorKind::InvalidIndex)
                }
                (method::SCALES, Some(stored)) if !is_difference => {
                    (stored > plane_len).then_some(DecodeErrorKind::InvalidIndex)
                }
                (method::DIFFERENCE, Some(stored)) if base_use == BaseUse::Code => {
                    (stored > plane_len).then_some(DecodeErrorKind::InvalidIndex)
                }
                (method::RECORDS, Some(stored)) if layout.planes == 1 => {
                    let has_header = stored > records::HEADER_LEN as u64;
                    (!has_header || stored >= plane_len).then_some(DecodeErrorKind::InvalidIndex)
                }
                (method::RAW, Some(stored)) if stored == plane_len => None,
                (method::HUFFMAN, Some(stored)) if (1..=plane_len).contains(&stored) => {
                    // A codeword has at least one bit.
                    let is_repeat = stored == 1;
                    (!is_repeat && plane_len / 8 > stored).then_some(DecodeErrorKind::CorruptStream)
                }
                (method::ZSTD, Some(stored)) if HAS_ZSTD && is_zstd(stored, plane_len) => None,
                (method::PIVOT, Some(stored)) if is_pivot(stored, plane_len) => {
                    // A symbol takes at least one bit.
                    (plane_len / 8 > stored).then_some(DecodeErrorKind::CorruptStream)
                }
                (method::RAW | method::HUFFMAN | method::PIVOT, _) => {
                    Some(DecodeErrorKind::InvalidIndex)
                }
                (method::SCALES, None) if !is_difference => Some(DecodeErrorKind::InvalidIndex),
                (method::DIFFERENCE, _) if base_use == BaseUse::Code => {
                    Some(DecodeErrorKind::InvalidIndex)
                }
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

    /// Returns the offset, in the payload of a plane, at which the part of a chunk ends.
    fn end(&self, plane: usize, chunk: usize) -> u64 {
        u64::from_le_bytes(self.ends[plane * self.checked.chunks + chunk])
    }

    /// Returns how a chunk uses the base of a difference, according to its first plane.
    fn base_use(&self, chunk: usize) -> BaseUse {
        BaseUse::of(self.methods[chunk])
    }

    fn chunk_decoded_len(&self, chunk: usize) -> u64 {
        let len = self.checked.header.chunk_len();
        len.min(self.checked.header.decoded_len - chunk as u64 * len)
    }

    /// Returns the header.
    pub fn header(&self) -> &Header {
        &self.checked.header
    }

    /// Returns the shape if the frame contains a tensor or an array.
    pub fn shape(&self) -> Option<Shape<'a>> {
        self.shape
    }

    /// Returns the number of chunks.
    pub fn chunk_count(&self) -> usize {
        self.checked.chunks
    }

    /// Returns the length in bytes of header, shape and index, which is the offset of the payload.
    pub fn prefix_len(&self) -> u64 {
        self.checked.plane_starts[0]
    }

    /// Returns the length in bytes of header, shape, index and payload.
    ///
    /// The rest of the frame is slack.
    pub fn content_len(&self) -> u64 {
        self.checked.content_len
    }

    /// Returns the chunk with this number; `None` if there is no such chunk.
    pub fn chunk(&self, chunk: usize) -> Option<Chunk> {
        (chunk < self.checked.chunks).then(|| {
            let layout = self.checked.header.layout();
            let mut planes: [PlaneEntry; MAX_PLANES] = Default::default();
            for (plane, entry) in planes[..layout.planes].iter_mut().enumerate() {
                let before = chunk.checked_sub(1).map_or(0, |before| self.end(plane, before));
                let start = self.checked.plane_starts[plane];
                *entry = PlaneEntry {
                    method: self.methods[plane * self.checked.chunks + chunk]
                        & !method::WITHOUT_BASE,
                    range: start + before..start + self.end(plane, chunk),
                };
            }
            Chunk {
                layout,
                len: self.chunk_decoded_len(chunk),
                planes,
                base_use: self.base_use(chunk),
                checksum: None,
            }
        })
    }

    /// Returns all chunks in order.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = Chunk> + '_ {
        (0..self.checked.chunks).map(|chunk| self.chunk(chunk).expect("the number is in range"))
    }

    /// Returns the space for planes that decoding any chunk of this frame needs, in bytes.
    pub fn scratch_len(&self) -> u64 {
        self.chunks().map(|chunk| chunk.scratch_len()).max().unwrap_or_default()
    }

    /// Returns whether the original rejects the frame, because it uses the extended profile.
    pub fn is_extended(&self) -> bool {
        self.methods.iter().any(|&method| method > method::HUFFMAN)
    }

    /// Returns the number of stored planes of chunks for each method.
    pub fn method_counts(&self) -> impl Iterator<Item = (Method, u64)> {
        let methods = [
            Method::Raw,
            Method::Repeat,
            Method::Huffman,
            Method::Pivot,
            Method::Zstd,
            Method::Difference,
            Method::Records,
            Method::Scales,
        ];
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

/// A [`FrameIndex`] that owns its bytes.
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
    /// Reads the index after `header`, which has been parsed from the beginning of `bytes`.
    ///
    /// It calls `fill` with the bytes so far and the length that they must reach. The length of the
    /// prefix becomes known only while it is read, so there may be many calls. The length comes
    /// from the file and may be wrong. If `fill` leaves the bytes shorter, the file is truncated.
    ///
    /// # Errors
    ///
    /// The errors of [`FrameIndex::parse`] and of `fill`.
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

    /// Returns the length in bytes of header, shape and index, which is the offset of the payload.
    pub fn prefix_len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Checks the annex of the same frame against header, shape and index.
    ///
    /// # Errors
    ///
    /// `ChecksumMismatch`; `InvalidAnnex` if the number of checksums is not the number of chunks.
    pub fn check_annex(&self, annex: &Annex<'_>) -> Result<(), DecodeErrorKind> {
        annex.check_prefix(&self.bytes, self.checked.chunks)
    }
}

/// Returns whether the stored bytes of all planes of a chunk are one code of scales.
fn is_scales(code: u8) -> bool {
    code == method::SCALES
}

/// Returns whether `stored` is a valid length for the Zstandard frame of a plane.
///
/// An encoder writes a Zstandard frame only if it is shorter than the plane.
fn is_zstd(stored: u64, plane_len: u64) -> bool {
    (SHORTEST_ZSTD_FRAME..plane_len).contains(&stored)
}

/// Returns whether `stored` is a valid length for a pivot-coded plane.
///
/// Planes of more than [`MAX_PIVOT_PLANE`] bytes are not pivot-coded, so that decoders need little
/// memory.
fn is_pivot(stored: u64, plane_len: u64) -> bool {
    plane_len <= MAX_PIVOT_PLANE && (1..plane_len).contains(&stored)
}

/// Returns the length of header, shape and index, if the index begins at `start`.
fn prefix_len(header: &Header, start: usize) -> Result<u64, DecodeErrorKind> {
    let entries = header
        .chunk_count()
        .checked_mul(header.layout().planes as u64)
        .and_then(|entries| entries.checked_mul(ENTRY_LEN))
        .and_then(|tables| tables.checked_add(start as u64));
    // An index that is longer than its frame is invalid and must not be read.
    entries
        .filter(|&len| len <= header.frame_len && usize::try_from(len).is_ok())
        .ok_or(DecodeErrorKind::InvalidLength)
}

/// Returns the length in bytes of the tables of `chunks` chunks.
pub(crate) fn tables_len(layout: crate::plane_layout::PlaneLayout, chunks: usize) -> usize {
    (ENTRY_LEN as usize * layout.planes).saturating_mul(chunks)
}

const _: () = assert!(HEADER_LEN == 32, "the format's header has 32 bytes");
