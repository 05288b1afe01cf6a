//! Estimates how long a file becomes, whole and as a difference to another file, by compressing
//! samples.

use std::io;
use std::ops::Range;

use zipnn::delta::{self, MapSegment};
use zipnn::io::ReadAt;
use zipnn::tensor::TensorInfo;
use zipnn::{DType, Options, Profile};

use crate::set::contents::Contents;
use crate::set::matching;

/// Number of parts of a sample, which are spread over the file.
const PARTS: u64 = 12;
/// Maximum length of a part in bytes.
const PART: u64 = 16 << 10;

/// Samples of a file.
pub struct Sample<'c> {
    contents: &'c Contents,
    parts: Vec<Part<'c>>,
    /// The length of all parts, and their compressed length.
    len: u64,
    whole_len: u64,
}

/// A part of a sample.
struct Part<'c> {
    /// The tensor that contains it; `None` in a file without tensors.
    tensor: Option<&'c TensorInfo>,
    start: u64,
    bytes: Vec<u8>,
    options: Options,
    whole_len: u64,
}

impl<'c> Sample<'c> {
    /// Takes samples of a file, and compresses them.
    pub fn new(contents: &'c Contents) -> io::Result<Self> {
        let mut sample = Self { contents, parts: Vec::new(), len: 0, whole_len: 0 };
        let len = contents.len();
        let step = (len / PARTS).max(PART);
        let file = contents.file()?;
        for position in (0..len).step_by(step as usize) {
            let Some((tensor, range)) = part_at(contents, position) else { continue };
            let mut bytes = vec![0; (range.end - range.start) as usize];
            file.read_exact_at(&mut bytes, range.start)?;
            let dtype = tensor.and_then(|tensor| tensor.dtype.parse::<DType>().ok());
            let options = dtype.map_or_else(Options::bytes, Options::new);
            let options = options.profile(Profile::Extended).plain();
            let whole_len =
                zipnn::compress(&bytes, &options).map_or(bytes.len(), |file| file.len());
            let whole_len = whole_len as u64;
            sample.len += bytes.len() as u64;
            sample.whole_len += whole_len;
            sample.parts.push(Part { tensor, start: range.start, bytes, options, whole_len });
        }
        Ok(sample)
    }

    /// Estimates the length of the whole file.
    pub fn whole_len(&self) -> u64 {
        self.scaled(self.whole_len)
    }

    /// Estimates the length of the file as a difference to another; `None` if no part of the sample
    /// is similar to it.
    pub fn difference_len(&self, anchor: &Contents) -> io::Result<Option<u64>> {
        let mut len = 0;
        let mut is_similar = false;
        let file = anchor.file()?;
        for part in &self.parts {
            let difference = match self.segment(part, anchor)? {
                Some(segment) => {
                    let mut base = vec![0; part.bytes.len()];
                    segment.read_at(&*file, part.start - segment.range.start, &mut base)?;
                    delta::compress(&part.bytes, &base, &part.options).ok()
                }
                None => None,
            };
            let difference = difference.map(|difference| difference.len() as u64);
            is_similar |= difference.is_some_and(|difference| difference < part.whole_len);
            len += difference.map_or(part.whole_len, |difference| difference.min(part.whole_len));
        }
        Ok(is_similar.then(|| self.scaled(len)))
    }

    /// Returns the part of an anchor to which a part of the sample is similar.
    fn segment(&self, part: &Part<'_>, anchor: &Contents) -> io::Result<Option<MapSegment>> {
        match part.tensor {
            Some(tensor) => matching::similar_part(self.contents, tensor, anchor),
            None => {
                let is_like = anchor.tensors().is_empty() && anchor.len() == self.contents.len();
                Ok(is_like.then(|| MapSegment::copy(0..anchor.len(), 0, 0)))
            }
        }
    }

    fn scaled(&self, len: u64) -> u64 {
        let scaled = u128::from(len) * u128::from(self.contents.len());
        u64::try_from(scaled / u128::from(self.len.max(1))).unwrap_or(u64::MAX)
    }
}

/// Returns the range of a part near a position, and the tensor that contains it. The part begins
/// with a whole element.
fn part_at(contents: &Contents, position: u64) -> Option<(Option<&TensorInfo>, Range<u64>)> {
    if contents.tensors().is_empty() {
        return Some((None, position..(position + PART).min(contents.len())));
    }
    let after = contents.tensors().partition_point(|tensor| tensor.range.end <= position);
    let tensor = contents.tensors().get(after)?;
    // Eight bytes are whole elements of any type.
    let offset = position.saturating_sub(tensor.range.start) / 8 * 8;
    let start = tensor.range.start + offset;
    let end = (start + PART).min(tensor.range.end);
    (start < end).then_some((Some(tensor), start..end))
}
