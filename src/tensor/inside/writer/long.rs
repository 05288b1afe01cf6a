//! Writes long tensors in parts.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::vec::Vec;

use crate::checksum::Hasher;
use crate::error::EncodeError;
use crate::frame::write::envelope::Envelope;
use crate::frame::write::parts::FrameParts;
use crate::options::Options;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::coder::{Coder, PART_LEN, compress_part};
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::result_header::Written;
use crate::tensor::inside::target::TensorTarget;
use crate::tensor::inside::writer::TensorWriter;
use crate::tensor::inside::writer::check::{envelope, options_for};

/// Number of bytes to copy at a time.
const COPY_LEN: usize = 1 << 20;

/// Where the data of a tensor is in the source, where its frame begins in the output, and its length.
#[derive(Clone, Copy)]
struct Place {
    from: u64,
    to: u64,
    len: usize,
}

impl<W: TensorTarget> TensorWriter<W> {
    pub(super) fn write_from_with(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
        coder: &impl Coder,
    ) -> Result<(), TensorError> {
        self.reserve_header()?;
        let len = self.next_tensor()?.len();
        match usize::try_from(len) {
            Ok(len) if len <= PART_LEN => {
                let mut data = core::mem::take(&mut self.data);
                read_part(source, len, &mut data)?;
                let result = self.write_with(&data, options, coder);
                self.data = data;
                result
            }
            len => self.write_long(source, len.ok(), options, coder),
        }
    }

    /// Writes the next tensor in parts. `len` is its length if it could be in memory.
    fn write_long(
        &mut self,
        source: &mut (impl Read + Seek),
        len: Option<usize>,
        options: Option<&Options>,
        coder: &impl Coder,
    ) -> Result<(), TensorError> {
        let tensor = self.next_tensor()?.clone();
        let has_checksums = self.header.has_checksums;
        let from = source.stream_position().map_err(TensorError::Source)?;
        let to = self.dst.stream_position()?;
        let options = options_for(&tensor, options, has_checksums)?;
        if let (Some(len), Some(options)) = (len, options) {
            let place = Place { from, to, len };
            if let Some(len) = self.write_smaller(source, &tensor, place, options, coder)? {
                let compressed = options.dtype();
                self.written.push(Written { len, compressed, checksum: None });
                return Ok(());
            }
            source.seek(SeekFrom::Start(from)).map_err(TensorError::Source)?;
            self.dst.seek(SeekFrom::Start(to))?;
        }
        let checksum = self.copy_plain(source, tensor.len())?;
        self.dst.set_len(to + tensor.len())?;
        let checksum = has_checksums.then_some(checksum);
        self.written.push(Written { len: tensor.len(), compressed: None, checksum });
        Ok(())
    }

    /// Writes the frame of a tensor in the smaller of its ways, if there are two, as
    /// [`Self::write_frame`] does.
    fn write_smaller(
        &mut self,
        source: &mut (impl Read + Seek),
        tensor: &TensorInfo,
        place: Place,
        options: &Options,
        coder: &impl Coder,
    ) -> Result<Option<u64>, TensorError> {
        let Some([with, without]) = options.ways() else {
            return self.write_frame(source, tensor, place, options, u64::MAX, coder);
        };
        let most = self.frame_len(source, tensor, place.len, &without, coder)?;
        if with.may_scales_save(place.len as u64, most) {
            source.seek(SeekFrom::Start(place.from)).map_err(TensorError::Source)?;
            let written = self.write_frame(source, tensor, place, &with, most, coder)?;
            if written.is_some() {
                return Ok(written);
            }
        }
        if !self.header.costs(tensor).is_worth(place.len as u64, most) {
            return Ok(None);
        }
        source.seek(SeekFrom::Start(place.from)).map_err(TensorError::Source)?;
        self.write_frame(source, tensor, place, &without, u64::MAX, coder)
    }

    /// Returns the length of the frame of a tensor without writing it.
    fn frame_len(
        &mut self,
        source: &mut impl Read,
        tensor: &TensorInfo,
        len: usize,
        options: &Options,
        coder: &impl Coder,
    ) -> Result<u64, TensorError> {
        let envelope = envelope(tensor);
        let mut frame = new_frame(tensor, len, options, &envelope)?;
        self.add_parts(source, tensor, (len, None), &mut frame, coder)?;
        Ok(frame.frame_len())
    }

    /// Writes the frame of a tensor. Returns the length of the frame, or `None` if it is not
    /// shorter than `most` or compression does not make the file smaller.
    fn write_frame(
        &mut self,
        source: &mut impl Read,
        tensor: &TensorInfo,
        place: Place,
        options: &Options,
        most: u64,
        coder: &impl Coder,
    ) -> Result<Option<u64>, TensorError> {
        let Place { to, len, .. } = place;
        let envelope = envelope(tensor);
        let mut frame = new_frame(tensor, len, options, &envelope)?;
        let hasher = self.add_parts(source, tensor, (len, Some(to)), &mut frame, coder)?;
        let frame_len = frame.frame_len();
        if frame_len >= most || !self.header.costs(tensor).is_worth(len as u64, frame_len) {
            return Ok(None);
        }
        self.finish_frame(frame, to, hasher).map(Some)
    }

