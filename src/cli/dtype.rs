//! Finding out the type of the elements.

use std::io;

use zipnn::safetensors::{Layout, LayoutError};
use zipnn::{DType, EncodeScratch, Options, compress_bound, compress_into, delta};

use super::args::Choice;
use super::failure::Failure;
use super::input::{Base, Input};

/// What a pipe is judged by, in bytes from its beginning.
const PIPE_SAMPLE: u64 = 1 << 20;
/// Number and length of the samples that are taken all over a file.
const SAMPLES: u64 = 8;
const SAMPLE_LEN: u64 = 1 << 18;
/// Samples begin where elements do: tensors are aligned in all usual kinds of file.
const ALIGNMENT: u64 = 64;
/// The types that split data into several planes.
const CANDIDATES: [DType; 3] = [DType::BF16, DType::F16, DType::F32];
/// Several planes have to save this part of what one plane takes, so that chance does not decide.
const WORTHWHILE: usize = 256;

/// The type that `choice` says, or the one that suits the input best. The input and the base are
/// at their beginning afterwards, as they were before.
pub fn choose(
    choice: Choice,
    input: &mut Input,
    base: Option<&mut Base>,
) -> Result<DType, Failure> {
    match choice.dtype() {
        Some(dtype) => Ok(dtype),
        None => find_out(input, base).map_err(|error| input.failure(error)),
    }
}

fn find_out(input: &mut Input, base: Option<&mut Base>) -> io::Result<DType> {
    if !input.is_seekable() {
        let mut sample = Vec::new();
        input.read_up_to(PIPE_SAMPLE, &mut sample)?;
        let dtype = best(sample.chunks(SAMPLE_LEN as usize));
        input.put_back(sample);
        return Ok(dtype);
    }
    let is_safetensors = input
        .place()
        .path()
        .and_then(|path| path.extension())
        .is_some_and(|extension| extension == "safetensors");
    if is_safetensors && let Some(layout) = read_layout(input)? {
        return Ok(layout.main_dtype().unwrap_or(DType::F8E4M3));
    }
    let mut samples = read_samples(input)?;
    if let Some(base) = base
        && base.input().is_seekable()
    {
        for (sample, base) in samples.iter_mut().zip(read_samples(base.input())?) {
            delta::apply(sample, &base);
        }
    }
    Ok(best(samples.iter().map(Vec::as_slice)))
}

/// The layout of a `.safetensors` file; none if it only has the name of one.
fn read_layout(input: &mut Input) -> io::Result<Option<Layout>> {
    let file_len = input.len().unwrap_or_default();
    let mut bytes = Vec::new();
    let layout = loop {
        match Layout::parse(&bytes, file_len) {
            Ok(layout) => break Some(layout),
            Err(LayoutError::Truncated { needed, have }) => {
                if input.read_up_to(needed - have, &mut bytes)? == 0 {
                    break None;
                }
            }
            Err(_) => break None,
        }
    };
    input.go_to(0)?;
    Ok(layout)
}

/// Samples spread over a file.
fn read_samples(input: &mut Input) -> io::Result<Vec<Vec<u8>>> {
    let len = input.len().unwrap_or_default();
    let mut samples = Vec::new();
    for start in sample_starts(len) {
        let mut sample = Vec::new();
        input.go_to(start)?;
        input.read_up_to(SAMPLE_LEN, &mut sample)?;
        samples.push(sample);
    }
    input.go_to(0)?;
    Ok(samples)
}

/// Where samples begin in a file of `len` bytes.
fn sample_starts(len: u64) -> impl Iterator<Item = u64> {
    let stride = (len / SAMPLES).max(SAMPLE_LEN).next_multiple_of(ALIGNMENT);
    std::iter::successors(Some(0), move |start: &u64| start.checked_add(stride))
        .take_while(move |&start| start < len)
}

/// The type with which the samples become smallest.
pub fn best<'a>(samples: impl Iterator<Item = &'a [u8]> + Clone) -> DType {
    let mut scratch = EncodeScratch::new();
    let mut space = Vec::new();
    let mut size = |dtype| {
        let options = Options::new(dtype);
        let sizes = samples.clone().map(|sample| {
            space.resize(compress_bound(sample.len(), &options), 0);
            compress_into(sample, &mut space, &options, &mut scratch).unwrap_or(usize::MAX)
        });
        sizes.fold(0_usize, usize::saturating_add)
    };
    let bytes = size(DType::F8E4M3);
    CANDIDATES
        .into_iter()
        .map(|dtype| (size(dtype), dtype))
        .min_by_key(|&(size, _)| size)
        .filter(|&(size, _)| size < bytes - bytes / WORTHWHILE)
        .map_or(DType::F8E4M3, |(_, dtype)| dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the width of addresses: 4 GiB is where the distance outgrows 32 bits.
    #[test]
    fn samples_lie_all_over_files_of_any_length() {
        for len in [0, 1, SAMPLE_LEN + 1, 8 << 30, 32 << 30, 33 << 30, 1 << 50, u64::MAX] {
            let starts: Vec<u64> = sample_starts(len).collect();
            assert!(starts.len() as u64 <= SAMPLES + 1, "{len}");
            assert!(starts.iter().all(|start| start % ALIGNMENT == 0), "{len}");
            assert_eq!(starts.first().copied(), (len > 0).then_some(0));
            let last = starts.last().copied().unwrap_or_default();
            assert!(len <= SAMPLE_LEN * 2 || last >= len / 4 * 3, "{len}: {last}");
        }
    }
}
