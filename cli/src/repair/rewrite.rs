//! Writes a repaired copy of a file that the original damaged.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;

use zipnn::DType;
use zipnn::tensor::MetadataError;
use zipnn::tensor::inside::{Section, StoredTensor, TensorError, TensorReader};

use crate::repair::examination::suspect;
use crate::repair::rotation;

/// Rewrites a file without the rotation of some tensors and with a correct list of tensors.
///
/// Adds the list of compressed tensors if it is missing, and replaces it if it does not match the
/// file. Drops metadata that belongs to another file. Everything else stays the same, and
/// compressed tensors stay compressed.
///
/// `rotated` holds indexes into [`TensorReader::tensors`].
///
/// # Errors
///
/// The errors of [`TensorReader::repaired_header`]; `Io`; `Metadata` if a rotated tensor shares
/// bytes with another tensor that is not rotated.
pub fn rewrite<R: Read + Seek>(
    reader: TensorReader<R>,
    rotated: &[usize],
    dst: &mut impl Write,
) -> Result<(), TensorError> {
    let header = reader.repaired_header(!rotated.is_empty())?;
    let rotated = rotated_ranges(reader.tensors(), rotated)?;
    let (mut at, end) = (reader.metadata().data_start(), reader.file_len());
    let (mut source, _) = reader.into_parts();
    dst.write_all(&header)?;
    for (range, dtype) in rotated {
        copy(&mut source, at..range.start, dst, |_| ())?;
        copy(&mut source, range.clone(), dst, |data| rotation::undo(data, dtype))?;
        at = range.end;
    }
    copy(&mut source, at..end, dst, |_| ())?;
    Ok(())
}

/// Returns the ranges of rotated tensors in the file, in order and without duplicates, with the
/// types of their elements.
fn rotated_ranges(
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
            // The same tensor under another name is repaired already.
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

/// Copies a range of the file in parts, each changed by `change`. The length of each part except
/// the last is a multiple of four bytes.
fn copy<R: Read + Seek>(
    source: &mut R,
    range: Range<u64>,
    dst: &mut impl Write,
    change: impl Fn(&mut [u8]),
) -> io::Result<()> {
    const PART_LEN: u64 = 256 << 10;
    let mut left = range.end.saturating_sub(range.start);
    let mut source = Section::new(source, range);
    let mut part = Vec::new();
    while left > 0 {
        part.resize(left.min(PART_LEN) as usize, 0);
        source.read_exact(&mut part)?;
        change(&mut part);
        dst.write_all(&part)?;
        left -= part.len() as u64;
    }
    Ok(())
}