    /// Compresses `len` bytes of the source in parts, adds them to a frame, and writes their planes
    /// if the frame has an offset in the output. Returns a hasher that contains the first plane if
    /// the frame needs a checksum of its payload.
    fn add_parts(
        &mut self,
        source: &mut impl Read,
        tensor: &TensorInfo,
        (len, at): (usize, Option<u64>),
        frame: &mut FrameParts<'_>,
        coder: &impl Coder,
    ) -> Result<Hasher, TensorError> {
        let part_len = frame.part_len(coder.part_len());
        let mut hasher = Hasher::default();
        let mut left = len;
        while left > 0 {
            let part_len = part_len.min(left);
            read_part(source, part_len, &mut self.data)?;
            let part = compress_part(frame, &self.data, &mut self.frame, coder, &mut self.scratch)
                .map_err(|error| failure(tensor, error))?;
            let planes = frame.add(&part);
            left -= part_len;
            let Some(at) = at else { continue };
            if frame.needs_payload_checksum() {
                hasher.update(planes[0].1);
            }
            for (offset, bytes) in planes.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
                self.dst.seek(SeekFrom::Start(at + offset))?;
                self.dst.write_all(bytes)?;
            }
        }
        Ok(hasher)
    }

    /// Completes a frame at offset `at` and returns its length. `hasher` contains its first plane.
    fn finish_frame(
        &mut self,
        frame: FrameParts<'_>,
        at: u64,
        mut hasher: Hasher,
    ) -> Result<u64, TensorError> {
        let frame_len = frame.frame_len();
        self.close_gaps(&frame, at, &mut hasher)?;
        let (prefix, slack_at, slack) = frame.finish(hasher.checksum());
        self.dst.seek(SeekFrom::Start(at))?;
        self.dst.write_all(&prefix)?;
        self.dst.seek(SeekFrom::Start(at + slack_at))?;
        self.dst.write_all(&slack)?;
        self.dst.set_len(at + frame_len)?;
        Ok(frame_len)
    }

    /// Moves the planes of a frame together, and hashes all but the first if the frame needs a
    /// checksum of its payload.
    fn close_gaps(
        &mut self,
        frame: &FrameParts<'_>,
        at: u64,
        hasher: &mut Hasher,
    ) -> io::Result<()> {
        for (from, to) in frame.moves().skip(1) {
            let distance = from.start - to;
            if distance > 0 || frame.needs_payload_checksum() {
                self.move_plane(at + from.start..at + from.end, distance, hasher)?;
            }
        }
        Ok(())
    }

    /// Moves a range of the output back by `distance`, and hashes it.
    fn move_plane(
        &mut self,
        mut from: Range<u64>,
        distance: u64,
        hasher: &mut Hasher,
    ) -> io::Result<()> {
        while !from.is_empty() {
            let len = (from.end - from.start).min(COPY_LEN as u64);
            self.dst.seek(SeekFrom::Start(from.start))?;
            self.data.resize(len as usize, 0);
            self.dst.read_exact(&mut self.data)?;
            hasher.update(&self.data);
            if distance > 0 {
                self.dst.seek(SeekFrom::Start(from.start - distance))?;
                self.dst.write_all(&self.data)?;
            }
            from.start += len;
        }
        Ok(())
    }

    /// Copies an uncompressed tensor and returns its checksum.
    fn copy_plain(&mut self, source: &mut impl Read, len: u64) -> Result<u64, TensorError> {
        let mut hasher = Hasher::default();
        let mut left = len;
        while left > 0 {
            let part_len = left.min(COPY_LEN as u64);
            read_part(source, part_len as usize, &mut self.data)?;
            hasher.update(&self.data);
            self.dst.write_all(&self.data)?;
            left -= part_len;
        }
        Ok(hasher.checksum())
    }
}

fn new_frame<'e>(
    tensor: &TensorInfo,
    len: usize,
    options: &Options,
    envelope: &'e Envelope<'e>,
) -> Result<FrameParts<'e>, TensorError> {
    FrameParts::new(len, options, envelope).map_err(|error| failure(tensor, error))
}

fn failure(tensor: &TensorInfo, error: EncodeError) -> TensorError {
    TensorError::Encode { name: tensor.name.clone(), error }
}

/// Replaces the contents of `part` with the next `len` bytes of the source.
fn read_part(source: &mut impl Read, len: usize, part: &mut Vec<u8>) -> Result<(), TensorError> {
    part.resize(len, 0);
    source.read_exact(part).map_err(TensorError::Source)
}
