//! Saving what is left of a file in which tensors are compressed.

use std::io;

use zipnn::tensor::inside::TensorError;
use zipnn::{DecodeError, DecodeErrorKind};

use crate::content::data_header::DataHeader;
use crate::content::tensor_source::Source;
use crate::fs::endpoint::Place;
use crate::repair::salvage::Salvage;
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// Bytes that are decoded at a time, or lost together.
const PART_LEN: u64 = 256 << 10;

/// What has been saved, and what is lost.
pub struct Saved {
    salvage: Salvage,
    header: DataHeader,
}

impl Saved {
    /// Returns whether nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.salvage.is_whole()
    }

    /// Returns whether no part of any tensor could be decoded.
    pub fn is_empty(&self) -> bool {
        self.salvage.is_empty()
    }

    /// Returns how many bytes have been written.
    pub fn len(&self) -> u64 {
        self.salvage.written()
    }

    /// Returns the message for a file of which a part is lost, as [`Salvage::failure`].
    pub fn failure(&self, source: &Place, destination: Option<&Place>) -> Failure {
        self.salvage.failure(source, destination, &self.header)
    }
}

/// Decodes what can be decoded, and writes zeros for lost ranges before the last byte that can.
pub fn run(
    source: &mut Source,
    progress: &mut Progress,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Saved, Failure> {
    let reader = &source.reader;
    let restored = reader.restored_header().map_err(|error| source.failure(error))?;
    let lens = restored.order.iter().map(|&number| reader.tensors()[number].decoded_len);
    let total = lens.fold(restored.header.len() as u64, u64::saturating_add);
    let mut salvage = Salvage::new(Some(total));
    let mut header = DataHeader::default();
    header.push(&restored.header);
    salvage.save(&restored.header, &mut write)?;
    let is_cut = reader.cut().is_some();
    let mut needed = 0;
    for number in restored.order {
        save_tensor(source, number, &mut salvage, &mut write)?;
        let stored = &source.reader.tensors()[number].stored;
        progress.add(stored.end - stored.start);
        needed = needed.max(stored.end);
    }
    if is_cut {
        let have = source.reader.file_len();
        salvage.end(DecodeErrorKind::Truncated { needed, have }.into());
    }
    salvage.finish(&mut write)?;
    Ok(Saved { salvage, header })
}

/// Returns lines about all that is damaged or missing in a file; none if it cannot be opened.
pub fn damage(place: &Place) -> Vec<String> {
    // Standard input is gone once it has been read.
    let source = place.path().and_then(|_| Source::open_damaged(place).ok());
    let Some(mut source) = source.and_then(|source| source.require_compressed().ok()) else {
        return Vec::new();
    };
    let mut progress = Progress::new(place.to_string(), None, true);
    match run(&mut source, &mut progress, |_| Ok(())) {
        Ok(saved) => saved.salvage.damage(&saved.header),
        Err(_) => Vec::new(),
    }
}

/// Saves a tensor, part by part.
fn save_tensor(
    source: &mut Source,
    number: usize,
    salvage: &mut Salvage,
    write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let reader = &source.reader;
    let tensor = &reader.tensors()[number];
    let (len, is_compressed) = (tensor.decoded_len, tensor.is_compressed);
    let (needed, have) = (tensor.stored.end, reader.file_len());
    let truncated = DecodeError::from(DecodeErrorKind::Truncated { needed, have });
    // Of a tensor that is stored as it is, the file has exactly these bytes.
    let there = if is_compressed { len } else { len.min(have.saturating_sub(tensor.stored.start)) };
    // Without its end, a tensor has no checksum.
    let mut is_verified = reader.is_complete(number);
    let mut fault = None;
    let mut part = Vec::new();
    let mut at = 0;
    while at < there {
        part.resize(PART_LEN.min(there - at) as usize, 0);
        if is_verified {
            match source.reader.read_part(number, at, &mut part) {
                Ok(()) => fault = None,
                Err(error) => {
                    // It has one checksum, which need not be compared again for each part.
                    is_verified = is_compressed;
                    fault = Some(fault_of(source, error)?);
                }
            }
        }
        let is_read = is_verified && fault.is_none();
        let read = match is_read {
            true => Ok(()),
            false => source.reader.read_part_unverified(number, at, &mut part),
        };
        match (read, fault) {
            (Ok(()), Some(Some(error))) => salvage.save_wrong(&part, error, write)?,
            (Ok(()), _) => salvage.save(&part, write)?,
            (Err(error), fault) => {
                let error = fault_of(source, error)?.or(fault.flatten()).unwrap_or(truncated);
                let is_cut = matches!(error.kind(), DecodeErrorKind::Truncated { .. });
                if is_cut || error.place().chunk.is_none() {
                    salvage.lose(len - at, if is_cut { truncated } else { error });
                    return Ok(());
                }
                salvage.lose(part.len() as u64, error);
            }
        }
        at += part.len() as u64;
    }
    salvage.lose(len - there, truncated);
    Ok(())
}

/// Returns why a part of a tensor is damaged; `None` if nothing shows that it is. Fails if the rest
/// cannot be saved either.
fn fault_of(source: &Source, error: TensorError) -> Result<Option<DecodeError>, Failure> {
    use DecodeErrorKind as E;
    match error {
        TensorError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Some(E::Truncated { needed: 0, have: 0 }.into()))
        }
        TensorError::Decode { name, error } => match error.kind() {
            E::ChecksumMissing => Ok(None),
            E::LimitExceeded { .. } | E::OutOfMemory { .. } => {
                Err(source.failure(TensorError::Decode { name, error }))
            }
            _ => Ok(Some(error)),
        },
        TensorError::NotAFrame { .. } | TensorError::Contradiction { .. } => Ok(None),
        error => Err(source.failure(error)),
    }
}
