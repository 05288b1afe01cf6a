//! Decoding a chunk.

use core::ops::Range;

use crate::checksum;
#[cfg(feature = "zstd")]
use crate::chunk::zstd;
use crate::entropy::huffman::decode::Coded;
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::entropy::huffman::table::choice::Table;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::format::method;
use crate::plane::{self, MAX_PLANES};
use crate::plane_layout::PlaneLayout;

/// How a plane of a chunk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// As it is.
    Raw,
    /// As one byte that repeats.
    Repeat,
    /// As Huffman codes.
    Huffman,
    /// As a Zstandard frame, which the original refuses. Only with the feature `zstd` is it anything
    /// but an error.
    Zstd,
}

/// What a decoder needs besides input and output: a table, and space for planes.
///
/// Both belong to the caller, so that decoding allocates nothing, unless a plane is a Zstandard
/// frame: then it does, but for what a [`DecodeScratch`] keeps. How much space a frame needs,
/// [`Frame::scratch_len`](crate::Frame::scratch_len) tells; it is never more than the decoded
/// length of a chunk. Where memory is short the table is a [`SmallTable`](crate::SmallTable).
#[derive(Debug)]
pub struct Scratch<'a, T = DecodeTable> {
    decoders: Decoders<'a, T>,
    planes: &'a mut [u8],
}

/// What planes are decoded with.
#[derive(Debug)]
struct Decoders<'a, T> {
    table: &'a mut T,
    /// Made when it is needed where it is not here.
    #[cfg(feature = "zstd")]
    zstd: Option<&'a mut zstd::Decoder>,
}

impl<'a, T: Table> Scratch<'a, T> {
    /// Scratch from its parts.
    pub fn new(table: &'a mut T, planes: &'a mut [u8]) -> Self {
        let decoders = Decoders {
            table,
            #[cfg(feature = "zstd")]
            zstd: None,
        };
        Self { decoders, planes }
    }
}

/// Scratch that owns its memory and grows with what it is used for.
#[cfg(feature = "alloc")]
#[derive(Default)]
pub struct DecodeScratch {
    table: alloc::boxed::Box<DecodeTable>,
    planes: alloc::vec::Vec<u8>,
    /// A decoded chunk of which a caller wants only a part.
    pub(crate) chunk: alloc::vec::Vec<u8>,
    #[cfg(feature = "zstd")]
    zstd: zstd::Decoder,
}

#[cfg(feature = "alloc")]
impl core::fmt::Debug for DecodeScratch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DecodeScratch").field("len", &self.planes.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "alloc")]
impl DecodeScratch {
    /// Scratch without plane space.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scratch with at least `len` bytes of plane space.
    pub fn with_len(&mut self, len: u64) -> Result<Scratch<'_>, DecodeError> {
        let planes = crate::try_alloc::at_least(&mut self.planes, len)?;
        let decoders = Decoders {
            table: &mut *self.table,
            #[cfg(feature = "zstd")]
            zstd: Some(&mut self.zstd),
        };
        Ok(Scratch { decoders, planes })
    }
}

/// A plane of a chunk as the index describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Piece {
    /// A code from [`method`].
    pub(crate) method: u8,
    /// Where in the frame it is stored.
    pub(crate) range: Range<u64>,
}

/// Where the planes of a chunk are stored, and how. Comes from a validated index, and is all that
/// is needed to decode the chunk once its bytes are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub(crate) layout: PlaneLayout,
    pub(crate) len: u64,
    pub(crate) pieces: [Piece; MAX_PLANES],
    pub(crate) checksum: Option<u64>,
}

impl Chunk {
    /// Bytes that it decodes to. Never zero.
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Number of planes: the length of what [`Self::plane_ranges`] yields.
    pub fn plane_count(&self) -> usize {
        self.layout.planes
    }

