//! Finding and mending what the original has done to a file.

use std::collections::BTreeSet;
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::vec::Vec;

use crate::dtype::DType;
use crate::options::Options;
use crate::tensor::diagnosis::{self, Diagnosis, Samples, Together, Verdict};
use crate::tensor::inside::checksums::CHECKSUMS;
use crate::tensor::inside::coder::frame_len;
use crate::tensor::inside::doubt::Doubt;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::header_form::SOURCE_HEADER;
use crate::tensor::inside::list::{self, LIST};
use crate::tensor::inside::reader::TensorReader;
use crate::tensor::inside::stored::StoredTensor;
use crate::tensor::safetensors::error::MetadataError;
use crate::tensor::safetensors::format::ALIGNMENT;
use crate::tensor::safetensors::write::{self, Entry};

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
/// Tensors of which [`diagnose`](crate::tensor::diagnose) knows too little are judged by what else is in
/// the file. The original's script rotates exactly those tensors that it cannot make smaller:
/// either all or none of them. That a file with compressed tensors, which this crate has not
/// written, comes from that script is taken for 95 % likely to begin with; of a file without, there
/// must be a tensor that is rotated by its own numbers.
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
        let Diagnosis { verdict, rotated, .. } = diagnosis::diagnose_values(&values, dtype);
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
    let frame_len = frame_len(&tensor, &Options::new(dtype).plain(), |part| {
        source.read_exact(part)?;
        if one.verdict != Verdict::Sound {
            diagnosis::undo_rotation(part, dtype);
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
/// tensors if that was lost or does not fit the file. Of metadata that belong to another file,
/// nothing is kept. Everything else stays as it is, compressed tensors compressed.
///
/// # Errors
///
/// `Io`; `HeaderTooLong` if the list does not fit into the header; `NotAFrame` if a listed tensor
/// is damaged, so that only the list shows what it was; `Metadata` if a rotated tensor shares bytes
/// with another one that is not.
pub fn repair<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    rotated: &[usize],
    dst: &mut impl Write,
) -> Result<(), TensorError> {
    if let Some((tensor, doubt)) = reader.doubts().find(|&(_, doubt)| doubt == Doubt::Damaged) {
        return Err(doubt.error(&reader.tensors()[tensor].name));
    }
    let rotated = ranges_to_undo(reader.tensors(), rotated)?;
    let is_other = reader.is_list_lost()
        || reader.has_foreign_metadata()
        || (reader.is_ours() && !rotated.is_empty());
    let header = if is_other { header_with_list(reader)? } else { reader.header().to_vec() };
    dst.write_all(&header)?;
    let mut at = reader.metadata().data_start();
    for (range, dtype) in rotated {
        copy(reader, at..range.start, dst, |_| ())?;
        copy(reader, range.clone(), dst, |data| diagnosis::undo_rotation(data, dtype))?;
        at = range.end;
    }
    let end = reader.metadata().file_len();
    copy(reader, at..end, dst, |_| ())
}

/// Returns the ranges of some tensors in the file, in order and each once, with the types of their
/// elements.
fn ranges_to_undo(
    tensors: &[StoredTensor],
    rotated: &[usize],
) -> Result<Vec<(Range<u64>, DType)>, TensorError> {
    let rotated: BTreeSet<usize> = rotated.iter().copied().collect();
    let mut ranges: Vec<(Range<u64>, DType)> = Vec::new();
    let mut sound_end = 0;
    for (number, tensor) in tensors.iter().enumerate() {
        let dtype = suspect(tensor).filter(|_| rotated.contains(&number));
        let range = &tensor.stored;
        let rotated_end = ranges.last().map_or(0, |(range, _)| range.end);
        let is_shared = match dtype {
            _ if range.is_empty() => false,
            // The same tensor under another name is repaired with that.
            Some(dtype) if ranges.last() == Some(&(range.clone(), dtype)) => continue,
            Some(_) => range.start < rotated_end.max(sound_end),
            None => range.start < rotated_end,
        };
        if is_shared {
            return Err(MetadataError::SharedBytes { name: tensor.name.clone() }.into());
        }
        match dtype {
            Some(dtype) => ranges.push((range.clone(), dtype)),
            None => sound_end = sound_end.max(range.end),
        }
    }
    Ok(ranges)
}

/// Copies a range of the file as `change` makes it, in parts of whole words.
fn copy<R: Read + Seek>(
    reader: &mut TensorReader<R>,
    range: Range<u64>,
    dst: &mut impl Write,
    change: impl Fn(&mut [u8]),
) -> Result<(), TensorError> {
    reader.read_range_in_parts(range, |part| {
        change(part);
        dst.write_all(part)
    })?;
    Ok(())
}

/// The header of a file with the list of its compressed tensors, and without checksums that may not
/// be true any more. Metadata that belong to another file are left out.
fn header_with_list<R: Read + Seek>(reader: &TensorReader<R>) -> Result<Vec<u8>, TensorError> {
    let layout = reader.metadata();
    let mut metadata = layout.metadata().clone();
    metadata.remove(CHECKSUMS);
    if reader.has_foreign_metadata() {
        metadata.remove(LIST);
        metadata.remove(SOURCE_HEADER);
    }
    let is_listed = metadata.contains_key(LIST);
    let mut compressed = reader.tensors().iter().filter(|tensor| tensor.is_compressed).peekable();
    if is_listed || compressed.peek().is_some() {
        let listed =
            compressed.filter_map(|tensor| Some((&*tensor.name, tensor.dtype()?, &*tensor.shape)));
        metadata.insert(LIST.into(), list::render(listed));
        metadata.entry("format".into()).or_insert_with(|| "pt".into());
    }
    let data_start = layout.data_start();
    let entries = layout.tensors().iter().map(|tensor| Entry {
        name: &tensor.name,
        dtype: &tensor.dtype,
        shape: &tensor.shape,
        data_offsets: [tensor.range.start - data_start, tensor.range.end - data_start],
    });
    let json = write::json(&metadata, entries);
    let data_start = write::data_start(json.len() as u64, data_start % ALIGNMENT)
        .map_err(|len| TensorError::HeaderTooLong { len })?;
    Ok(write::bytes(&json, data_start))
}
