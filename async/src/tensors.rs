//! Reads the tensors of a compressed file.

use std::ops::Range;

use zipnn::tensor::{Metadata, MetadataReader, TensorInfo};
use zipnn::typed::{Element, ElementBuf};
use zipnn::{ArchiveError, DecodeErrorKind};

use crate::archive::Archive;
use crate::source::AsyncReadAt;

impl<S: AsyncReadAt> Archive<S> {
    /// Returns the names, types and shapes of the tensors of a file whose format [`Metadata`] knows.
    ///
    /// The archive fetches them once, and then keeps them.
    ///
    /// # Errors
    ///
    /// `Metadata` if the data is no such file, and the errors of [`Self::read_into`].
    pub async fn tensors(&self) -> Result<&Metadata, ArchiveError> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(metadata);
        }
        let metadata = self.read_metadata().await?;
        Ok(self.metadata.get_or_init(|| metadata))
    }

    async fn read_metadata(&self) -> Result<Metadata, ArchiveError> {
        let first = self.directory().map_or(0, |directory| directory.first_decoded_len());
        let mut reader = MetadataReader::new(self.decoded_len()).first_read(first);
        while let Some(range) = reader.wanted() {
            let (start, bytes) = self.read_chunks(range).await?;
            reader.feed_at(start, &bytes)?;
        }
        Ok(reader.finish()?)
    }

    /// Returns the type, the shape and the range of a tensor.
    ///
    /// # Errors
    ///
    /// `NoSuchTensor`, and the errors of [`Self::tensors`].
    pub async fn tensor(&self, name: &str) -> Result<&TensorInfo, ArchiveError> {
        let tensor = self.tensors().await?.tensor(name);
        tensor.ok_or_else(|| ArchiveError::NoSuchTensor { name: name.to_owned() })
    }

    /// Decodes a tensor into bytes.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::tensor`] and [`Self::read_into`].
    pub async fn read_tensor_bytes(&self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        let range = self.tensor(name).await?.range.clone();
        self.read(range).await
    }

    /// Decodes a tensor into `dst`, which must have exactly its length in bytes.
    ///
    /// # Errors
    ///
    /// `OutputTooSmall` if `dst` has another length, and the errors of [`Self::tensor`] and
    /// [`Self::read_into`].
    pub async fn read_tensor_bytes_into(
        &self,
        name: &str,
        dst: &mut [u8],
    ) -> Result<(), ArchiveError> {
        let range = self.tensor(name).await?.range.clone();
        let (needed, have) = (range.end - range.start, dst.len() as u64);
        if needed != have {
            return Err(DecodeErrorKind::OutputTooSmall { needed, have }.into());
        }
        self.read_into(range.start, dst).await
    }

    /// Decodes a tensor into elements.
    ///
    /// # Errors
    ///
    /// `WrongDType` if its elements have another type, `InvalidBool`, and the errors of
    /// [`Self::read_tensor_bytes`].
    pub async fn read_tensor<T: Element>(&self, name: &str) -> Result<Vec<T>, ArchiveError> {
        let tensor = self.tensor(name).await?;
        let range = tensor.range.clone();
        self.read_elements(tensor, range).await
    }

    /// Decodes rows of a tensor, its parts along the first dimension, into elements.
    ///
    /// # Errors
    ///
    /// `Rows` if the tensor has no such rows, and the errors of [`Self::read_tensor`].
    pub async fn read_rows<T: Element>(
        &self,
        name: &str,
        rows: Range<u64>,
    ) -> Result<Vec<T>, ArchiveError> {
        let tensor = self.tensor(name).await?;
        let error = |error| ArchiveError::Rows { name: name.to_owned(), error };
        let range = tensor.rows(rows).map_err(error)?;
        self.read_elements(tensor, range).await
    }

    async fn read_elements<T: Element>(
        &self,
        tensor: &TensorInfo,
        range: Range<u64>,
    ) -> Result<Vec<T>, ArchiveError> {
        if tensor.dtype != T::SAFETENSORS {
            return Err(ArchiveError::WrongDType { found: tensor.dtype.clone() });
        }
        self.check_available(&range)?;
        let mut elements = ElementBuf::new(range.end - range.start)?;
        self.read_into(range.start, elements.as_bytes_mut()).await?;
        Ok(elements.finish()?)
    }

    /// Decodes a range of the data.
    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, ArchiveError> {
        self.check_available(&range)?;
        let mut bytes = ElementBuf::<u8>::new(range.end - range.start)?;
        self.read_into(range.start, bytes.as_bytes_mut()).await?;
        Ok(bytes.finish()?)
    }

    /// Returns an error if the data does not contain a range. Called before memory for it is
    /// allocated.
    fn check_available(&self, range: &Range<u64>) -> Result<(), ArchiveError> {
        Ok(self.seeker().covering::<&[u8]>(range.clone()).map(drop)?)
    }
}