    /// Where in the frame each plane is stored, as byte offsets from the frame's beginning.
    pub fn plane_ranges(&self) -> impl ExactSizeIterator<Item = Range<u64>> + '_ {
        self.pieces[..self.layout.planes].iter().map(|piece| piece.range.clone())
    }

    /// How each plane is stored.
    pub fn methods(&self) -> impl ExactSizeIterator<Item = Method> + '_ {
        (0..self.layout.planes).map(|plane| {
            let stored = self.stored_len(plane);
            match self.pieces[plane].method {
                method::HUFFMAN if stored == self.layout.plane_len(self.len, plane) => Method::Raw,
                method::HUFFMAN if stored == 1 => Method::Repeat,
                method::HUFFMAN => Method::Huffman,
                method::ZSTD => Method::Zstd,
                _ => Method::Raw,
            }
        })
    }

    fn stored_len(&self, plane: usize) -> u64 {
        let range = &self.pieces[plane].range;
        range.end - range.start
    }

    /// Plane space that [`Self::decode`] needs, in bytes.
    pub fn scratch_len(&self) -> u64 {
        if self.layout.planes == 1 {
            return 0;
        }
        self.methods()
            .enumerate()
            .filter(|(_, method)| matches!(method, Method::Huffman | Method::Zstd))
            .map(|(plane, _)| self.layout.plane_len(self.len, plane))
            .sum()
    }

    /// The checksum that decoding verifies, if there is one.
    pub fn checksum(&self) -> Option<u64> {
        self.checksum
    }

    /// The chunk with the checksum from an [`Annex`](crate::Annex), or without any.
    #[must_use]
    pub fn with_checksum(self, checksum: Option<u64>) -> Self {
        Self { checksum, ..self }
    }

    /// Decodes the chunk. `stored` holds the bytes of [`Self::plane_ranges`] in their order, `dst`
    /// has exactly the chunk's length.
    ///
    /// # Errors
    ///
    /// Names the plane. `OutputTooSmall` if `dst` has another length, `Truncated` if a plane has
    /// another length than its range, `ScratchTooSmall`, or what is wrong with the coded data;
    /// `ChecksumMismatch`.
    pub fn decode(
        &self,
        stored: &[&[u8]],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        self.decode_stored(stored, dst, scratch)?;
        self.verify(dst)
    }

    /// Decodes the chunk of a file that holds a difference, and undoes the difference to `base`:
    /// as many bytes of it as the chunk has, from the same place. The checksum is of the data.
    ///
    /// # Errors
    ///
    /// As [`Self::decode`], and `BaseLength`.
    pub fn decode_delta(
        &self,
        stored: &[&[u8]],
        base: &[u8],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        let (expected, found) = (self.len, base.len() as u64);
        if expected != found {
            return Err(DecodeErrorKind::BaseLength { expected, found }.into());
        }
        self.decode_stored(stored, dst, scratch)?;
        for (byte, base) in dst.iter_mut().zip(base) {
            *byte ^= base;
        }
        self.verify(dst)
    }

    fn verify(&self, decoded: &[u8]) -> Result<(), DecodeError> {
        match self.checksum {
            Some(expected) if !checksum::matches(decoded, expected) => {
                Err(DecodeErrorKind::ChecksumMismatch.into())
            }
            _ => Ok(()),
        }
    }

    fn decode_stored(
        &self,
        stored: &[&[u8]],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        if dst.len() as u64 != self.len {
            return Err(DecodeErrorKind::OutputTooSmall {
                needed: self.len,
                have: dst.len() as u64,
            }
            .into());
        }
        if self.layout.planes == 1 {
            return self.decode_single(stored, dst, &mut scratch.decoders);
        }
        let needed = self.scratch_len();
        let have = scratch.planes.len() as u64;
        if have < needed {
            return Err(DecodeErrorKind::ScratchTooSmall { needed, have }.into());
        }
        let mut space = &mut *scratch.planes;
        let mut sources = [Source::Plane(&[]); MAX_PLANES];
        for (plane, source) in sources[..self.layout.planes].iter_mut().enumerate() {
            *source = match self.content(stored, plane)? {
                Content::Plain(source) => source,
                Content::Coded(bytes) => {
                    let len = self.layout.plane_len(self.len, plane) as usize;
                    let (decoded, rest) = core::mem::take(&mut space).split_at_mut(len);
                    space = rest;
                    self.decode_plane(plane, bytes, decoded, &mut scratch.decoders)?;
                    Source::Plane(decoded)
                }
            };
        }
        merge(self.layout, sources, dst);
        Ok(())
    }

    fn decode_single(
        &self,
        stored: &[&[u8]],
        dst: &mut [u8],
        decoders: &mut Decoders<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        match self.content(stored, 0)? {
            Content::Plain(Source::Plane(bytes)) => dst.copy_from_slice(bytes),
            Content::Plain(Source::Repeat(byte)) => dst.fill(byte),
            Content::Coded(bytes) => self.decode_plane(0, bytes, dst, decoders)?,
        }
        Ok(())
    }

    fn decode_plane(
        &self,
        plane: usize,
        bytes: &[u8],
        dst: &mut [u8],
        decoders: &mut Decoders<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        match self.pieces[plane].method {
            #[cfg(feature = "zstd")]
            method::ZSTD => match &mut decoders.zstd {
                Some(zstd) => zstd.decode(bytes, dst),
                None => zstd::Decoder::default().decode(bytes, dst),
            },
            _ => decoders.table.decode(bytes, dst),
        }
        .map_err(|kind| DecodeError::from(kind).in_plane(plane))
    }

    /// The stored bytes of a plane, by kind.
    fn content<'s>(&self, stored: &[&'s [u8]], plane: usize) -> Result<Content<'s>, DecodeError> {
        let bytes = stored.get(plane).copied().unwrap_or_default();
        let (needed, have) = (self.stored_len(plane), bytes.len() as u64);
        if have != needed {
            return Err(
                DecodeError::from(DecodeErrorKind::Truncated { needed, have }).in_plane(plane)
            );
        }
        match self.pieces[plane].method {
            method::RAW => return Ok(Content::Plain(Source::Plane(bytes))),
            method::ZSTD => return Ok(Content::Coded(bytes)),
            _ => {}
        }
        match Coded::new(bytes, self.layout.plane_len(self.len, plane)) {
            Ok(Coded::Copy(bytes)) => Ok(Content::Plain(Source::Plane(bytes))),
            Ok(Coded::Repeat(byte)) => Ok(Content::Plain(Source::Repeat(byte))),
            Ok(Coded::Streams(bytes)) => Ok(Content::Coded(bytes)),
            Err(kind) => Err(DecodeError::from(kind).in_plane(plane)),
        }
    }
}

