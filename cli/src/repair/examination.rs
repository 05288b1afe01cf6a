//! Detecting the tensors of a file that the original stored with rotated bits.

use std::io::{self, Read, Seek};

use zipnn::frame::{Form, HEADER_LEN};
use zipnn::tensor::inside::{StoredTensor, TensorError, TensorReader};
use zipnn::{DType, Options};

use crate::repair::diagnosis::{self, Diagnosis, JointDiagnosis, Verdict};
use crate::repair::rotation;
use crate::repair::samples::Samples;

/// The result of judging one tensor of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Examination {
    /// Index of the tensor in [`TensorReader::tensors`].
    pub tensor: usize,
    pub verdict: Verdict,
    /// Probability that the tensor is rotated.
    pub rotated: f64,
    /// Whether the verdict rests on the other tensors in the file, because the tensor's own values
    /// are too few or too unusual.
    pub by_neighbours: bool,
}

/// Judges all tensors that the original may have stored with rotated bits: tensors of bfloat16 and
/// float32 that are not compressed and not empty. Reads them in parts.
///
/// Tensors whose own values do not show it are judged by the rest of the file. The original's
/// script rotates exactly those tensors that it cannot make smaller: either all or none of them.
/// A file with compressed tensors that this program has not written comes from that script with a
/// prior probability of 95 %. In a file without compressed tensors, at least one tensor must be
/// rotated by its own values.
pub fn examine<R: Read + Seek>(
    reader: &mut TensorReader<R>,
) -> Result<Vec<Examination>, TensorError> {
    let mut found = Vec::new();
    for tensor in 0..reader.tensors().len() {
        let Some(dtype) = suspect(&reader.tensors()[tensor]) else { continue };
        let values = read_values(reader, tensor, dtype)?;
        let Diagnosis { verdict, rotated } = diagnosis::diagnose(&values, dtype);
        found.push(Examination { tensor, verdict, rotated, by_neighbours: false });
    }
    if found.iter().any(|one| one.verdict == Verdict::Unknown) {
        judge_by_neighbours(reader, &mut found)?;
    }
    Ok(found)
}

/// Returns the type of a tensor, if the original may have stored it with rotated bits.
pub fn suspect(tensor: &StoredTensor) -> Option<DType> {
    let dtype = tensor.dtype().filter(|dtype| matches!(dtype, DType::BF16 | DType::F32))?;
    (!tensor.is_compressed && tensor.decoded_len > 0).then_some(dtype)
}

/// Prior probability that uncompressed tensors are rotated: in a file with other tensors that are
/// compressed, though not by this program, and in a file without.
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
    let mut joint = JointDiagnosis::new(prior);
    let mut unclear = Vec::new();
    for (number, one) in found.iter().enumerate() {
        let is_incompressible = is_incompressible(reader, one)?;
        let is_sound = one.verdict == Verdict::Sound;
        // The script would have rotated the tensor, or compressed it: it did not write this file.
        if is_sound && is_incompressible || has_compressed && !is_incompressible {
            return Ok(());
        }
        if is_incompressible && let Some(dtype) = suspect(&reader.tensors()[one.tensor]) {
            joint.add(&read_values(reader, one.tensor, dtype)?, dtype);
            unclear.extend((one.verdict == Verdict::Unknown).then_some(number));
        }
    }
    let Diagnosis { verdict, rotated } = joint.diagnosis();
    for number in unclear {
        found[number] = Examination { verdict, rotated, by_neighbours: true, ..found[number] };
    }
    Ok(())
}

/// Reads the values by which a tensor is judged.
fn read_values<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    tensor: usize,
    dtype: DType,
) -> Result<Vec<u32>, TensorError> {
    /// Number of bytes that are read at a time.
    const PART_LEN: u64 = 256 << 10;
    let mut left = reader.tensors()[tensor].decoded_len;
    let mut samples = Samples::new(left, dtype);
    let mut source = reader.stored(tensor);
    let mut part = Vec::new();
    while left > 0 {
        read_part(&mut source, left.min(PART_LEN), &mut part)?;
        samples.add(&part);
        left -= part.len() as u64;
    }
    Ok(samples.distinct())
}

/// Returns whether the original's script would leave a tensor uncompressed. Judges a tensor that is
/// not sound with its rotation undone.
fn is_incompressible<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    one: &Examination,
) -> Result<bool, TensorError> {
    let tensor = reader.tensors()[one.tensor].clone();
    let Some(dtype) = suspect(&tensor) else { return Ok(false) };
    let undoes_rotation = one.verdict != Verdict::Sound;
    let frame_len = frame_len(reader, one.tensor, dtype, undoes_rotation)?;
    // This program compresses slightly better than the original.
    let tolerance = tensor.decoded_len / 64;
    Ok(frame_len + tolerance >= tensor.decoded_len)
}

/// Returns about how long the frame of a tensor would be: exactly, if it is one part.
fn frame_len<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    tensor: usize,
    dtype: DType,
    undoes_rotation: bool,
) -> Result<u64, TensorError> {
    /// Number of bytes that are compressed at a time.
    const PART_LEN: u64 = 4 << 20;
    let StoredTensor { name, shape, decoded_len, .. } = reader.tensors()[tensor].clone();
    let options = Options::new(dtype).plain();
    let mut source = reader.stored(tensor);
    let mut part = Vec::new();
    let (mut left, mut len) = (decoded_len, HEADER_LEN as u64);
    while left > 0 {
        read_part(&mut source, left.min(PART_LEN), &mut part)?;
        if undoes_rotation {
            rotation::undo(&mut part, dtype);
        }
        let frame = match decoded_len {
            ..=PART_LEN => zipnn::compress_tensor(&part, Form::Torch, &shape, &options),
            _ => zipnn::compress(&part, &options),
        };
        let frame = frame.map_err(|error| TensorError::Encode { name: name.clone(), error })?;
        len += (frame.len() - HEADER_LEN) as u64;
        left -= part.len() as u64;
    }
    Ok(len)
}

/// Replaces the contents of `part` with the next `len` bytes.
fn read_part(source: &mut impl Read, len: u64, part: &mut Vec<u8>) -> io::Result<()> {
    part.resize(len as usize, 0);
    source.read_exact(part)
}
