//! Recovering the readable part of a file with compressed tensors.

use std::io;

use zipnn::tensor::inside::TensorError;
use zipnn::{DecodeError, DecodeErrorKind, Options};

use crate::content::data_header::DataHeader;
use crate::content::tensor_source::TensorSource;
use crate::fs::endpoint::Endpoint;
use crate::repair::salvage::Salvage;
use crate::report::failure::Failure;
use crate::report::progress::Progress;

/// Number of bytes that are decoded, or lost, at a time.
const PART_LEN: u64 = Options::DEFAULT_CHUNK_LEN as u64;

/// The recovered and the lost ranges of a file.
pub struct InsideSalvage {
    salvage: Salvage,
    header: DataHeader,
}

impl InsideSalvage {
    /// Returns whether nothing is lost.
    pub fn is_whole(&self) -> bool {
        self.salvage.is_whole()
    }

    /// Returns whether no part of any tensor could be decoded.
    pub fn is_empty(&self) -> bool {
        self.salvage.is_empty()
    }

    /// Returns the number of bytes that were written.
    pub fn len(&self) -> u64 {
        self.salvage.written()
    }

    /// Returns the failure for a file that lost data, as [`Salvage::failure`] does.
    pub fn failure(&self, source: &Endpoint, destination: Option<&Endpoint>) -> Failure {
        self.salvage.failure(source, destination, &self.header)
    }
}

/// Decodes the readable parts of a file. Writes zeros for lost ranges before the last readable
/// byte.
pub fn run(
    source: &mut TensorSource,
    progress: &mut Progress,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<InsideSalvage, Failure> {
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
    Ok(InsideSalvage { salvage, header })
}

/// Returns lines about all damaged and missing ranges of a file; no lines if it cannot be opened.
pub fn damage(endpoint: &Endpoint) -> Vec<String> {
    // Standard input can be read only once.
    let source = endpoint.path().and_then(|_| TensorSource::open_damaged(endpoint).ok());
    let Some(mut source) = source.and_then(|source| source.require_compressed().ok()) else {
        return Vec::new();
    };
    let mut progress = Progress::new(endpoint.to_string(), None, true);
    match run(&mut source, &mut progress, |_| Ok(())) {
        Ok(saved) => saved.salvage.damage(&saved.header),
        Err(_) => Vec::new(),
    }
}

/// Recovers a tensor in parts.
fn save_tensor(
    source: &mut TensorSource,
    number: usize,
    salvage: &mut Salvage,
    write: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let reader = &source.reader;
    let tensor = &reader.tensors()[number];
    let (len, is_compressed) = (tensor.decoded_len, tensor.is_compressed);
    let (needed, have) = (tensor.stored.end, reader.file_len());
    let truncated = DecodeError::from(DecodeErrorKind::Truncated { needed, have });
    // An uncompressed tensor has exactly these bytes in the file.
    let available =
        if is_compressed { len } else { len.min(have.saturating_sub(tensor.stored.start)) };
    // The checksum of an incomplete tensor cannot match.
    let mut is_verified = reader.is_complete(number);
    let mut fault = None;
    let mut part = Vec::new();
    let mut at = 0;
    while at < available {
        part.resize(PART_LEN.min(available - at) as usize, 0);
        if is_verified {
            match source.reader.read_part(number, at, &mut part) {
                Ok(()) => fault = None,
                Err(error) => {
                    // An uncompressed tensor has one checksum, which is compared only once.
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
                if is_cut || error.location().chunk.is_none() {
                    salvage.lose(len - at, if is_cut { truncated } else { error });
                    return Ok(());
                }
                salvage.lose(part.len() as u64, error);
            }
        }
        at += part.len() as u64;
    }
    salvage.lose(len - available, truncated);
    Ok(())
}

/// Returns why a part of a tensor is damaged; `None` if nothing shows that it is. Returns an error
/// if the rest cannot be recovered either.
fn fault_of(source: &TensorSource, error: TensorError) -> Result<Option<DecodeError>, Failure> {
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
