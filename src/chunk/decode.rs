//! Decodes chunks.

use core::ops::Range;

use crate::base;
use crate::checksum;
use crate::chunk::records::StoredRecords;
use crate::chunk::zstd;
use crate::entropy::huffman::decode::CodedPlane;
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::entropy::huffman::table::choice::Table;
use crate::entropy::pivot::decode::{self as pivot, ArrayMemory};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::format::{HAS_EXTENDED, method};
use crate::model::difference;
use crate::model::scales;
use crate::plane::{self, MAX_PLANES};
use crate::plane_layout::PlaneLayout;
use crate::prefetch::Ahead;

/// How a plane of a chunk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Unchanged.
    Raw,
    /// As one byte, which fills the plane.
    Repeat,
    /// With Huffman codes.
    Huffman,
    /// With a pivot code, which decodes up to three times as fast as Huffman codes if the processor has
    /// vector instructions. The original rejects it.
    Pivot,
    /// As a Zstandard frame, which the original rejects. Decoding it requires the feature `zstd`.
    Zstd,
    /// As a part of the code of the whole chunk, which requires the base and which the original
    /// rejects.
    Difference,
    /// As the parts of [records](crate::frame::Record), which the original rejects.
    Records,
    /// As a part of the code of the whole chunk, which depends on the scales of rows and columns
    /// and which the original rejects.
    Scales,
}

/// How a chunk of a difference uses the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BaseUse {
    /// The planes are the exclusive or of the data and the base.
    Xor,
    /// The planes are the data.
    None,
    /// The stored bytes of all planes are the code of [`difference`].
    Code,
}

impl BaseUse {
    /// Returns the use of the base that the method of a plane implies for the chunk.
    pub(crate) const fn of(code: u8) -> Self {
        match code {
            method::DIFFERENCE => Self::Code,
            _ if code & method::WITHOUT_BASE != 0 => Self::None,
            _ => Self::Xor,
        }
    }
}

/// Memory that decoding needs besides input and output: a table, and space for planes.
///
/// The caller owns both, so that decoding does not allocate, except for Zstandard frames.
/// [`Frame::scratch_len`] returns the space that a frame needs, which is at most the decoded length
/// of a chunk. Where memory is scarce, use a [`SmallTable`].
///
/// [`DecodeScratch`] also keeps the memory for Zstandard frames, and up to 320 KiB in which vector
/// instructions decode pivot-coded planes. A scratch memory of [`Self::new`] decodes those planes
/// symbol by symbol, with 3 KiB on the stack, which takes many times as long.
///
/// [`Frame::scratch_len`]: crate::frame::Frame::scratch_len
/// [`SmallTable`]: crate::frame::SmallTable
#[derive(Debug)]
pub struct Scratch<'a, T = DecodeTable> {
    decoders: Decoders<'a, T>,
    planes: &'a mut [u8],
}

/// Decoders of planes.
#[derive(Debug)]
struct Decoders<'a, T> {
    table: &'a mut T,
    /// If `None`, a decoder is created for each plane that needs it.
    zstd: Option<&'a mut zstd::Decoder>,
    /// If `None`, pivot-coded planes are decoded symbol by symbol.
    arrays: Option<&'a mut ArrayMemory>,
}

impl<'a, T: Table> Scratch<'a, T> {
    /// Creates scratch memory from a table and space for planes.
    pub fn new(table: &'a mut T, planes: &'a mut [u8]) -> Self {
        Self { decoders: Decoders { table, zstd: None, arrays: None }, planes }
    }
}

/// Scratch memory that owns its buffers and grows as chunks require.
#[cfg(feature = "alloc")]
#[derive(Default)]
pub struct DecodeScratch {
    table: alloc::boxed::Box<DecodeTable>,
    planes: alloc::vec::Vec<u8>,
    /// A whole decoded chunk, when the caller requests only a part of it.
    pub(crate) chunk: alloc::vec::Vec<u8>,
    zstd: zstd::Decoder,
    arrays: ArrayMemory,
}

