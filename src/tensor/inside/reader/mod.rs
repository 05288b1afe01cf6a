//! Reads files with compressed tensors.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::vec::Vec;

use crate::limits::Limits;
use crate::tensor::error::MetadataError;
use crate::tensor::inside::checksums::{CHECKSUMS, Checksums};
use crate::tensor::inside::doubt::Doubt;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::header_form::SOURCE_HEADER;
use crate::tensor::inside::list_state::ListState;
use crate::tensor::inside::open_frame::{DecodeBuffers, OpenFrame};
use crate::tensor::inside::restored_header::{Compressed, RestoredHeader};
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::metadata::Metadata;
use crate::tensor::safetensors;

mod check;
mod find;
#[cfg(feature = "rayon")]
mod parallel;
mod part;
mod stored;
mod whole;

/// Reads a `.safetensors` file in which tensors can be compressed.
///
/// Opening reads only the header and the beginning of each frame. Afterwards, tensors can be read
/// in any order, whole or in part.
///
/// A list in the metadata names the compressed tensors. The list is missing in some files of
/// releases 0.5.3 and 0.5.4 of the original. It belongs to another file if a tool has saved other
/// tensors with the metadata of a compressed file. In both cases, the reader examines every
/// one-dimensional `U8` tensor, and treats it as compressed if its bytes are exactly one frame of a
/// tensor.
///
/// ```
/// use std::io::Cursor;
/// use zipnn::tensor::inside::{TensorReader, TensorWriter};
/// use zipnn::{DType, Limits, Options};
///
/// let header = br#"{"a":{"dtype":"BF16","shape":[40,50],"data_offsets":[0,4000]}}"#;
/// let mut source = (header.len() as u64).to_le_bytes().to_vec();
/// source.extend_from_slice(header);
/// let weights = [0x80, 0x3f].repeat(2000);
/// let mut writer = TensorWriter::new(Cursor::new(Vec::new()), &source, 4000)?;
/// writer.write(&weights, Some(&Options::new(DType::BF16)))?;
/// let file = writer.finish()?;
///
/// let mut reader = TensorReader::open(file, Limits::default())?;
/// assert_eq!(reader.tensors()[0].shape, [40, 50]);
/// let mut decoded = Vec::new();
/// reader.read(0, &mut decoded)?;
/// assert_eq!(decoded, weights);
/// # Ok::<(), zipnn::tensor::inside::TensorError>(())
/// ```
#[derive(Debug)]
pub struct TensorReader<R> {
    source: R,
    metadata: Metadata,
    /// Length of the header, and the header.
    header: Vec<u8>,
    tensors: Vec<StoredTensor>,
    list: ListState,
    /// Why the list, or other metadata of compressed tensors, does not match the file.
    problem: Option<TensorError>,
    /// Tensors that may be damaged, by their index.
    doubts: BTreeMap<usize, Doubt>,
    /// Checksums, if the file has them and the limits require verification.
    checksums: Option<Checksums>,
    /// Checksum of each tensor from [`Self::checksums`].
    tensor_checksums: Vec<Option<u64>>,
    limits: Limits,
    /// Stored bytes of the tensor that was read last.
    stored: Vec<u8>,
    buffers: DecodeBuffers,
    /// Tensor of which parts were read last.
    opened: Option<Opened>,
    /// Why the file is incomplete.
    cut: Option<MetadataError>,
    /// Length of the file, which is shorter than its tensors need if it is incomplete.
    file_len: u64,
}

/// A tensor from which parts can be read.
#[derive(Debug)]
struct Opened {
    tensor: usize,
    /// Frame of a compressed tensor. An uncompressed one has been verified.
    frame: Option<OpenFrame>,
}

impl<R: Read + Seek> TensorReader<R> {
    /// Opens a file that begins at the beginning of `source`.
    ///
    /// The limits apply to each tensor on its own. A list of compressed tensors that does not match
    /// the file is not an error: [`Self::list_problem`] reports it.
    ///
    /// # Errors
    ///
    /// - `Io`,
    /// - `Metadata` if it is not a `.safetensors` file,
    /// - `InvalidMetadata` if its checksums are malformed.
    pub fn open(source: R, limits: Limits) -> Result<Self, TensorError> {
        Self::open_with(source, limits, false)
    }

    /// Opens a file whose end may be missing, such as an interrupted download.
    ///
    /// [`Self::cut`] then returns why it is incomplete, and [`Self::is_complete`] which tensors can
    /// be read. If the beginning of a frame is missing or damaged, the list provides the tensor's
    /// type and shape.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::open`] except `Metadata` with `MissingData`.
    pub fn open_partial(source: R, limits: Limits) -> Result<Self, TensorError> {
        Self::open_with(source, limits, true)
    }

