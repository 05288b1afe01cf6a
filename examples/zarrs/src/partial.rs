//! Decodes parts of a chunk.

use std::borrow::Cow;
use std::sync::Arc;

use zarrs::array::ArrayBytesRaw;
use zarrs::array::codec::api::{BytesPartialDecoderTraits, CodecError, CodecOptions};
use zarrs::storage::StorageError;
use zarrs::storage::byte_range::{ByteRange, ByteRangeIterator, InvalidByteRangeError};
use zipnn::io::ReadAt;
use zipnn::{Archive, ArchiveError, Limits};

use crate::NAME;
use crate::codec::failed;

/// Decodes byte ranges of a chunk, and only those parts of the file that contain them.
pub struct PartialDecoder {
    input: Arc<dyn BytesPartialDecoderTraits>,
    limits: Limits,
}

impl PartialDecoder {
    /// Creates a decoder that reads a compressed chunk from `input`.
    pub fn new(input: Arc<dyn BytesPartialDecoderTraits>, limits: Limits) -> Self {
        Self { input, limits }
    }
}

impl BytesPartialDecoderTraits for PartialDecoder {
    fn exists(&self) -> Result<bool, StorageError> {
        self.input.exists()
    }

    fn size_held(&self) -> usize {
        self.input.size_held()
    }

    fn partial_decode_many(
        &self,
        decoded_regions: ByteRangeIterator<'_>,
        options: &CodecOptions,
    ) -> Result<Option<Vec<ArrayBytesRaw<'_>>>, CodecError> {
        let Some(file) = self.input.decode(options)? else {
            return Ok(None);
        };
        let archive = Archive::open(&file[..], self.limits).map_err(failed_to_read)?;
        decoded_regions.map(|region| read(&archive, region)).collect::<Result<_, _>>().map(Some)
    }

    fn supports_partial_decode(&self) -> bool {
        true
    }
}

fn read(
    archive: &Archive<impl ReadAt>,
    region: ByteRange,
) -> Result<ArrayBytesRaw<'static>, CodecError> {
    let len = archive.decoded_len();
    let (start, end) = match region {
        ByteRange::FromStart(start, None) => (start, len),
        ByteRange::FromStart(start, Some(part)) => (start, start.saturating_add(part)),
        ByteRange::Suffix(part) => (len.saturating_sub(part), len),
    };
    if start > end || end > len {
        return Err(InvalidByteRangeError::new(region, len).into());
    }
    let mut data = vec![0; (end - start) as usize];
    archive.read_into(start, &mut data).map_err(failed_to_read)?;
    Ok(Cow::Owned(data))
}

fn failed_to_read(error: ArchiveError) -> CodecError {
    match error {
        ArchiveError::Decode(error) => failed(error),
        other => CodecError::Other(format!("{NAME}: {other}")),
    }
}
