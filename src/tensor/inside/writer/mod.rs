//! Writes files with compressed tensors.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::vec::Vec;

use crate::chunk::encode::EncodeScratch;
use crate::options::Options;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::coder::OneThread;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::list;
use crate::tensor::inside::result_header::{ResultHeader, Written};
use crate::tensor::inside::target::TensorTarget;
use crate::tensor::safetensors;
use crate::tensor::safetensors::format::{ALIGNMENT, PREFIX_LEN};
use crate::tensor::safetensors::write::{self, len_of};

mod check;
mod long;
#[cfg(feature = "rayon")]
mod parallel;
mod whole;

/// Writes a `.safetensors` file with compressed tensors, one tensor after another.
///
/// Releases 0.5.1 to 0.5.4 of the original read such files tensor by tensor, and so does every
/// program in which their patch of `safetensors` is active. The metadata contains the header of the
/// source, so that a [`TensorReader`] restores the source byte for byte.
///
/// A tensor is compressed only if that saves more than its entries in the header cost. The writer
/// reserves room for the longest header that the tensors can need and pads the rest with blanks.
/// Every tensor keeps its alignment: a frame that would change it gets a few bytes of padding.
///
/// [`Self::write`] needs memory for a tensor and its compressed form, [`Self::write_from`] a few
/// MiB. The writer also keeps the header in memory. See [`TensorReader`] for an example.
///
/// [`TensorReader`]: crate::tensor::inside::TensorReader
#[derive(Debug)]
#[must_use = "a file without `finish` has no header"]
pub struct TensorWriter<W> {
    dst: W,
    /// Offset of the file in `dst`.
    start: u64,
    header: ResultHeader,
    /// Offset of the data in the file, once room for the header is reserved.
    data_start: Option<u64>,
    written: Vec<Written>,
    /// Data of a tensor, or of a part of one.
    data: Vec<u8>,
    /// Frame of a tensor, or of a part of one.
    frame: Vec<u8>,
    scratch: EncodeScratch,
}

impl<W: Write + Seek> TensorWriter<W> {
    /// Begins a file at the position of `dst`.
    ///
    /// `header` consists of the first bytes of the source, up to its tensor data: the length of its
    /// header, and the header. `data_len` is the length of the data.
    ///
    /// The source's metadata can contain a list of compressed tensors that belongs to another file,
    /// because it names a tensor that is missing or stored uncompressed. The writer replaces such a
    /// list.
    ///
    /// # Errors
    ///
    /// - `Metadata` if the header is malformed or tensors share bytes,
    /// - `AlreadyCompressed`,
    /// - `Io`.
    pub fn new(mut dst: W, header: &[u8], data_len: u64) -> Result<Self, TensorError> {
        let file_len = (header.len() as u64).saturating_add(data_len);
        let metadata = safetensors::parse(header, file_len)?;
        if let Some(name) = list::first_frame(&metadata) {
            return Err(TensorError::AlreadyCompressed { name });
        }
        let metadata = metadata.with_gaps()?;
        let start = dst.stream_position()?;
        Ok(Self {
            dst,
            start,
            header: ResultHeader::new(metadata, header),
            data_start: None,
            written: Vec::new(),
            data: Vec::new(),
            frame: Vec::new(),
            scratch: EncodeScratch::new(),
        })
    }

    /// Sets whether the file gets checksums of everything.
    ///
    /// Frames contain them, and the header contains checksums of the source's header and of
    /// uncompressed tensors. The default is `true`.
    ///
    /// Call this before writing the first tensor. The options of all tensors must agree.
    pub fn checksums(mut self, wanted: bool) -> Self {
        self.header.has_checksums = wanted;
        self
    }

    /// Returns the tensors to write, in this order.
    ///
    /// Bytes that belong to no tensor are included as tensors of type `U8`.
    pub fn tensors(&self) -> &[TensorInfo] {
        self.header.metadata.tensors()
    }

    /// Writes the next tensor, compressed with `options` if that makes the file smaller.
    ///
    /// The tensor is stored uncompressed if there are no options, or if [`DType`](crate::DType)
    /// does not have its type.
    ///
    /// # Errors
    ///
    /// - `WrongTensor` if `data` has another length than the next tensor, or no tensor is left,
    /// - `HeaderTooLong` for the first tensor,
    /// - `Encode`, also if the options are for another type, for a difference, or do not agree with
    ///   [`Self::checksums`],
    /// - `Io`.
    pub fn write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, &OneThread)
    }

    /// Writes the next tensor as [`Self::write`] does, from a reader and in bounded memory.
    ///
    /// The data begins at the position of `source`. A long tensor is read twice if compression
    /// saves nothing.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::write`], and `Source` if the source fails or ends before the tensor
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

    /// Writes the header and returns the output at the end of the file.
    ///
    /// # Errors
    ///
    /// - `WrongTensor` if tensors are missing,
    /// - `HeaderTooLong` if the file has no tensors,
    /// - `Io`.
    pub fn finish(mut self) -> Result<W, TensorError> {
        let data_start = self.reserve_header()?;
        if let Some(missing) = self.tensors().get(self.written.len()) {
            return Err(TensorError::WrongTensor { expected: Some(missing.len()), found: None });
        }
        let header = &self.header;
        let room = data_start - PREFIX_LEN;
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

    /// Reserves room for the header before the first tensor, and returns the offset of the data.
    fn reserve_header(&mut self) -> Result<u64, TensorError> {
        if let Some(data_start) = self.data_start {
            return Ok(data_start);
        }
        if self.header.is_heavy() {
            self.header.shorten();
        }
        let phase = self.header.metadata.data_start() % ALIGNMENT;
        let data_start = write::data_start(self.header.longest(), phase)
            .or_else(|_| {
                self.header.shorten();
                write::data_start(self.header.longest(), phase)
            })
            .map_err(|len| TensorError::HeaderTooLong { len })?;
        self.dst.seek(SeekFrom::Start(self.start + data_start))?;
        self.data_start = Some(data_start);
        Ok(data_start)
    }

    /// Returns the next tensor, or an error if none is left.
    fn next_tensor(&self) -> Result<&TensorInfo, TensorError> {
        let next = self.tensors().get(self.written.len());
        next.ok_or(TensorError::WrongTensor { expected: None, found: None })
    }
}
