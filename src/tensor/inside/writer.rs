//! Writing files in which tensors are compressed.

use std::borrow::ToOwned;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::vec::Vec;

use crate::base::Delta;
use crate::checksum::{Hasher, checksum};
use crate::chunk::encode::EncodeScratch;
use crate::dtype::DType;
use crate::error::EncodeError;
use crate::frame::header::Form;
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::frame::write::parts::FrameParts;
use crate::options::Options;
use crate::tensor::error::TensorError;
#[cfg(feature = "rayon")]
use crate::tensor::inside::coder::Pool;
use crate::tensor::inside::coder::{Coder, OneThread, PART_LEN, compress_part, reserve};
use crate::tensor::inside::list;
use crate::tensor::inside::result_header::{Costs, HeaderText, Written, is_candidate};
use crate::tensor::inside::target::TensorTarget;
use crate::tensor::metadata::{Metadata, TensorInfo};
use crate::tensor::write_header::{self, ALIGNMENT, len_of};

/// Writes a `.safetensors` file again with its tensors compressed, one after another.
///
/// Releases 0.5.1 to 0.5.4 of the original read the result tensor by tensor; so does any program in
/// which their patch of `safetensors` is active. The header of the source is kept in the
/// metadata, so that [`TensorReader`](crate::tensor::TensorReader) gives the same bytes back.
///
/// A tensor is compressed only where that saves more than its entries in the header cost. The
/// writer reserves room for the longest header that the tensors can need, and fills the rest with
/// blanks. Every tensor keeps the alignment that it had: frames that would change it get some
/// bytes of slack.
///
/// [`Self::write`] needs memory for one tensor and its compressed form, [`Self::write_from`] for a
/// few MiB. Beside that the writer keeps the header and what it has parsed from it. See
/// [`TensorReader`](crate::tensor::TensorReader) for an example.
#[derive(Debug)]
pub struct TensorWriter<W> {
    dst: W,
    /// Where in `dst` the file begins.
    start: u64,
    header: HeaderText,
    /// Where in the file the data begins, once room for the header has been reserved.
    data_start: Option<u64>,
    /// The tensors that have been written.
    written: Vec<Written>,
    /// Data that is read, a frame, and what making one needs.
    data: Vec<u8>,
    frame: Vec<u8>,
    scratch: EncodeScratch,
}

/// Bytes that are copied at a time.
const COPY_LEN: usize = 1 << 20;

impl<W: Write + Seek> TensorWriter<W> {
    /// Begins a file. `header` is the header of the source with its length before it: the file up
    /// to where the tensors' data begins, of which there are `data_len` bytes.
    ///
    /// A list of compressed tensors in the metadata that names a tensor which is not there, or is
    /// stored as it is, belongs to another file, and is replaced.
    ///
    /// # Errors
    ///
    /// `Metadata`, `AlreadyCompressed`, `Io`.
    pub fn new(mut dst: W, header: &[u8], data_len: u64) -> Result<Self, TensorError> {
        let layout = Metadata::parse(header, (header.len() as u64).saturating_add(data_len))?;
        if let Some(name) = list::first_frame(&layout) {
            return Err(TensorError::AlreadyCompressed { name });
        }
        let layout = layout.with_gaps()?;
        let start = dst.stream_position()?;
        let header = HeaderText::new(layout, header);
        Ok(Self {
            dst,
            start,
            header,
            data_start: None,
            written: Vec::new(),
            data: Vec::new(),
            frame: Vec::new(),
            scratch: EncodeScratch::new(),
        })
    }

    /// Sets whether everything gets checksums: frames, whose options have to agree, the header of
    /// the source, and tensors that are stored as they are. Default: `true`. Call it before the
    /// first tensor is written.
    #[must_use]
    pub fn checksums(mut self, wanted: bool) -> Self {
        self.header.has_checksums = wanted;
        self
    }

    /// Returns the tensors that are to be written, in this order. Bytes that belong to no tensor
    /// are among them, as tensors of type `U8`.
    pub fn tensors(&self) -> &[TensorInfo] {
        self.header.layout.tensors()
    }