#[cfg(feature = "alloc")]
impl core::fmt::Debug for DecodeScratch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DecodeScratch").field("len", &self.planes.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "alloc")]
impl DecodeScratch {
    /// Creates scratch memory without space for planes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns scratch memory with at least `len` bytes of space for planes.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the space cannot be allocated.
    pub fn with_len(&mut self, len: u64) -> Result<Scratch<'_>, DecodeError> {
        let planes = crate::try_alloc::at_least(&mut self.planes, len)?;
        let decoders = Decoders {
            table: &mut *self.table,
            zstd: Some(&mut self.zstd),
            arrays: Some(&mut self.arrays),
        };
        Ok(Scratch { decoders, planes })
    }
}

/// The index entry of one plane of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PlaneEntry {
    /// A code from [`method`].
    pub(crate) method: u8,
    /// Range of the stored plane, in bytes from the beginning of the frame.
    pub(crate) range: Range<u64>,
}

/// Location and method of each plane of a chunk, from a validated index.
///
/// With the stored bytes, this is all that decoding the chunk requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub(crate) layout: PlaneLayout,
    pub(crate) len: u64,
    pub(crate) planes: [PlaneEntry; MAX_PLANES],
    pub(crate) base_use: BaseUse,
    pub(crate) checksum: Option<u64>,
}

impl Chunk {
    /// Returns the decoded length in bytes, which is never zero.
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns the number of planes.
    pub fn plane_count(&self) -> usize {
        self.layout.planes
    }

