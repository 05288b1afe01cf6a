//! Writes a frame into memory of the caller or to the end of a growing output.

use alloc::vec::Vec;

use crate::checksum::checksum;
use crate::chunk::encode::{EncodeScratch, FrameMemory, NextChunk};
use crate::chunk::{encode_difference, encode_records};
use crate::error::EncodeError;
use crate::format::HAS_EXTENDED;
use crate::frame::write::draft::{Draft, Hashed};
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::frame::write::room::{Growing, PerPlane, Place, Regions, Room};
use crate::frame::write::tables::Tables;
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::try_alloc::{grow, reserve, reserve_exact};

/// Compresses `src` into one frame at the beginning of `dst` and returns the frame's length.
pub(crate) fn compress_frame(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    envelope: &Envelope,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let options = &options.for_frame(src);
    smaller(src, options, envelope, scratch, |options, scratch| {
        compress_frame_as(src, dst, options, envelope, scratch)
    })
}

/// Writes a frame with [`write`] in the smaller of its ways, if there are two. Otherwise calls
/// [`write`] with the same options.
fn smaller(
    src: &[u8],
    options: &Options,
    envelope: &Envelope,
    scratch: &mut EncodeScratch,
    mut write: impl FnMut(&Options, &mut EncodeScratch) -> Result<usize, EncodeError>,
) -> Result<usize, EncodeError> {
    let Some([with, without]) = options.ways() else { return write(options, scratch) };
    let may_save = |len: usize| with.may_scales_save(src.len() as u64, len as u64);
    if !may_save(likely_len(src, &without, scratch)?) {
        match write(&without, scratch) {
            Ok(len) if may_save(len) => {}
            // A frame with the code of scales may fit.
            Err(EncodeError::OutputTooSmall { .. }) => {}
            written => return written,
        }
    }
    let most = frame_len_as(src, &without, envelope, scratch)?;
    if may_save(most)
        && let Ok(len) = write(&with, scratch)
        && len < most
    {
        return Ok(len);
    }
    write(&without, scratch)
}

fn compress_frame_as(
    src: &[u8],
    dst: &mut [u8],
    options: &Options,
    envelope: &Envelope,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let draft = Draft::new(src, options, envelope)?;
    let mut memory = core::mem::take(&mut scratch.frame);
    let written = match dst.len() < draft.geometry.bound() {
        true => write_exactly(&draft, src, dst, &mut memory, scratch),
        false => write_into(&draft, src, dst, &mut memory.checksums, scratch),
    };
    scratch.frame = memory;
    written
}

/// Compresses `src` into one frame at the end of `dst` and returns the frame's length.
///
/// After an error, `dst` is unchanged.
pub(crate) fn append_frame(
    src: &[u8],
    dst: &mut Vec<u8>,
    options: &Options,
    envelope: &Envelope,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let options = &options.for_frame(src);
    let start = dst.len();
    let written = smaller(src, options, envelope, scratch, |options, scratch| {
        dst.truncate(start);
        let draft = Draft::new(src, options, envelope)?;
        let mut memory = core::mem::take(&mut scratch.frame);
        let written = append(&draft, src, dst, &mut memory, scratch);
        scratch.frame = memory;
        written
    });
    if written.is_err() {
        dst.truncate(start);
    }
    written
}

/// Returns the length of the frame that `src` is compressed to, without writing it.
pub(crate) fn frame_len(
    src: &[u8],
    options: &Options,
    envelope: &Envelope,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let options = options.for_frame(src);
    let Some([with, without]) = options.ways() else {
        return frame_len_as(src, &options, envelope, scratch);
    };
    let len = frame_len_as(src, &without, envelope, scratch)?;
    match with.may_scales_save(src.len() as u64, len as u64) {
        true => Ok(len.min(frame_len_as(src, &with, envelope, scratch)?)),
        false => Ok(len),
    }
}