    fn open_with(mut source: R, limits: Limits, is_partial: bool) -> Result<Self, TensorError> {
        let file_len = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let (metadata, header, cut) = match read_metadata(&mut source, file_len) {
            Err(TensorError::Metadata(cut @ MetadataError::MissingData { .. })) if is_partial => {
                source.rewind()?;
                let (_, header) = read_metadata(&mut source, u64::MAX)?;
                (Metadata::parse_header(&header)?, header, Some(cut))
            }
            read => read.map(|(metadata, header)| (metadata, header, None))?,
        };
        let mut reader = Self {
            source,
            checksums: None,
            tensor_checksums: Vec::new(),
            tensors: Vec::new(),
            list: ListState::NotNeeded,
            problem: None,
            doubts: BTreeMap::new(),
            header,
            metadata,
            limits,
            stored: Vec::new(),
            buffers: DecodeBuffers::default(),
            opened: None,
            cut,
            file_len,
        };
        reader.find_tensors(is_partial)?;
        reader.check_leftovers();
        reader.read_checksums()?;
        Ok(reader)
    }

    /// Returns why the file is incomplete, or `None` if it contains all bytes of its tensors.
    ///
    /// Always `None` unless the file was opened with [`Self::open_partial`].
    pub fn cut(&self) -> Option<&MetadataError> {
        self.cut.as_ref()
    }

    /// Returns whether the file contains all bytes of the tensor with index `tensor`.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    pub fn is_complete(&self, tensor: usize) -> bool {
        let stored = &self.tensors[tensor].stored;
        stored.is_empty() || stored.end <= self.file_len
    }

    /// Returns the length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Returns all tensors, compressed or not, in the order of the file.
    ///
    /// Bytes that belong to no tensor are included as `U8` tensors, unless tensors share bytes.
    pub fn tensors(&self) -> &[StoredTensor] {
        &self.tensors
    }

    /// Returns the header as stored, in which compressed tensors are one-dimensional `U8` tensors.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the bytes of the header as stored, after its length.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Returns whether the file contains compressed tensors or a matching list of them.
    pub fn is_compressed(&self) -> bool {
        match self.list {
            ListState::Present | ListState::Lost => true,
            ListState::Stale => self.tensors.iter().any(|tensor| tensor.is_compressed),
            ListState::NotNeeded => false,
        }
    }

    /// Returns why the list of compressed tensors does not match the file, or `None` if it does.
    ///
    /// This includes other metadata that belongs to the list. The data need not be damaged: some
    /// tools save tensors with the metadata of a compressed file. If a tensor may be damaged,
    /// reading it returns an error. [`Self::repaired_header`] returns a header with a matching list
    /// or without one.
    pub fn list_problem(&self) -> Option<&TensorError> {
        self.problem.as_ref()
    }

    /// Returns whether the metadata about compressed tensors belongs to another file.
    ///
    /// This applies to the list of compressed tensors and to the source's header.
    /// [`Self::repaired_header`] drops metadata of another file.
    pub fn has_foreign_metadata(&self) -> bool {
        self.problem.is_some() || (self.is_ours() && self.compressed().source_header().is_none())
    }

    /// Returns whether the list of compressed tensors is missing.
    ///
    /// The original cannot read such a file.
    pub fn is_list_lost(&self) -> bool {
        self.list == ListState::Lost
    }

    /// Returns whether a [`TensorWriter`](crate::tensor::inside::TensorWriter) wrote the file.
    pub fn is_ours(&self) -> bool {
        [SOURCE_HEADER, CHECKSUMS].iter().any(|&key| self.metadata.metadata().contains_key(key))
    }

    /// Returns whether reads verify checksums of data outside frames.
    ///
    /// Only some files contain such checksums.
    pub fn has_checksums(&self) -> bool {
        self.checksums.is_some()
    }

    /// Returns the header and the order of tensors of the file that this one decodes to.
    ///
    /// A file from a [`TensorWriter`](crate::tensor::inside::TensorWriter) contains the header of
    /// its source. Any other file gets a header as the safetensors library writes it, and bytes
    /// that belong to no tensor are omitted.
    ///
    /// # Errors
    ///
    /// `HeaderTooLong`, and `Decode` if the tensors together are longer than any file.
    pub fn restored_header(&self) -> Result<RestoredHeader, TensorError> {
        self.compressed().source_header().map_or_else(|| self.compressed().new_header(), Ok)
    }

    /// Returns the source, and the header as stored after its length.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.source, self.header)
    }

    /// Returns the tensors of the list that may be damaged.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = (usize, Doubt)> {
        self.doubts.iter().map(|(&number, &doubt)| (number, doubt))
    }

    fn compressed(&self) -> Compressed<'_> {
        Compressed {
            metadata: &self.metadata,
            tensors: &self.tensors,
            source_header: self.checksums.as_ref().map(|checksums| checksums.source_header),
        }
    }
}

/// Reads the header of a file of `file_len` bytes from its beginning, and returns it parsed and as
/// bytes.
fn read_metadata(
    source: &mut impl Read,
    file_len: u64,
) -> Result<(Metadata, Vec<u8>), TensorError> {
    let mut bytes = Vec::new();
    loop {
        match safetensors::parse(&bytes, file_len) {
            Ok(metadata) => return Ok((metadata, bytes)),
            Err(MetadataError::Truncated { needed, have }) => {
                let read = source.take(needed - have).read_to_end(&mut bytes)?;
                if (read as u64) < needed - have {
                    let have = bytes.len() as u64;
                    return Err(MetadataError::Truncated { needed, have }.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}