    /// Returns the range of each stored plane, as byte offsets from the beginning of the frame.
    pub fn plane_ranges(&self) -> impl ExactSizeIterator<Item = Range<u64>> + '_ {
        self.planes[..self.layout.planes].iter().map(|entry| entry.range.clone())
    }

    /// Returns the method of each plane.
    pub fn methods(&self) -> impl ExactSizeIterator<Item = Method> + '_ {
        (0..self.layout.planes).map(|plane| {
            let stored = self.stored_len(plane);
            match self.planes[plane].method {
                method::HUFFMAN if stored == self.layout.plane_len(self.len, plane) => Method::Raw,
                method::HUFFMAN if stored == 1 => Method::Repeat,
                method::HUFFMAN => Method::Huffman,
                method::PIVOT => Method::Pivot,
                method::ZSTD => Method::Zstd,
                method::DIFFERENCE => Method::Difference,
                method::RECORDS => Method::Records,
                method::SCALES => Method::Scales,
                _ => Method::Raw,
            }
        })
    }

    fn stored_len(&self, plane: usize) -> u64 {
        let range = &self.planes[plane].range;
        range.end - range.start
    }

    /// Returns whether the chunk of a difference cannot be decoded at all without the base.
    ///
    /// Other chunks of differences can be decoded to the exclusive or of the data and the base.
    pub fn requires_base(&self) -> bool {
        self.base_use == BaseUse::Code
    }

    /// Returns the space for planes that [`Self::decode`] and [`Self::decode_delta`] need, in bytes.
    pub fn scratch_len(&self) -> u64 {
        if self.base_use == BaseUse::Code {
            return difference::tables_len(self.len) + self.joined_len();
        }
        if self.planes[0].method == method::SCALES {
            return scales::memory_len(self.len) + self.joined_len();
        }
        if self.planes[0].method == method::RECORDS {
            // No part is longer than the chunk, and at most two are longer than their fields.
            return 2 * self.len;
        }
        if self.layout.planes == 1 {
            return 0;
        }
        self.methods()
            .enumerate()
            .filter(|&(_, method)| is_coded(method))
            .map(|(plane, _)| self.layout.plane_len(self.len, plane))
            .sum()
    }

    /// Returns the length of the code of a chunk if it is stored in several planes, otherwise 0.
    fn joined_len(&self) -> u64 {
        let lens = || (0..self.layout.planes).map(|plane| self.stored_len(plane));
        if lens().filter(|&len| len > 0).count() > 1 { lens().sum() } else { 0 }
    }

    /// Returns the checksum that decoding verifies; `None` if there is none.
    pub fn checksum(&self) -> Option<u64> {
        self.checksum
    }

    /// Sets or removes the checksum, which an [`Annex`](crate::frame::Annex) provides.
    #[must_use]
    pub fn with_checksum(self, checksum: Option<u64>) -> Self {
        Self { checksum, ..self }
    }

    /// Decodes the chunk into `dst`, whose length must be exactly [`Self::len`].
    ///
    /// `stored` contains the bytes of each range of [`Self::plane_ranges`], in order.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall` if `dst` has any other length; `Truncated` if the stored bytes of a plane
    /// differ in length from its range; `ScratchTooSmall`; the errors of the stored data, which
    /// name the plane; `ChecksumMismatch`; `BaseRequired` if [`Self::requires_base`].
    pub fn decode(
        &self,
        stored: &[&[u8]],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        self.decode_stored(stored, dst, scratch)?;
        self.verify(dst)
    }

    /// Decodes the chunk of a difference and applies `base`.
    ///
    /// `base` is the part of the base at the chunk's offset and has the chunk's length. The
    /// checksum is of the data, not of the difference.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::decode`], and `BaseLength` if `base` and the chunk differ in length.
    pub fn decode_delta(
        &self,
        stored: &[&[u8]],
        base: &[u8],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        base::check_len(self.len, base.len() as u64)?;
        match self.base_use {
            BaseUse::Code if HAS_EXTENDED => self.decode_difference(stored, base, dst, scratch)?,
            BaseUse::Code => return Err(DecodeErrorKind::InvalidIndex.into()),
            BaseUse::None => self.decode_stored(stored, dst, scratch)?,
            BaseUse::Xor => {
                self.decode_stored(stored, dst, scratch)?;
                base::apply(dst, base);
            }
        }
        self.verify(dst)
    }

    /// Decodes a chunk whose planes together are the code of the differences to the base.
    ///
    /// Never inlined, so that devices which decode no such code need no stack for it.
    #[inline(never)]
    fn decode_difference(
        &self,
        stored: &[&[u8]],
        base: &[u8],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        self.check_dst(dst)?;
        self.check_scratch(scratch)?;
        let tables_len = difference::tables_len(self.len) as usize;
        let (tables, joined) = scratch.planes.split_at_mut(tables_len);
        let code = self.join(stored, joined)?;
        Ok(difference::decode::decode(code, base, dst, tables)?)
    }

    /// Decodes a chunk whose planes together are the code of scales.
    ///
    /// Never inlined, so that devices which decode no such code need no stack for it.
    #[inline(never)]
    fn decode_scales(
        &self,
        stored: &[&[u8]],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        self.check_scratch(scratch)?;
        let memory_len = scales::memory_len(self.len) as usize;
        let (memory, joined) = scratch.planes.split_at_mut(memory_len);
        let code = self.join(stored, joined)?;
        Ok(scales::decode::decode(code, dst, memory)?)
    }

    /// Returns the stored bytes of all planes together, in `space` if there are several.
    fn join<'s>(&self, stored: &[&'s [u8]], space: &'s mut [u8]) -> Result<&'s [u8], DecodeError> {
        let mut code: &[u8] = &[];
        let mut joined_len = 0;
        let is_joined = self.joined_len() > 0;
        for plane in 0..self.layout.planes {
            let bytes = self.stored_bytes(stored, plane)?;
            if is_joined {
                space[joined_len..joined_len + bytes.len()].copy_from_slice(bytes);
                joined_len += bytes.len();
            } else if !bytes.is_empty() {
                code = bytes;
            }
        }
        Ok(if is_joined { &space[..joined_len] } else { code })
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
        self.check_dst(dst)?;
        if self.base_use == BaseUse::Code {
            return Err(DecodeErrorKind::BaseRequired.into());
        }
        if HAS_EXTENDED && self.planes[0].method == method::RECORDS {
            return self.decode_records(stored, dst, scratch);
        }
        if HAS_EXTENDED && self.planes[0].method == method::SCALES {
            return self.decode_scales(stored, dst, scratch);
        }
        if self.layout.planes == 1 {
            return self.decode_single(stored, dst, &mut scratch.decoders);
        }
        self.check_scratch(scratch)?;
        let mut space = &mut *scratch.planes;
        let mut planes = [PlaneBytes::All(&[]); MAX_PLANES];
        let mut last = None;
        let is_far = plane::is_far(dst.len());
        // What merging uses once the last plane is decoded.
        let mut ahead = Ahead::default();
        if is_far {
            ahead.add(dst);
        }
        for (plane, decoded_plane) in planes[..self.layout.planes].iter_mut().enumerate() {
            let bytes = match self.stored_plane(stored, plane)? {
                StoredPlane::Plain(bytes) => {
                    *decoded_plane = bytes;
                    if let PlaneBytes::All(bytes) = bytes
                        && is_far
                    {
                        ahead.add(bytes);
                    }
                    continue;
                }
                StoredPlane::Coded(bytes) => bytes,
            };
            let len = self.layout.plane_len(self.len, plane) as usize;
            let (decoded, rest) = core::mem::take(&mut space).split_at_mut(len);
            space = rest;
            let is_pivot = HAS_EXTENDED && self.planes[plane].method == method::PIVOT;
            if is_pivot && self.is_last_coded(plane) {
                last = Some((plane, bytes, decoded));
                continue;
            }
            self.decode_plane(plane, bytes, decoded, &mut scratch.decoders, &mut ahead)?;
            *decoded_plane = PlaneBytes::All(decoded);
        }
        let Some((plane, bytes, decoded)) = last else {
            merge(self.layout, planes, dst, is_far);
            return Ok(());
        };
        let arrays = scratch.decoders.arrays.as_deref_mut();
        self.decode_last(plane, bytes, decoded, planes, dst, arrays)
    }

    /// Decodes the last plane, and merges its parts with the other planes while they are in the cache.
    #[inline(never)]
    fn decode_last(
        &self,
        plane: usize,
        bytes: &[u8],
        decoded: &mut [u8],
        planes: [PlaneBytes<'_>; MAX_PLANES],
        dst: &mut [u8],
        arrays: Option<&mut ArrayMemory>,
    ) -> Result<(), DecodeError> {
        let (len, count) = (decoded.len(), self.layout.planes);
        let is_far = plane::is_far(dst.len());
        pivot::decode_in_parts(bytes, decoded, arrays, |range, part| {
            // Lower planes may be longer by one byte.
            let end = if range.end == len { dst.len() } else { range.end * count };
            let mut parts = planes.map(|other| other.part(range.start..end.div_ceil(count)));
            parts[plane] = PlaneBytes::All(part);
            merge(self.layout, parts, &mut dst[range.start * count..end], is_far);
            if is_far {
                prefetch(planes, range.end, count, &dst[end..]);
            }
        })
        .map_err(|kind| DecodeError::from(kind).in_plane(plane))
    }

    /// Decodes a chunk of records: first their parts, which are then merged.
    ///
    /// Never inlined, so that devices which decode no records need no stack for them.
    #[inline(never)]
    fn decode_records(
        &self,
        stored: &[&[u8]],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        self.check_scratch(scratch)?;
        let records = StoredRecords::parse(self.stored_bytes(stored, 0)?, dst.len())?;
        let division = records.division;
        let space = scratch.planes.get_mut(..division.parts_len());
        let parts = space.ok_or(DecodeErrorKind::CorruptStream)?;
        let mut rest = &mut *parts;
        for part in records.parts() {
            let (decoded, behind) = core::mem::take(&mut rest).split_at_mut(part.len);
            rest = behind;
            match classify(part.method, part.bytes, part.len as u64)? {
                StoredPlane::Plain(PlaneBytes::All(bytes)) => {
                    decoded.copy_from_slice(bytes);
                }
                StoredPlane::Plain(PlaneBytes::Repeat(byte)) => decoded.fill(byte),
                StoredPlane::Coded(bytes) => {
                    let nothing = &mut Ahead::default();
                    scratch.decoders.decode(part.method, bytes, decoded, nothing)?;
                }
            }
        }
        let range = division.range();
        let [before, after] = records.outside;
        dst[..range.start].copy_from_slice(before);
        dst[range.end..].copy_from_slice(after);
        division.record.merge(parts, &mut dst[range]);
        Ok(())
    }

    /// Returns whether no plane after this one has to be decoded.
    fn is_last_coded(&self, plane: usize) -> bool {
        !self.methods().skip(plane + 1).any(is_coded)
    }

    /// Checks that the output has the length of the chunk.
    fn check_dst(&self, dst: &[u8]) -> Result<(), DecodeErrorKind> {
        let (needed, have) = (self.len, dst.len() as u64);
        if have == needed { Ok(()) } else { Err(DecodeErrorKind::OutputTooSmall { needed, have }) }
    }

    /// Checks that there is enough space for planes.
    fn check_scratch(&self, scratch: &Scratch<'_, impl Table>) -> Result<(), DecodeErrorKind> {
        let (needed, have) = (self.scratch_len(), scratch.planes.len() as u64);
        if have < needed {
            return Err(DecodeErrorKind::ScratchTooSmall { needed, have });
        }
        Ok(())
    }

    fn decode_single(
        &self,
        stored: &[&[u8]],
        dst: &mut [u8],
        decoders: &mut Decoders<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        match self.stored_plane(stored, 0)? {
            StoredPlane::Plain(PlaneBytes::All(bytes)) => dst.copy_from_slice(bytes),
            StoredPlane::Plain(PlaneBytes::Repeat(byte)) => dst.fill(byte),
            StoredPlane::Coded(bytes) => {
                self.decode_plane(0, bytes, dst, decoders, &mut Ahead::default())?
            }
        }
        Ok(())
    }

    /// Decodes a plane, whose stored bytes are [`StoredPlane::Coded`].
    #[cfg(feature = "gpu")]
    pub(crate) fn decode_coded(
        &self,
        plane: usize,
        bytes: &[u8],
        dst: &mut [u8],
        scratch: &mut Scratch<'_, impl Table>,
    ) -> Result<(), DecodeError> {
        self.decode_plane(plane, bytes, dst, &mut scratch.decoders, &mut Ahead::default())
    }

    fn decode_plane(
        &self,
        plane: usize,
        bytes: &[u8],
        dst: &mut [u8],
        decoders: &mut Decoders<'_, impl Table>,
        ahead: &mut Ahead<'_>,
    ) -> Result<(), DecodeError> {
        decoders
            .decode(self.planes[plane].method, bytes, dst, ahead)
            .map_err(|kind| DecodeError::from(kind).in_plane(plane))
    }

    /// Returns the stored bytes of a plane, which must be as long as its range.
    fn stored_bytes<'s>(&self, stored: &[&'s [u8]], plane: usize) -> Result<&'s [u8], DecodeError> {
        let bytes = stored.get(plane).copied().unwrap_or_default();
        let (needed, have) = (self.stored_len(plane), bytes.len() as u64);
        if have == needed {
            return Ok(bytes);
        }
        Err(DecodeError::from(DecodeErrorKind::Truncated { needed, have }).in_plane(plane))
    }

    /// Returns the stored bytes of a plane, classified by whether they need decoding.
    pub(crate) fn stored_plane<'s>(
        &self,
        stored: &[&'s [u8]],
        plane: usize,
    ) -> Result<StoredPlane<'s>, DecodeError> {
        let bytes = self.stored_bytes(stored, plane)?;
        classify(self.planes[plane].method, bytes, self.layout.plane_len(self.len, plane))
            .map_err(|kind| DecodeError::from(kind).in_plane(plane))
    }
}