    /// Writes the next tensor: with options compressed, if that makes the file smaller, without
    /// them as it is. Tensors of types for which this crate has no layout are stored as they are.
    ///
    /// # Errors
    ///
    /// `WrongTensor` if the data has another length than the next tensor, or none is left;
    /// `HeaderTooLong` with the first tensor; `Encode`, also if the options are for another type,
    /// disagree with the writer about checksums, or mark a difference; `Io`.
    pub fn write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, &OneThread)
    }

    /// [`Self::write`] on all threads of the pool.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    #[cfg(feature = "rayon")]
    pub fn par_write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, &Pool)
    }

    /// Writes the next tensor as [`Self::write`] does. Its data is read from the position of
    /// `source`, in bounded memory. A long tensor is read a second time if compressing it saves
    /// nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::write`], and `Source` if the source cannot be read, or ends before the tensor
    /// does.
    pub fn write_from(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
    ) -> Result<(), TensorError>
    where
        W: TensorTarget,
    {
        self.write_from_with(source, options, &OneThread)
    }

    /// Writes the next tensor as [`Self::write_from`] does, on all threads of the pool.
    ///
    /// # Errors
    ///
    /// As [`Self::write_from`].
    #[cfg(feature = "rayon")]
    pub fn par_write_from(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
    ) -> Result<(), TensorError>
    where
        W: TensorTarget,
    {
        self.write_from_with(source, options, &Pool)
    }

    fn write_with(
        &mut self,
        data: &[u8],
        options: Option<&Options>,
        coder: &impl Coder,
    ) -> Result<(), TensorError> {
        self.reserve_header()?;
        let found = Some(data.len() as u64);
        let tensor = next_tensor(&self.header.layout, &self.written, found)?;
        let costs = Costs::of(tensor, self.header.has_checksums, self.header.is_short);
        let mut stored = data;
        let mut compressed = None;
        if let Some(options) = options_for(tensor, options, self.header.has_checksums)? {
            let envelope = envelope(tensor);
            let bound = Geometry::new(data.len(), options, &envelope).bound();
            let frame = &mut self.frame;
            let len = reserve(frame, bound)
                .and_then(|()| coder.compress(data, frame, options, &envelope, &mut self.scratch))
                .map_err(|error| TensorError::Encode { name: tensor.name.clone(), error })?;
            if costs.is_worth(data.len() as u64, len as u64) {
                stored = &frame[..len];
                compressed = options.dtype();
            }
        }
        self.dst.write_all(stored)?;
        let has_checksum = self.header.has_checksums && compressed.is_none();
        let checksum = has_checksum.then(|| checksum(data));
        self.written.push(Written { len: stored.len() as u64, compressed, checksum });
        Ok(())
    }

    fn write_from_with(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
        coder: &impl Coder,
    ) -> Result<(), TensorError>
    where
        W: TensorTarget,
    {
        self.reserve_header()?;
        let tensor = next_tensor(&self.header.layout, &self.written, None)?.to_owned();
        let len = match usize::try_from(tensor.len()) {
            Ok(len) if len <= PART_LEN => {
                let mut data = core::mem::take(&mut self.data);
                read_part(source, len, &mut data)?;
                let result = self.write_with(&data, options, coder);
                self.data = data;
                return result;
            }
            len => len.ok(),
        };
        let from = source.stream_position().map_err(TensorError::Source)?;
        let to = self.dst.stream_position()?;
        let options = options_for(&tensor, options, self.header.has_checksums)?;
        if let (Some(len), Some(options)) = (len, options) {
            if let Some(len) = self.write_frame(source, &tensor, (to, len), options, coder)? {
                let compressed = options.dtype();
                self.written.push(Written { len, compressed, checksum: None });
                return Ok(());
            }
            source.seek(SeekFrom::Start(from)).map_err(TensorError::Source)?;
            self.dst.seek(SeekFrom::Start(to))?;
        }
        let checksum = self.copy_plain(source, tensor.len())?;
        self.dst.set_len(to + tensor.len())?;
        let checksum = self.header.has_checksums.then_some(checksum);
        self.written.push(Written { len: tensor.len(), compressed: None, checksum });
        Ok(())
    }

    /// Writes a frame of the next tensor, which `source` reads, to this place. Returns its length,
    /// or `None` if the tensor is smaller uncompressed.
    fn write_frame(
        &mut self,
        source: &mut impl Read,
        tensor: &TensorInfo,
        (at, len): (u64, usize),
        options: &Options,
        coder: &impl Coder,
    ) -> Result<Option<u64>, TensorError>
    where
        W: TensorTarget,
    {
        let failure = |error| TensorError::Encode { name: tensor.name.clone(), error };
        let envelope = envelope(tensor);
        let mut frame = FrameParts::new(len, options, &envelope).map_err(failure)?;
        let part_len = frame.part_len(coder.part_len());
        let mut hasher = Hasher::default();
        let mut left = len;
        while left > 0 {
            let part_len = part_len.min(left);
            read_part(source, part_len, &mut self.data)?;
            let part = compress_part(&frame, &self.data, &mut self.frame, coder, &mut self.scratch)
                .map_err(failure)?;
            for (plane, (offset, bytes)) in frame.add(&part).into_iter().enumerate() {
                if bytes.is_empty() {
                    continue;
                }
                if plane == 0 && frame.needs_payload_checksum() {
                    hasher.update(bytes);
                }
                self.dst.seek(SeekFrom::Start(at + offset))?;
                self.dst.write_all(bytes)?;
            }
            left -= part_len;
        }
        let frame_len = frame.frame_len();
        if !Costs::of(tensor, self.header.has_checksums, self.header.is_short)
            .is_worth(len as u64, frame_len)
        {
            return Ok(None);
        }
        self.close_gaps(&frame, at, &mut hasher)?;
        let (prefix, slack_at, slack) = frame.finish(hasher.checksum());
        self.dst.seek(SeekFrom::Start(at))?;
        self.dst.write_all(&prefix)?;
        self.dst.seek(SeekFrom::Start(at + slack_at))?;
        self.dst.write_all(&slack)?;
        self.dst.set_len(at + frame_len)?;
        Ok(Some(frame_len))
    }

    /// Moves the planes of a frame together, and hashes all but the first, where that is needed.
    fn close_gaps(&mut self, frame: &FrameParts<'_>, at: u64, hasher: &mut Hasher) -> io::Result<()>
    where
        W: TensorTarget,
    {
        for (from, to) in frame.moves().skip(1) {
            let distance = from.start - to;
            if distance == 0 && !frame.needs_payload_checksum() {
                continue;
            }
            let mut place = from;
            while !place.is_empty() {
                let len = (place.end - place.start).min(COPY_LEN as u64);
                self.dst.seek(SeekFrom::Start(at + place.start))?;
                self.data.resize(len as usize, 0);
                self.dst.read_exact(&mut self.data)?;
                hasher.update(&self.data);
                if distance > 0 {
                    self.dst.seek(SeekFrom::Start(at + place.start - distance))?;
                    self.dst.write_all(&self.data)?;
                }
                place.start += len;
            }
        }
        Ok(())
    }

    /// Copies a tensor as it is, and returns its checksum.
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

    /// Writes the header, and returns what was written to, at the end of the file.
    ///
    /// # Errors
    ///
    /// `WrongTensor` if tensors are missing; `HeaderTooLong`; `Io`.
    pub fn finish(mut self) -> Result<W, TensorError> {
        let data_start = self.reserve_header()?;
        if let Some(missing) = self.header.layout.tensors().get(self.written.len()) {
            return Err(TensorError::WrongTensor { expected: Some(missing.len()), found: None });
        }
        let header = &self.header;
        let room = data_start - Metadata::PREFIX_LEN;
        let len = len_of(|out| header.write(out, &self.written));
        let blanks = room.checked_sub(len).ok_or(TensorError::HeaderTooLong { len })?;
        self.dst.seek(SeekFrom::Start(self.start))?;
        let mut out = BufWriter::new(&mut self.dst);
        out.write_all(&room.to_le_bytes())?;
        header.write(&mut out, &self.written)?;
        io::copy(&mut io::repeat(b' ').take(blanks), &mut out)?;
        out.flush()?;
        drop(out);
        self.dst.seek(SeekFrom::End(0))?;
        self.dst.flush()?;
        Ok(self.dst)
    }

    /// Leaves room for the header before the first tensor, and returns where the data begins.
    fn reserve_header(&mut self) -> Result<u64, TensorError> {
        if let Some(data_start) = self.data_start {
            return Ok(data_start);
        }
        if self.header.is_heavy() {
            self.header.shorten();
        }
        let phase = self.header.layout.data_start() % ALIGNMENT;
        let data_start = write_header::data_start(self.header.longest(), phase).or_else(|_| {
            self.header.shorten();
            write_header::data_start(self.header.longest(), phase)
        })?;
        self.dst.seek(SeekFrom::Start(self.start + data_start))?;
        self.data_start = Some(data_start);
        Ok(data_start)
    }
}

