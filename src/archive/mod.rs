//! Reading any part of a compressed file.

mod damage;
mod error;
#[cfg(feature = "safetensors")]
mod tensors;

use core::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::vec::Vec;

pub use damage::Damage;
pub use error::ArchiveError;

use crate::chunk::DecodeScratch;
use crate::directory::Directory;
use crate::error::DecodeErrorKind;
use crate::limits::Limits;
#[cfg(feature = "safetensors")]
use crate::safetensors::Layout;
use crate::seek::Seeker;

/// A compressed file in which any part can be read without decoding the rest; with the feature
/// `safetensors`, tensor by tensor.
///
/// It reads from a file or, through [`std::io::Cursor`], from memory. It decodes only the chunks
/// that are needed, into the caller's memory where they fit there whole, and verifies every one of
/// them that has a checksum. It keeps the directory of the file in memory, 32 bytes a frame, and
/// what is read of one frame at a time. For sources that cannot block, such as HTTP ranges, there is
/// the [`Seeker`] beneath it.
///
/// ```
/// use std::io::{Cursor, Write};
/// use zipnn::{Archive, DType, Encoder, Limits, Options};
///
/// let data: Vec<u8> = (0..100_000_u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
/// let mut encoder = Encoder::new(Vec::new(), Options::new(DType::F32))?;
/// encoder.write_all(&data)?;
/// let file = encoder.finish()?;
///
/// let mut archive = Archive::open(Cursor::new(&file), Limits::default())?;
/// let mut number = [0; 4];
/// archive.read_into(77_777 * 4, &mut number)?;
/// assert_eq!(f32::from_le_bytes(number), 77_777.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Archive<S> {
    source: S,
    seeker: Seeker,
    scratch: DecodeScratch,
    /// What has been read last.
    bytes: Vec<u8>,
    /// Which tensors there are, once that has been asked.
    #[cfg(feature = "safetensors")]
    layout: Option<Layout>,
}

impl<S: Read + Seek> Archive<S> {
    /// Finds the frames of the file that `source` reads from its beginning to its end.
    ///
    /// # Errors
    ///
    /// Those of the source, and of [`Seeker::feed`].
    pub fn open(mut source: S, limits: Limits) -> Result<Self, ArchiveError> {
        let file_len = source.seek(SeekFrom::End(0))?;
        let mut seeker = Seeker::new(file_len, limits);
        let mut bytes = Vec::new();
        while let Some(range) = seeker.wanted() {
            read(&mut source, range.start, range.end - range.start, &mut bytes)?;
            seeker.feed(&bytes)?;
        }
        Ok(Self {
            source,
            seeker,
            scratch: DecodeScratch::new(),
            bytes,
            #[cfg(feature = "safetensors")]
            layout: None,
        })
    }

    /// Bytes that the whole file decodes to.
    pub fn decoded_len(&self) -> u64 {
        self.directory().decoded_len()
    }

    /// The frames of the file.
    pub fn directory(&self) -> &Directory {
        self.seeker.directory().unwrap_or(Directory::EMPTY)
    }

    /// Decodes the bytes from `offset` on, as many as `dst` holds.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the data ends before; what is wrong with the frames that hold it; those of
    /// the source. `dst` is then unspecified.
    pub fn read_into(&mut self, offset: u64, dst: &mut [u8]) -> Result<(), ArchiveError> {
        let end = offset.checked_add(dst.len() as u64).ok_or(DecodeErrorKind::OutOfRange)?;
        let mut rest = dst;
        for mut part in self.seeker.covering(offset..end)? {
            while let Some(range) = part.wanted() {
                let len = range.end - range.start;
                read(&mut self.source, range.start, len, &mut self.bytes)?;
                part.feed(&self.bytes)?;
            }
            // The parts cover no more than the range, whose length is that of `dst`.
            let (decoded, behind) = rest.split_at_mut(part.decoded_len() as usize);
            part.decode_into(decoded, &mut self.scratch)?;
            rest = behind;
        }
        Ok(())
    }

    /// The source, wherever it stands.
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S> fmt::Debug for Archive<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("seeker", &self.seeker).finish_non_exhaustive()
    }
}

/// Reads a range of the source into `bytes`; less, where it has become shorter.
fn read(
    source: &mut (impl Read + Seek),
    offset: u64,
    len: u64,
    bytes: &mut Vec<u8>,
) -> std::io::Result<()> {
    source.seek(SeekFrom::Start(offset))?;
    bytes.clear();
    source.take(len).read_to_end(bytes)?;
    Ok(())
}