fn frame_len_as(
    src: &[u8],
    options: &Options,
    envelope: &Envelope,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let draft = Draft::new(src, options, envelope)?;
    let Draft { geometry, options, .. } = &draft;
    let mut space = core::mem::take(&mut scratch.frame.whole);
    let mut content_len = draft.geometry.payload_at;
    for (number, chunk) in src.chunks(geometry.chunk_len).enumerate() {
        let space = grow(&mut space, chunk.len())?;
        let (offset, layout) = (number * geometry.chunk_len, geometry.layout);
        content_len += encode_records::encoded_len(offset, layout, chunk, options, space, scratch);
    }
    scratch.frame.whole = space;
    Ok(content_len + draft.slack_len(content_len))
}

/// Estimates the length of the frame of long data without the code of scales, from a part of it.
/// Returns the length of the data itself if the data or its chunks are too short for that.
fn likely_len(
    src: &[u8],
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    /// One block of so many is looked at.
    const DISTANCE: usize = 16;
    const BLOCK: usize = 4096;
    const SHORTEST: usize = 4 * DISTANCE * BLOCK;
    if src.len() < SHORTEST {
        return Ok(src.len());
    }
    let Geometry { layout, chunk_len, .. } = Draft::new(src, options, &Envelope::BYTES)?.geometry;
    if chunk_len < BLOCK {
        return Ok(src.len());
    }
    let mut sample = core::mem::take(&mut scratch.frame.sample);
    let blocks = src.chunks_exact(DISTANCE * BLOCK).map(|blocks| &blocks[..BLOCK]);
    let blocks = blocks.take(chunk_len / BLOCK);
    sample.clear();
    reserve(&mut sample, blocks.len() * BLOCK)?;
    blocks.for_each(|block| sample.extend_from_slice(block));
    let mut space = core::mem::take(&mut scratch.frame.whole);
    let len = grow(&mut space, sample.len())
        .map(|space| encode_records::encoded_len(0, layout, &sample, options, space, scratch));
    let sample_len = sample.len();
    (scratch.frame.whole, scratch.frame.sample) = (space, sample);
    Ok((src.len() as u64 * len? as u64 / sample_len as u64) as usize)
}

/// Writes a frame into memory that has room for any frame of this length.
fn write_into(
    draft: &Draft,
    src: &[u8],
    dst: &mut [u8],
    checksums: &mut Vec<u64>,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let (prefix, payload) = dst.split_at_mut(draft.geometry.payload_at);
    let regions = Regions(draft.geometry.plane_regions(payload));
    let (filled, hashed) = encode_chunks(draft, src, prefix, regions, checksums, scratch)?;
    let content_len = close_gaps(draft, filled, dst);
    Ok(draft.finish(content_len, hashed, checksums, dst))
}

/// Moves the planes together and returns the length of the content.
///
/// Before, each plane is at the position that it would have if all planes before it were raw.
fn close_gaps(draft: &Draft, filled: PerPlane, frame: &mut [u8]) -> usize {
    let mut end = draft.geometry.payload_at;
    let mut region = end;
    for (filled, raw) in filled.into_iter().zip(draft.geometry.plane_lens) {
        if region != end {
            frame.copy_within(region..region + filled, end);
        }
        end += filled;
        region += raw;
    }
    end
}

/// Writes a frame into memory that may have just enough room for it.
fn write_exactly(
    draft: &Draft,
    src: &[u8],
    dst: &mut [u8],
    memory: &mut FrameMemory,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let mut frame = core::mem::take(&mut memory.whole);
    frame.clear();
    let written = append(draft, src, &mut frame, memory, scratch).and_then(|len| {
        let (needed, have) = (len as u64, dst.len() as u64);
        let dst = dst.get_mut(..len).ok_or(EncodeError::OutputTooSmall { needed, have })?;
        dst.copy_from_slice(&frame);
        Ok(len)
    });
    memory.whole = frame;
    written
}

