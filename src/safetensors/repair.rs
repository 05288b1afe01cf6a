//! Finding and mending what the original has done to a file.

use std::io::{Read, Seek, Write};
use std::vec::Vec;

use super::damage::{self, Verdict};
use super::error::TensorError;
use super::header::{self, ALIGNMENT, Entry};
use super::list::{self, LIST};
use super::reader::{StoredTensor, TensorReader};
use crate::dtype::DType;
use crate::frame::Form;
use crate::oneshot::compress_tensor;
use crate::options::Options;

/// What has been found out about a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Examination {
    /// Which of [`TensorReader::tensors`].
    pub tensor: usize,
    /// Whether it is as it should be.
    pub verdict: Verdict,
    /// How likely it is that the tensor is rotated: 0 if certainly not, 1 if certainly.
    pub rotated: f64,
    /// Whether the tensor's own numbers say so, or others in the file do: a file in which one tensor
    /// is rotated has been through the original's script, which rotates all that it leaves
    /// uncompressed.
    pub by_neighbours: bool,
}

/// Judges all tensors that the original may have stored with rotated bits: those of bfloat16 and
/// float32 that are not compressed, and not empty. Reads them one at a time.
///
/// # Errors
///
/// `Io`; `Encode` if there is no memory.
pub fn examine<R: Read + Seek>(
    reader: &mut TensorReader<R>,
) -> Result<Vec<Examination>, TensorError> {
    let mut data = Vec::new();
    let mut found = Vec::new();
    for tensor in 0..reader.tensors().len() {
        let Some(dtype) = suspect(&reader.tensors()[tensor]) else { continue };
        reader.read_stored(tensor, &mut data)?;
        let damage::Diagnosis { verdict, rotated, .. } = damage::diagnose(&data, dtype);
        found.push(Examination { tensor, verdict, rotated, by_neighbours: false });
    }
    judge_by_neighbours(reader, &mut found)?;
    Ok(found)
}

/// Judges tensors whose own numbers say too little. The script of the original has rotated exactly
/// those tensors that it could not make smaller, so in a file that it has been at there is no sound
/// one of that kind.
fn judge_by_neighbours<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    found: &mut [Examination],
) -> Result<(), TensorError> {
    let certainty = found
        .iter()
        .filter(|one| one.verdict == Verdict::Rotated)
        .fold(0.0, |certainty, one| one.rotated.max(certainty));
    let is_unclear = found.iter().any(|one| one.verdict == Verdict::Unknown);
    if certainty == 0.0 || !is_unclear {
        return Ok(());
    }
    for one in found.iter().filter(|one| one.verdict == Verdict::Sound) {
        if would_be_left(reader, one.tensor, false)? {
            return Ok(());
        }
    }
    for one in found.iter_mut().filter(|one| one.verdict == Verdict::Unknown) {
        if would_be_left(reader, one.tensor, true)? {
            *one = Examination {
                verdict: Verdict::Rotated,
                rotated: certainty,
                by_neighbours: true,
                ..*one
            };
        }
    }
    Ok(())
}

/// Whether the original would leave a tensor uncompressed, as it is or with the rotation undone.
fn would_be_left<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    tensor: usize,
    undo: bool,
) -> Result<bool, TensorError> {
    let mut data = Vec::new();
    reader.read_stored(tensor, &mut data)?;
    let tensor = &reader.tensors()[tensor];
    let Some(dtype) = suspect(tensor) else { return Ok(false) };
    if undo {
        damage::undo_rotation(&mut data, dtype);
    }
    let frame = compress_tensor(&data, Form::Torch, &tensor.shape, &Options::new(dtype))
        .map_err(|error| TensorError::Encode { name: tensor.name.clone(), error })?;
    // Where we do a little better than the original, that is not held against the tensor.
    let tolerance = data.len() / 64;
    Ok(frame.len() + tolerance >= data.len())
}

/// The type of a tensor, if the original may have stored it rotated.
fn suspect(tensor: &StoredTensor) -> Option<DType> {
    let dtype = tensor.dtype().filter(|dtype| matches!(dtype, DType::BF16 | DType::F32))?;
    (!tensor.is_compressed && tensor.decoded_len > 0).then_some(dtype)
}

/// Writes a file again with the rotation of some tensors undone, and with its list of compressed
/// tensors if that was lost. Everything else stays as it is, compressed tensors compressed.
///
/// # Errors
///
/// `Io`; `HeaderTooLong` if the list does not fit into the header.
pub fn repair<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    rotated: &[usize],
    dst: &mut impl Write,
) -> Result<(), TensorError> {
    let header = if reader.is_list_lost() { with_list(reader)? } else { reader.header().to_vec() };
    dst.write_all(&header)?;
    let mut data = Vec::new();
    for tensor in 0..reader.tensors().len() {
        reader.read_stored(tensor, &mut data)?;
        if let Some(dtype) = suspect(&reader.tensors()[tensor])
            && rotated.contains(&tensor)
        {
            damage::undo_rotation(&mut data, dtype);
        }
        dst.write_all(&data)?;
    }
    Ok(())
}

/// The header of a file with the list of its compressed tensors.
fn with_list<R: Read + Seek>(reader: &TensorReader<R>) -> Result<Vec<u8>, TensorError> {
    let layout = reader.layout();
    let compressed = reader.tensors().iter().filter(|tensor| tensor.is_compressed);
    let listed =
        compressed.filter_map(|tensor| Some((&*tensor.name, tensor.dtype()?, &*tensor.shape)));
    let mut metadata = layout.metadata().clone();
    metadata.insert(LIST.into(), list::render(listed));
    metadata.entry("format".into()).or_insert_with(|| "pt".into());
    let data_start = layout.data_start();
    let entries = layout.tensors().iter().map(|tensor| Entry {
        name: &tensor.name,
        dtype: &tensor.dtype,
        shape: &tensor.shape,
        data_offsets: [tensor.range.start - data_start, tensor.range.end - data_start],
    });
    let json = header::json(&metadata, entries);
    let data_start = header::data_start(json.len(), data_start % ALIGNMENT)?;
    Ok(header::bytes(&json, data_start))
}