/// Returns the next tensor, which has to have this length, if one is given.
fn next_tensor<'l>(
    layout: &'l Metadata,
    written: &[Written],
    found: Option<u64>,
) -> Result<&'l TensorInfo, TensorError> {
    let tensor = layout.tensors().get(written.len());
    let expected = tensor.map(TensorInfo::len);
    tensor
        .filter(|_| found.is_none() || found == expected)
        .ok_or(TensorError::WrongTensor { expected, found })
}

/// Returns the options with which a tensor is compressed, if it may be.
fn options_for<'o>(
    tensor: &TensorInfo,
    options: Option<&'o Options>,
    has_checksums: bool,
) -> Result<Option<&'o Options>, TensorError> {
    let dtype = tensor.dtype().filter(|_| is_candidate(tensor));
    let Some((options, dtype)) = options.zip(dtype) else { return Ok(None) };
    check_options(options, dtype, has_checksums)
        .map_err(|error| TensorError::Encode { name: tensor.name.clone(), error })?;
    Ok(Some(options))
}

/// Returns the envelope of a tensor's frame.
fn envelope(tensor: &TensorInfo) -> Envelope<'_> {
    Envelope { form: Form::Torch, shape: &tensor.shape, is_aligned: true, ..Envelope::BYTES }
}

/// Replaces the contents of `part` with the next `len` bytes of the source.
fn read_part(source: &mut impl Read, len: usize, part: &mut Vec<u8>) -> Result<(), TensorError> {
    part.resize(len, 0);
    source.read_exact(part).map_err(TensorError::Source)
}

/// Checks that the options fit a tensor of this type, and a file with or without checksums.
fn check_options(
    options: &Options,
    expected: DType,
    has_checksums: bool,
) -> Result<(), EncodeError> {
    let found = options.dtype();
    if found != Some(expected) {
        return Err(EncodeError::WrongDType { expected, found });
    }
    if options.delta != Delta::None {
        return Err(EncodeError::UnexpectedDelta);
    }
    if options.checksums != has_checksums {
        return Err(EncodeError::ChecksumsDiffer);
    }
    Ok(())
}
