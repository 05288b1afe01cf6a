//! The tensors of a compressed `.safetensors` file.

use core::ops::Range;
use std::borrow::ToOwned;
use std::io::{Read, Seek};
use std::string::ToString;
use std::vec::Vec;

use crate::error::DecodeErrorKind;
use crate::io::archive::Archive;
use crate::io::archive::error::ArchiveError;
use crate::tensor::info::TensorInfo;
use crate::tensor::rows::RowsError;
use crate::tensor::safetensors::error::MetadataError;
use crate::tensor::safetensors::metadata::Metadata;
use crate::typed::{Element, swap_on_big_endian, zeroed_elements};

impl<S: Read + Seek, B: Read + Seek> Archive<S, B> {
    /// Names, types and shapes of the tensors, if the data is that of a `.safetensors` file. Their
    /// ranges are of the decoded data. Read once, and then kept.
    ///
    /// ```
    /// use std::io::Cursor;
    /// use half::bf16;
    /// use zipnn::{Archive, DType, Limits, Options};
    ///
    /// let header = br#"{"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}"#;
    /// let mut data = (header.len() as u64).to_le_bytes().to_vec();
    /// data.extend_from_slice(header);
    /// data.extend((0..6).flat_map(|i| bf16::from_f32(i as f32).to_le_bytes()));
    /// let file = zipnn::compress(&data, &Options::new(DType::BF16))?;
    ///
    /// let mut archive = Archive::open(Cursor::new(file), Limits::default())?;
    /// assert_eq!(archive.tensors()?.tensors()[0].shape, [2, 3]);
    /// let row: Vec<bf16> = archive.read_rows("a", 1..2)?;
    /// assert_eq!(row, [3.0, 4.0, 5.0].map(bf16::from_f32));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Metadata` if it is no such file, and as [`Self::read_into`]. For an incomplete file, all tensors
    /// are returned whose names are available, whether their bytes are or not.
    pub fn tensors(&mut self) -> Result<&Metadata, ArchiveError> {
        if self.layout.is_none() {
            let layout = self.read_layout()?;
            self.note_missing(&layout);
            self.layout = Some(layout);
        }
        self.layout.as_ref().ok_or_else(|| DecodeErrorKind::OutOfRange.into())
    }

    fn read_layout(&mut self) -> Result<Metadata, ArchiveError> {
        /// Bytes of the first frame that are read at once: more than most headers have.
        const FIRST_READ: u64 = 64 << 10;
        let data_len = self.decoded_len();
        let first = self.directory().entries().iter().find(|entry| entry.decoded_len > 0);
        let first_len = first.map_or(0, |entry| entry.decoded_len.min(FIRST_READ));
        let mut beginning = Vec::new();
        self.read_up_to(first_len.min(self.available_len()), &mut beginning)?;
        loop {
            let parsed = match Metadata::parse(&beginning, data_len) {
                // Only the header says how long the data was.
                Err(error) if self.is_partial => {
                    Metadata::parse_header(&beginning).map_err(|other| match other {
                        MetadataError::Truncated { .. } => other,
                        _ => error,
                    })
                }
                parsed => parsed,
            };
            match parsed {
                Ok(layout) => return Ok(layout),
                Err(MetadataError::Truncated { needed, .. })
                    if needed <= data_len || self.cut.is_some() =>
                {
                    self.read_up_to(needed, &mut beginning)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Detects that the data ends before its last tensor, although no frame is incomplete.
    fn note_missing(&mut self, layout: &Metadata) {
        let needed = layout.tensors().iter().map(|tensor| tensor.range.end).max();
        let (needed, have) = (needed.unwrap_or_default(), self.available_len());
        if needed > have && self.cut.is_none() {
            self.cut = Some(DecodeErrorKind::Truncated { needed, have }.into());
        }
    }

    /// Reads on until `bytes` hold the first `len` bytes of the data. How long the header is, is
    /// only a promise; so memory grows with what has been read.
    fn read_up_to(&mut self, len: u64, bytes: &mut Vec<u8>) -> Result<(), ArchiveError> {
        /// Bytes that are read at a time.
        const PART: u64 = 1 << 20;
        while (bytes.len() as u64) < len {
            let start = bytes.len();
            let part = PART.min(len - start as u64) as usize;
            bytes.resize(start + part, 0);
            self.read_into(start as u64, &mut bytes[start..])?;
        }
        Ok(())
    }

    /// The tensor of this name.
    ///
    /// # Errors
    ///
    /// `NoSuchTensor`, and as [`Self::tensors`].
    pub fn tensor(&mut self, name: &str) -> Result<&TensorInfo, ArchiveError> {
        self.tensors()?
            .tensor(name)
            .ok_or_else(|| ArchiveError::NoSuchTensor { name: name.to_string() })
    }

    /// Decodes a tensor's bytes into `dst`, which has exactly their length.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall` if it has another length, and as [`Self::tensor`] and [`Self::read_into`].
    pub fn read_tensor_into(&mut self, name: &str, dst: &mut [u8]) -> Result<(), ArchiveError> {
        let range = self.tensor(name)?.range.clone();
        self.read_range_into(range, dst)
    }

    /// Decodes some of a tensor's rows, which are its parts along the first dimension, into `dst`,
    /// which has exactly their length in bytes.
    ///
    /// # Errors
    ///
    /// `Rows` if the tensor has no such rows, or they begin or end within a byte; and as
    /// [`Self::read_tensor_into`].
    pub fn read_rows_into(
        &mut self,
        name: &str,
        rows: Range<u64>,
        dst: &mut [u8],
    ) -> Result<(), ArchiveError> {
        let range = rows_of(self.tensor(name)?, rows)?;
        self.read_range_into(range, dst)
    }

    /// Decodes a tensor into numbers.
    ///
    /// # Errors
    ///
    /// `WrongDType` if its elements are of another type, and as [`Self::tensor`] and
    /// [`Self::read_into`].
    pub fn read_tensor<T: Element>(&mut self, name: &str) -> Result<Vec<T>, ArchiveError> {
        let tensor = self.tensor(name)?;
        check_dtype::<T>(tensor)?;
        let range = tensor.range.clone();
        self.read_elements(range)
    }

    /// Decodes some of a tensor's rows into numbers.
    ///
    /// # Errors
    ///
    /// As [`Self::read_tensor`] and [`Self::read_rows_into`].
    pub fn read_rows<T: Element>(
        &mut self,
        name: &str,
        rows: Range<u64>,
    ) -> Result<Vec<T>, ArchiveError> {
        let tensor = self.tensor(name)?;
        check_dtype::<T>(tensor)?;
        let range = rows_of(tensor, rows)?;
        self.read_elements(range)
    }

    fn read_elements<T: Element>(&mut self, range: Range<u64>) -> Result<Vec<T>, ArchiveError> {
        let mut elements = zeroed_elements::<T>(range.end - range.start)?;
        self.read_into(range.start, bytemuck::cast_slice_mut(&mut elements))?;
        swap_on_big_endian(&mut elements);
        Ok(elements)
    }

    fn read_range_into(&mut self, range: Range<u64>, dst: &mut [u8]) -> Result<(), ArchiveError> {
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
    if tensor.dtype() == Some(T::DTYPE) {
        return Ok(());
    }
    Err(ArchiveError::WrongDType { found: tensor.dtype.to_owned() })
}
