//! Reads the tensors of a compressed file.

use core::ops::Range;
use std::borrow::ToOwned;
use std::string::ToString;
use std::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::io::archive::Archive;
use crate::io::archive::error::ArchiveError;
use crate::io::archive::listing::Listing;
use crate::io::archive::scratch::Bytes;
use crate::io::read_at::ReadAt;
use crate::tensor::error::MetadataError;
use crate::tensor::info::TensorInfo;
use crate::tensor::metadata::Metadata;
use crate::tensor::read::MetadataReader;
use crate::tensor::rows::RowsError;
use crate::tensor::safetensors::PREFIX_LEN;
use crate::try_alloc::zeroed;
use crate::typed::{Element, elements_from};

impl<S: ReadAt, B: ReadAt> Archive<S, B> {
    /// Returns the names, types and shapes of the tensors of a file whose
    /// format [`Metadata`] knows.
    ///
    /// Their ranges are ranges of the decoded data. The archive reads them once, and then keeps
    /// them.
    ///
    /// ```
    /// use half::bf16;
    /// use zipnn::{Archive, DType, Limits, Options};
    ///
    /// let header = br#"{"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}"#;
    /// let mut data = (header.len() as u64).to_le_bytes().to_vec();
    /// data.extend_from_slice(header);
    /// data.extend((0..6).flat_map(|i| bf16::from_f32(i as f32).to_le_bytes()));
    /// let file = zipnn::compress(&data, &Options::new(DType::BF16))?;
    ///
    /// let archive = Archive::open(file, Limits::default())?;
    /// for tensor in archive.tensors()?.tensors() {
    ///     let weights: Vec<bf16> = archive.read_tensor(&tensor.name)?;
    ///     assert_eq!(weights.len() as u64, tensor.shape.iter().product::<u64>());
    /// }
    /// let row: Vec<bf16> = archive.read_rows("a", 1..2)?;
    /// assert_eq!(row, [3.0, 4.0, 5.0].map(bf16::from_f32));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Metadata` if the data is no such file, and the errors of [`Self::read_into`].
    /// For an incomplete file, this returns all tensors in the header, whether their bytes are
    /// available or not.
    pub fn tensors(&self) -> Result<&Metadata, ArchiveError> {
        if let Some(tensors) = self.tensors.get() {
            return Ok(&tensors.metadata);
        }
        let metadata = self.read_metadata()?;
        let missing = self.missing_data(&metadata);
        Ok(&self.tensors.get_or_init(|| Listing { metadata, missing }).metadata)
    }

    fn read_metadata(&self) -> Result<Metadata, ArchiveError> {
        if self.seeker.cut().is_none() {
            match self.read_parts() {
                // The data may be incomplete although no frame is.
                Err(ArchiveError::Metadata(
                    MetadataError::MissingData { .. }
                    | MetadataError::HeaderTooLong { .. }
                    | MetadataError::Truncated { .. },
                )) if self.seeker.is_partial() => {}
                read => return read,
            }
        }
        let mut beginning = Vec::new();
        let mut needed = match self.seeker.cut() {
            None => PREFIX_LEN.min(self.decoded_len()),
            Some(_) => PREFIX_LEN,
        };
        loop {
            self.append(beginning.len() as u64..needed, &mut beginning)?;
            match self.parse_partial(&beginning) {
                Err(MetadataError::Truncated { needed: more, .. })
                    if more <= self.decoded_len() || self.seeker.cut().is_some() =>
                {
                    needed = more;
                }
                parsed => return Ok(parsed?),
            }
        }
    }

    /// Reads headers anywhere in the data.
    fn read_parts(&self) -> Result<Metadata, ArchiveError> {
        let mut reader = MetadataReader::new(self.decoded_len())
            .first_read(self.directory().first_decoded_len());
        let mut chunks = Vec::new();
        while let Some(range) = reader.wanted() {
            let start = self.read_chunks(range, &mut chunks)?;
            reader.feed_at(start, &chunks)?;
        }
        Ok(reader.finish()?)
    }