impl<T: Table> Decoders<'_, T> {
    /// Decodes a plane that is coded with a method, and prefetches what is `ahead`.
    #[inline(always)]
    fn decode(
        &mut self,
        method: u8,
        bytes: &[u8],
        dst: &mut [u8],
        ahead: &mut Ahead<'_>,
    ) -> Result<(), DecodeErrorKind> {
        match method {
            method::ZSTD => match &mut self.zstd {
                Some(zstd) => zstd.decode(bytes, dst),
                None => zstd::Decoder::default().decode(bytes, dst),
            },
            method::PIVOT if HAS_EXTENDED => self.decode_pivot(bytes, dst),
            _ => self.table.decode(bytes, dst, ahead),
        }
    }

    /// Decodes a pivot-coded plane.
    ///
    /// Never inlined, so that devices which decode no such planes need no stack for them.
    #[inline(never)]
    fn decode_pivot(&mut self, bytes: &[u8], dst: &mut [u8]) -> Result<(), DecodeErrorKind> {
        pivot::decode(bytes, dst, self.arrays.as_deref_mut())
    }
}

/// Classifies the stored bytes of a plane by whether they need decoding.
fn classify(method: u8, bytes: &[u8], len: u64) -> Result<StoredPlane<'_>, DecodeErrorKind> {
    match method {
        method::RAW if bytes.len() as u64 == len => {
            return Ok(StoredPlane::Plain(PlaneBytes::All(bytes)));
        }
        method::PIVOT | method::ZSTD => return Ok(StoredPlane::Coded(bytes)),
        method::HUFFMAN => {}
        _ => return Err(DecodeErrorKind::CorruptStream),
    }
    Ok(match CodedPlane::new(bytes, len)? {
        CodedPlane::Copy(bytes) => StoredPlane::Plain(PlaneBytes::All(bytes)),
        CodedPlane::Repeat(byte) => StoredPlane::Plain(PlaneBytes::Repeat(byte)),
        CodedPlane::Streams(bytes) => StoredPlane::Coded(bytes),
    })
}

