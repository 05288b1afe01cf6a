//! Finding and mending what the original has done to a file.

use std::io::{Read, Seek, Write};
use std::vec::Vec;

use super::coder::frame_len;
use super::damage::{self, Diagnosis, Samples, Together, Verdict};
use super::error::TensorError;
use super::header::{self, ALIGNMENT, Entry};
use super::list::{self, CHECKSUMS, LIST};
use super::reader::{StoredTensor, TensorReader};
use crate::dtype::DType;
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
    /// Whether the tensor's own numbers are too few or too odd for a verdict, and it rests on those
    /// of the other tensors in the file.
    pub by_neighbours: bool,
}

/// Judges all tensors that the original may have stored with rotated bits: those of bfloat16 and
/// float32 that are not compressed, and not empty. Reads them part by part.
///
/// Tensors of which [`diagnose`](super::diagnose) knows too little are judged by what else is in the
/// file. The original's script rotates exactly those tensors that it cannot make smaller: either all
/// or none of them. That a file with compressed tensors, which this crate has not written, comes from
/// that script is taken for 95 % likely to begin with; of a file without, there must be a tensor that
/// is rotated by its own numbers.
///
/// # Errors
///
/// `Io`; `Encode` if there is no memory.
pub fn examine<R: Read + Seek>(
    reader: &mut TensorReader<R>,
) -> Result<Vec<Examination>, TensorError> {
    let mut found = Vec::new();
    for tensor in 0..reader.tensors().len() {
        let Some(dtype) = suspect(&reader.tensors()[tensor]) else { continue };
        let values = read_values(reader, tensor, dtype)?;
        let Diagnosis { verdict, rotated, .. } = damage::diagnose_values(&values, dtype);
        found.push(Examination { tensor, verdict, rotated, by_neighbours: false });
    }
    if found.iter().any(|one| one.verdict == Verdict::Unknown) {
        judge_by_neighbours(reader, &mut found)?;
    }
    Ok(found)
}

/// Before anything is known of a file's tensors, how likely those that are not compressed are
/// rotated: where others are compressed, though not by us, and where none is.
const PRIOR_COMPRESSED: f64 = 0.95;
const PRIOR_PLAIN: f64 = 0.5;

fn judge_by_neighbours<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    found: &mut [Examination],
) -> Result<(), TensorError> {
    let has_compressed = reader.is_compressed() && !reader.is_ours();
    let has_rotated = found.iter().any(|one| one.verdict == Verdict::Rotated);
    if !has_compressed && !has_rotated {
        return Ok(());
    }
    let prior = if has_compressed { PRIOR_COMPRESSED } else { PRIOR_PLAIN };
    let mut together = Together::new(prior);
    let mut unclear = Vec::new();
    for (number, one) in found.iter().enumerate() {
        let would_be_left = would_be_left(reader, one)?;
        let is_sound = one.verdict == Verdict::Sound;
        // Either the script has left it sound, or has left it though it can be made smaller.
        if is_sound && would_be_left || has_compressed && !would_be_left {
            return Ok(());
        }
        if would_be_left && let Some(dtype) = suspect(&reader.tensors()[one.tensor]) {
            together.add(&read_values(reader, one.tensor, dtype)?, dtype);
            unclear.extend((one.verdict == Verdict::Unknown).then_some(number));
        }
    }
    let rotated = together.rotated();
    let verdict = match rotated {
        Diagnosis::THRESHOLD.. => Verdict::Rotated,
        _ if rotated <= 1.0 - Diagnosis::THRESHOLD => Verdict::Sound,
        _ => Verdict::Unknown,
    };
    for number in unclear {
        found[number] = Examination { verdict, rotated, by_neighbours: true, ..found[number] };
    }
    Ok(())
}

/// Reads the numbers by which a tensor is judged.
fn read_values<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    tensor: usize,
    dtype: DType,
) -> Result<Vec<u32>, TensorError> {
    let mut samples = Samples::new(reader.tensors()[tensor].decoded_len, dtype);
    reader.read_stored_in_parts(tensor, |part| {
        samples.add(part);
        Ok(())
    })?;
    Ok(samples.distinct())
}

/// Whether the original would leave a tensor uncompressed, had it been what it is with the rotation
/// undone or, if it is sound, as it is.
fn would_be_left<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    one: &Examination,
) -> Result<bool, TensorError> {
    let tensor = reader.tensors()[one.tensor].clone();
    let Some(dtype) = suspect(&tensor) else { return Ok(false) };
    let mut source = reader.stored(one.tensor);
    let frame_len = frame_len(&tensor, &Options::new(dtype), |part| {
        source.read_exact(part)?;
        if one.verdict != Verdict::Sound {
            damage::undo_rotation(part, dtype);
        }
        Ok(())
    })?;
    // Where we do a little better than the original, that is not held against the tensor.
    let tolerance = tensor.decoded_len / 64;
    Ok(frame_len + tolerance >= tensor.decoded_len)
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
    let is_other = reader.is_list_lost() || (reader.is_ours() && !rotated.is_empty());
    let header = if is_other { header_with_list(reader)? } else { reader.header().to_vec() };
    dst.write_all(&header)?;
    for tensor in 0..reader.tensors().len() {
        let dtype = suspect(&reader.tensors()[tensor]).filter(|_| rotated.contains(&tensor));
        reader.read_stored_in_parts(tensor, |part| {
            if let Some(dtype) = dtype {
                damage::undo_rotation(part, dtype);
            }
            dst.write_all(part)
        })?;
    }
    Ok(())
}

/// The header of a file with the list of its compressed tensors, and without checksums that may not
/// be true any more.
fn header_with_list<R: Read + Seek>(reader: &TensorReader<R>) -> Result<Vec<u8>, TensorError> {
    let layout = reader.layout();
    let compressed = reader.tensors().iter().filter(|tensor| tensor.is_compressed);
    let listed =
        compressed.filter_map(|tensor| Some((&*tensor.name, tensor.dtype()?, &*tensor.shape)));
    let mut metadata = layout.metadata().clone();
    metadata.insert(LIST.into(), list::render(listed));
    metadata.remove(CHECKSUMS);
    metadata.entry("format".into()).or_insert_with(|| "pt".into());
    let data_start = layout.data_start();
    let entries = layout.tensors().iter().map(|tensor| Entry {
        name: &tensor.name,
        dtype: &tensor.dtype,
        shape: &tensor.shape,
        data_offsets: [tensor.range.start - data_start, tensor.range.end - data_start],
    });
    let json = header::json(&metadata, entries);
    let data_start = header::data_start(json.len() as u64, data_start % ALIGNMENT)?;
    Ok(header::bytes(&json, data_start))
}
