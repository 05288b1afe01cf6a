//! A source of ranges, and reading a tensor from one: what [`zipnn::Archive`] does over `Read` and
//! `Seek`, for sources that are asked for ranges. The same lines do for an async source, with
//! `await` behind each read, as in `bin/object_store.rs`.

use std::ops::Range;

use zipnn::Limits;
use zipnn::frame::DecodeScratch;
use zipnn::seek::Seeker;
use zipnn::tensor::safetensors::{Metadata, MetadataError};

/// Whatever may go wrong in an example.
pub type Error = Box<dyn std::error::Error>;

/// Where the bytes of a file come from.
pub trait Ranges {
    /// Length of the file.
    fn len(&mut self) -> Result<u64, Error>;
    /// A part of it.
    fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>, Error>;
}

/// Finds the frames of the file.
pub fn open(source: &mut impl Ranges) -> Result<Seeker, Error> {
    let mut seeker = Seeker::new(source.len()?, Limits::default());
    while let Some(range) = seeker.wanted() {
        seeker.feed(&source.read(range)?)?;
    }
    Ok(seeker)
}

/// Decodes a range of the data.
pub fn read(
    seeker: &Seeker,
    source: &mut impl Ranges,
    range: Range<u64>,
) -> Result<Vec<u8>, Error> {
    let mut data = Vec::new();
    let mut scratch = DecodeScratch::new();
    for mut part in seeker.covering(range)? {
        while let Some(wanted) = part.wanted() {
            part.feed(&source.read(wanted)?)?;
        }
        let start = data.len();
        data.resize(start + usize::try_from(part.decoded_len())?, 0);
        part.decode_into(&mut data[start..], &mut scratch)?;
    }
    Ok(data)
}

/// Names, types and places of the tensors: the header of a `.safetensors` file says how long it is.
pub fn layout(seeker: &Seeker, source: &mut impl Ranges) -> Result<Metadata, Error> {
    let directory = seeker.directory().ok_or("the file is not open")?;
    let data_len = directory.decoded_len();
    // Whatever is read of a frame, its first chunk is: so why not all of that.
    let first_len = directory.entries().first().map_or(0, |frame| frame.decoded_len.min(1 << 16));
    let mut beginning = read(seeker, source, 0..first_len)?;
    loop {
        match Metadata::parse(&beginning, data_len) {
            Err(MetadataError::Truncated { needed, .. }) => {
                beginning = read(seeker, source, 0..needed.min(data_len))?;
            }
            layout => return Ok(layout?),
        }
    }
}
