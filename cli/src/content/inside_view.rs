//! A file with compressed tensors, viewed as the file that it decompresses to.

use std::io;

use zipnn::tensor::TensorInfo;
use zipnn::tensor::{Metadata, MetadataError};

use crate::content::tensor_entry::TensorEntry;
use crate::content::tensor_source::TensorSource;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;

/// Reads a file with compressed tensors by the offsets of the decompressed file.
pub struct InsideView {
    source: TensorSource,
    layout: Metadata,
    /// The index in the source of each tensor of `layout`.
    order: Vec<usize>,
}

impl InsideView {
    /// Opens a file. Reads only its header and the beginnings of frames.
    pub fn open(endpoint: &Endpoint) -> Result<Self, Failure> {
        let source = TensorSource::open_partial(endpoint)?.require_list()?;
        let restored = source.reader.restored_header().map_err(|error| source.failure(error))?;
        let layout = Metadata::parse_header(&restored.header)
            .map_err(|error| source.failure(error.into()))?;
        let order = restored.tensors;
        Ok(Self { source, layout, order })
    }

    /// Returns the metadata of the decompressed file.
    pub fn layout(&self) -> &Metadata {
        &self.layout
    }

    /// Returns all tensors, in the order of their bytes.
    pub fn list(&mut self) -> Vec<TensorEntry> {
        let reader = &self.source.reader;
        let stored = reader.tensors();
        let tensors = self.layout.tensors().iter().zip(&self.order);
        let listed = tensors.map(|(tensor, &number)| TensorEntry {
            name: tensor.name.clone(),
            dtype: tensor.dtype.clone(),
            shape: tensor.shape.clone(),
            len: tensor.len(),
            is_complete: reader.is_complete(number),
            stored_len: stored[number].stored.end - stored[number].stored.start,
            origin: None,
        });
        listed.collect()
    }

    /// Returns why the file is incomplete; `None` if it has all bytes of its tensors.
    pub fn cut(&mut self) -> Option<&MetadataError> {
        self.source.reader.cut()
    }

    /// Returns whether the file has all bytes of the tensor of this name.
    pub fn is_complete(&mut self, name: &str) -> bool {
        let mut tensors = self.layout.tensors().iter().zip(&self.order);
        let found = tensors.find(|(tensor, _)| tensor.name == name);
        found.is_none_or(|(_, &number)| self.source.reader.is_complete(number))
    }

    /// Returns the tensor with this name.
    pub fn tensor(&self, name: &str) -> Result<TensorInfo, Failure> {
        self.layout.tensor(name).cloned().ok_or_else(|| {
            Failure::new(self.source.endpoint(), format_args!("has no tensor {name:?}"))
                .hint("zipnn ls lists all tensors of the file")
        })
    }

    /// Fills `dst` with the bytes of a tensor that begin at `offset` in the decompressed file.
    pub fn read_into(&mut self, offset: u64, dst: &mut [u8]) -> Result<(), Failure> {
        let tensors = self.layout.tensors();
        let behind = tensors.partition_point(|tensor| tensor.range.start <= offset);
        // Tensors without bytes may be anywhere, also within others.
        let is_here = |tensor: &TensorInfo| tensor.range.contains(&offset);
        let Some(number) = tensors[..behind].iter().rposition(is_here) else {
            return Err(Failure::reading(
                self.source.endpoint(),
                io::ErrorKind::UnexpectedEof.into(),
            ));
        };
        let offset = offset - tensors[number].range.start;
        let read = self.source.reader.read_part(self.order[number], offset, dst);
        read.map_err(|error| self.source.failure(error))
    }
}