/// Writes a frame to the end of an output.
///
/// The first plane is written directly to its position. The other planes follow once its length is
/// known.
fn append(
    draft: &Draft,
    src: &[u8],
    dst: &mut Vec<u8>,
    memory: &mut FrameMemory,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    let geometry = &draft.geometry;
    let start = dst.len();
    let payload_start = start + geometry.payload_at;
    reserve(dst, geometry.payload_at + geometry.plane_lens[0])?;
    dst.resize(payload_start, 0);
    let FrameMemory { checksums, prefix, planes, .. } = memory;
    prefix.clear();
    let prefix = grow(prefix, geometry.payload_at)?;
    core::mem::swap(dst, &mut planes[0]);
    let room = Growing { planes, starts: [payload_start, 0, 0, 0] };
    let encoded = encode_chunks(draft, src, prefix, room, checksums, scratch);
    core::mem::swap(dst, &mut planes[0]);
    let (filled, hashed) = encoded?;
    dst.truncate(payload_start + filled[0]);
    let content_len = geometry.payload_at + filled.iter().sum::<usize>();
    let frame_len = content_len + draft.slack_len(content_len);
    reserve_exact(dst, start + frame_len - dst.len())?;
    for (plane, filled) in planes.iter().zip(filled).skip(1) {
        dst.extend_from_slice(&plane[..filled]);
    }
    dst.resize(start + frame_len, 0);
    let frame = &mut dst[start..];
    frame[..geometry.payload_at].copy_from_slice(prefix);
    Ok(draft.finish(content_len, hashed, checksums, frame))
}

/// Encodes all chunks, writes the index to the end of the prefix, and returns each plane's length.
///
/// It also returns the checksum of the first plane, with which the payload begins, because each
/// chunk of it is still in the cache.
fn encode_chunks(
    draft: &Draft,
    src: &[u8],
    prefix: &mut [u8],
    mut room: impl Room,
    checksums: &mut Vec<u64>,
    scratch: &mut EncodeScratch,
) -> Result<(PerPlane, Hashed), EncodeError> {
    let Draft { geometry, options, envelope, .. } = draft;
    let mut tables = Tables::new(prefix, geometry);
    let mut filled = [0; MAX_PLANES];
    let mut hashed = Hashed::default();
    // The data of a difference, if the profile allows to use it.
    let data = envelope.plain.filter(|_| options.profile.is_extended());
    let mut data = data.unwrap_or_default().chunks(geometry.chunk_len);
    let plain = if options.checksums { envelope.plain.unwrap_or(src) } else { &[] };
    let mut plain = plain.chunks(geometry.chunk_len);
    checksums.clear();
    for (number, chunk) in src.chunks(geometry.chunk_len).enumerate() {
        let offset = number * geometry.chunk_len;
        checksums.extend(plain.next().map(checksum));
        let places = room.after(filled, geometry.plane_lens_in(chunk.len()))?;
        let (outputs, next) =
            separate(places, NextChunk::at(offset + chunk.len(), src, chunk.len()));
        let layout = geometry.layout;
        let stored = match data.next() {
            // Builds without the extended profile leave its code out.
            Some(data) if HAS_EXTENDED => {
                encode_difference::encode(layout, data, chunk, options, outputs, scratch)
            }
            _ => encode_records::encode(offset, layout, chunk, options, outputs, scratch, next),
        };
        if draft.has_annex() {
            let [(first, _), ..] = room.after(filled, stored.map(|stored| stored.len))?;
            hashed.add(first);
        }
        for (filled, stored) in filled.iter_mut().zip(&stored) {
            *filled += stored.len;
        }
        tables.set(number, &stored);
    }
    Ok((filled, hashed))
}

/// Separates the memory for a chunk from the memory for the next chunk, if there is one.
fn separate<'r>(
    places: [Place<'r>; MAX_PLANES],
    mut next: NextChunk<'r>,
) -> ([&'r mut [u8]; MAX_PLANES], NextChunk<'r>) {
    let is_last = next.bytes.is_empty();
    let mut next_places = next.places.iter_mut();
    let outputs = places.map(|(output, after)| {
        if let Some(place) = next_places.next().filter(|_| !is_last) {
            *place = after;
        }
        output
    });
    (outputs, next)
}