    /// Replaces `bytes` with the chunks that contain the beginning of a range, and returns their
    /// offset in the data.
    fn read_chunks(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<u64, ArchiveError> {
        bytes.clear();
        self.pool.with(|scratch| {
            let mut parts = self.seeker.covering::<Bytes<'_>>(range.clone())?;
            let Some(mut part) = parts.next() else { return Ok(range.start) };
            scratch.fill(&self.source, &mut part)?;
            part.widen();
            let start = part.decoded_range().start;
            bytes.resize(part.decoded_len() as usize, 0);
            self.decode_part(part, bytes, scratch)?;
            Ok(start)
        })
    }

    /// Parses a header of an incomplete file, in which only the header says how long the data was.
    fn parse_partial(&self, beginning: &[u8]) -> Result<Metadata, MetadataError> {
        Metadata::parse(beginning, self.decoded_len()).or_else(|error| {
            Metadata::parse_header(beginning).map_err(|other| match other {
                MetadataError::Truncated { .. } => other,
                _ => error,
            })
        })
    }

    /// Returns an error if the data ends before its last tensor, although no frame is incomplete.
    fn missing_data(&self, metadata: &Metadata) -> Option<DecodeError> {
        let needed = metadata.tensors().iter().map(|tensor| tensor.range.end).max();
        let (needed, have) = (needed.unwrap_or_default(), self.available_len());
        let is_missing = needed > have && self.seeker.cut().is_none();
        is_missing.then(|| DecodeErrorKind::Truncated { needed, have }.into())
    }

    /// Appends a range of the data to `bytes`. Memory grows with the bytes that are read, because
    /// the stated length may be wrong.
    fn append(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), ArchiveError> {
        /// Bytes that are read at a time.
        const PART: u64 = 1 << 20;
        let mut at = range.start;
        while at < range.end {
            let (start, part) = (bytes.len(), PART.min(range.end - at));
            bytes.resize(start + part as usize, 0);
            self.read_into(at, &mut bytes[start..])?;
            at += part;
        }
        Ok(())
    }

    /// Returns the names of the tensors, in the order of their bytes.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::tensors`].
    pub fn tensor_names(&self) -> Result<impl ExactSizeIterator<Item = &str>, ArchiveError> {
        Ok(self.tensors()?.tensors().iter().map(|tensor| tensor.name.as_str()))
    }

    /// Returns the type, the shape and the range of a tensor.
    ///
    /// # Errors
    ///
    /// `NoSuchTensor`, and the errors of [`Self::tensors`].
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo, ArchiveError> {
        self.tensors()?
            .tensor(name)
            .ok_or_else(|| ArchiveError::NoSuchTensor { name: name.to_string() })
    }

    /// Decodes a tensor into bytes.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::tensor`] and [`Self::read_into`].
    pub fn read_tensor_bytes(&self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        self.read_range(self.tensor(name)?.range.clone())
    }

    /// Decodes a tensor into `dst`, which must have exactly its length in bytes.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall` if `dst` has another length, and the errors of [`Self::tensor`] and
    /// [`Self::read_into`].
    pub fn read_tensor_bytes_into(&self, name: &str, dst: &mut [u8]) -> Result<(), ArchiveError> {
        self.read_range_into(self.tensor(name)?.range.clone(), dst)
    }

    /// Decodes a tensor into elements.
    ///
    /// # Errors
    ///
    /// `WrongDType` if its elements have another type, `InvalidBool`, and the errors of
    /// [`Self::tensor`] and [`Self::read_into`].
    pub fn read_tensor<T: Element>(&self, name: &str) -> Result<Vec<T>, ArchiveError> {
        let tensor = self.tensor(name)?;
        check_dtype::<T>(tensor)?;
        self.read_elements(tensor.range.clone())
    }

    /// Decodes rows of a tensor, its parts along the first dimension, into bytes.
    ///
    /// # Errors
    ///
    /// `Rows` if the tensor has no such rows, or they begin or end within a byte, and the errors of
    /// [`Self::read_tensor_bytes`].
    pub fn read_rows_bytes(&self, name: &str, rows: Range<u64>) -> Result<Vec<u8>, ArchiveError> {
        self.read_range(rows_of(self.tensor(name)?, rows)?)
    }

    /// Decodes rows of a tensor into `dst`, which must have exactly their length in bytes.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::read_rows_bytes`] and [`Self::read_tensor_bytes_into`].
    pub fn read_rows_bytes_into(
        &self,
        name: &str,
        rows: Range<u64>,
        dst: &mut [u8],
    ) -> Result<(), ArchiveError> {
        self.read_range_into(rows_of(self.tensor(name)?, rows)?, dst)
    }

    /// Decodes rows of a tensor into elements.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::read_rows_bytes`] and [`Self::read_tensor`].
    pub fn read_rows<T: Element>(
        &self,
        name: &str,
        rows: Range<u64>,
    ) -> Result<Vec<T>, ArchiveError> {
        let tensor = self.tensor(name)?;
        check_dtype::<T>(tensor)?;
        self.read_elements(rows_of(tensor, rows)?)
    }

    fn read_elements<T: Element>(&self, range: Range<u64>) -> Result<Vec<T>, ArchiveError> {
        self.check_available(&range)?;
        elements_from(range.end - range.start, |bytes| self.read_into(range.start, bytes))
    }

    fn read_range(&self, range: Range<u64>) -> Result<Vec<u8>, ArchiveError> {
        self.check_available(&range)?;
        let mut bytes = zeroed(range.end - range.start)?;
        self.read_into(range.start, &mut bytes)?;
        Ok(bytes)
    }

    fn read_range_into(&self, range: Range<u64>, dst: &mut [u8]) -> Result<(), ArchiveError> {
        let (needed, have) = (range.end - range.start, dst.len() as u64);
        if needed != have {
            return Err(DecodeErrorKind::OutputTooSmall { needed, have }.into());
        }
        self.read_into(range.start, dst)
    }
}

fn rows_of(tensor: &TensorInfo, rows: Range<u64>) -> Result<Range<u64>, ArchiveError> {
    let error = |error: RowsError| ArchiveError::Rows { name: tensor.name.clone(), error };
    tensor.rows(rows).map_err(error)
}

fn check_dtype<T: Element>(tensor: &TensorInfo) -> Result<(), ArchiveError> {
    if tensor.dtype == T::SAFETENSORS {
        return Ok(());
    }
    Err(ArchiveError::WrongDType { found: tensor.dtype.to_owned() })
}