/// The stored bytes of a plane.
pub(crate) enum StoredPlane<'a> {
    /// The plane needs no decoding.
    Plain(PlaneBytes<'a>),
    /// The plane is coded with its method.
    Coded(&'a [u8]),
}

/// The decoded bytes of a plane.
#[derive(Clone, Copy)]
pub(crate) enum PlaneBytes<'a> {
    /// All bytes.
    All(&'a [u8]),
    /// One byte, which fills the plane.
    Repeat(u8),
}

impl PlaneBytes<'_> {
    /// Returns the bytes in a range, as far as the plane goes.
    fn part(self, range: Range<usize>) -> Self {
        match self {
            Self::All(bytes) => {
                let end = range.end.min(bytes.len());
                Self::All(bytes.get(range.start..end).unwrap_or_default())
            }
            Self::Repeat(byte) => Self::Repeat(byte),
        }
    }
}

/// Returns whether planes that are stored with a method must be decoded before they are merged.
fn is_coded(method: Method) -> bool {
    matches!(method, Method::Huffman | Method::Pivot | Method::Zstd)
}

/// Merges planes, each of which may be one repeated byte.
///
/// It works in parts, so that a repeated byte takes little memory even in a long chunk.
///
/// Never inlined, so that its memory and the memory of decoding planes share the stack.
#[inline(never)]
fn merge(layout: PlaneLayout, planes: [PlaneBytes<'_>; MAX_PLANES], dst: &mut [u8], is_far: bool) {
    /// Number of bytes of each plane that are merged at a time; the stack holds four times as many.
    const PART: usize = 512;
    let mut whole = [&[][..]; MAX_PLANES];
    let mut repeats = false;
    for (whole, plane) in whole.iter_mut().zip(planes) {
        match plane {
            PlaneBytes::All(bytes) => *whole = bytes,
            PlaneBytes::Repeat(_) => repeats = true,
        }
    }
    if !repeats {
        return plane::merge_part(layout, whole, dst, is_far);
    }
    let mut repeated = [[0; PART]; MAX_PLANES];
    for (part, plane) in repeated.iter_mut().zip(planes) {
        if let PlaneBytes::Repeat(byte) = plane {
            part.fill(byte);
        }
    }
    let (count, mut rest) = (layout.planes, dst);
    for start in (0..).step_by(PART) {
        if rest.is_empty() {
            return;
        }
        let (dst, after) = rest.split_at_mut((count * PART).min(rest.len()));
        rest = after;
        if is_far {
            prefetch(planes, start + PART, count, rest);
        }
        let mut parts = [&[][..]; MAX_PLANES];
        for (index, part) in parts[..count].iter_mut().enumerate() {
            let len = layout.plane_len(dst.len() as u64, index) as usize;
            *part = match planes[index] {
                PlaneBytes::All(bytes) => &bytes[start..start + len],
                PlaneBytes::Repeat(_) => &repeated[index][..len],
            };
        }
        plane::merge_part(layout, parts, dst, false);
    }
}

/// Prefetches the memory for merging `count` planes from the offset `start` on into `dst`.
fn prefetch(planes: [PlaneBytes<'_>; MAX_PLANES], start: usize, count: usize, dst: &[u8]) {
    let rest = planes.map(|plane| match plane {
        PlaneBytes::All(bytes) => bytes.get(start..).unwrap_or_default(),
        PlaneBytes::Repeat(_) => &[],
    });
    plane::prefetch(&rest[..count], dst);
}