/// What is stored of a plane.
enum Content<'a> {
    /// Nothing that needs decoding.
    Plain(Source<'a>),
    /// Codes, by the plane's method.
    Coded(&'a [u8]),
}

/// Where the bytes of a plane come from when a chunk is put together.
#[derive(Clone, Copy)]
enum Source<'a> {
    Plane(&'a [u8]),
    Repeat(u8),
}

/// Merges planes, some of which may be one repeated byte. A chunk may be of any size; the repeated
/// byte is spread over no more than a small part.
fn merge(layout: PlaneLayout, sources: [Source<'_>; MAX_PLANES], dst: &mut [u8]) {
    /// Bytes of a plane that are merged at a time: four times as many are on the stack.
    const PART: usize = 512;
    let mut planes = [&[][..]; MAX_PLANES];
    let mut repeats = false;
    for (plane, source) in planes.iter_mut().zip(sources) {
        match source {
            Source::Plane(bytes) => *plane = bytes,
            Source::Repeat(_) => repeats = true,
        }
    }
    if !repeats {
        return plane::merge(layout, planes, dst);
    }
    let mut repeated = [[0; PART]; MAX_PLANES];
    for (part, source) in repeated.iter_mut().zip(sources) {
        if let Source::Repeat(byte) = source {
            part.fill(byte);
        }
    }
    let part_bytes = layout.planes * PART;
    for (start, part) in (0..).step_by(PART).zip(dst.chunks_mut(part_bytes)) {
        let mut planes = [&[][..]; MAX_PLANES];
        for (index, plane) in planes[..layout.planes].iter_mut().enumerate() {
            let len = layout.plane_len(part.len() as u64, index) as usize;
            *plane = match sources[index] {
                Source::Plane(bytes) => &bytes[start..start + len],
                Source::Repeat(_) => &repeated[index][..len],
            };
        }
        plane::merge(layout, planes, part);
    }
}
