//! Parts of data that can be read only while its frames are: the frames of a pipe.

use std::collections::HashSet;
use std::ops::Range;

use zipnn::frame::DecodeScratch;
use zipnn::tensor::Metadata;

use crate::content::data_header::DataHeader;
use crate::content::reasons::{Reasons, SAMPLE_LEN, Sample};
use crate::content::types;
use crate::job::frames::{Frames, OpenFrame};
use crate::job::run::Run;

/// Maximum number of types of which a sample is kept.
const MAX_SAMPLES: usize = 64;
/// Maximum number of bytes of a frame to hold, and to decode at once. Frames of the original can be as
/// long as the file.
const MAX_LEN: u64 = 64 << 20;

/// The header of the data, and samples of frames that hardly shrink.
#[derive(Default)]
pub struct Passing {
    header: DataHeader,
    /// The decoded length of all frames before the next.
    at: u64,
    /// Samples, each with the number of its frame.
    samples: Vec<(u64, Sample)>,
    /// The types of which there is a sample; `None` for bytes that belong to no tensor.
    sampled: HashSet<Option<String>>,
    run: Run,
    scratch: DecodeScratch,
    /// Whether a frame could not be decoded. Reading the next frame reports why, if it matters.
    is_stopped: bool,
}

impl Passing {
    /// Decodes what is needed of a frame.
    pub fn read(&mut self, frames: &mut Frames, frame: &OpenFrame) {
        self.is_stopped = self.is_stopped || self.try_read(frames, frame).is_none();
    }

    fn try_read(&mut self, frames: &mut Frames, frame: &OpenFrame) -> Option<()> {
        let decoded_len = frame.index().header().decoded_len;
        let start = self.at;
        self.at = self.at.saturating_add(decoded_len);
        let mut beginning = Vec::new();
        let count = frame.index().chunk_count();
        let mut next = 0;
        while next < count && !self.header.is_finished() {
            let end = count.min(next + Run::chunk_count(frame));
            let decoded = self.decode(frames, frame, next..end)?;
            self.header.push(&decoded);
            if start == 0 && next == 0 {
                beginning.extend_from_slice(&decoded[..decoded.len().min(SAMPLE_LEN as usize)]);
            }
            next = end;
        }
        let frame_len = frame.index().header().frame_len;
        if Reasons::is_hardly_shrinking(frame_len, decoded_len) && count > 0 {
            self.sample(frames, frame, start + decoded_len / 2, beginning)?;
        }
        Some(())
    }

    /// Keeps a sample of a frame, unless there is one of its type.
    fn sample(
        &mut self,
        frames: &mut Frames,
        frame: &OpenFrame,
        middle: u64,
        beginning: Vec<u8>,
    ) -> Option<()> {
        let tensors = self.layout().map(Metadata::tensors).unwrap_or_default();
        let dtype = types::tensor_at(tensors, middle).map(|tensor| tensor.dtype.clone());
        if self.sampled.len() >= MAX_SAMPLES || !self.sampled.insert(dtype) {
            return Some(());
        }
        let chunk = frame.index().chunk_count() / 2;
        let mut bytes = self.decode(frames, frame, chunk..chunk + 1)?;
        bytes.truncate(SAMPLE_LEN as usize);
        self.samples.push((frame.number, Sample { beginning, bytes }));
        Some(())
    }

    /// Decodes some chunks of a frame; `None` if they cannot be decoded.
    fn decode(
        &mut self,
        frames: &mut Frames,
        frame: &OpenFrame,
        chunks: Range<usize>,
    ) -> Option<Vec<u8>> {
        if frame.index().content_len() > MAX_LEN {
            return None;
        }
        frames.keep_payload(frame).ok()?;
        self.run.read(frames, frame, chunks).ok()?;
        if self.run.decoded_len() > MAX_LEN {
            return None;
        }
        let mut decoded = vec![0; self.run.decoded_len() as usize];
        self.run.decode(&mut decoded, None, &mut self.scratch, |_, error| Err(error)).ok()?;
        Some(decoded)
    }

    /// Returns the metadata of the tensors, if the data has a header that lists them.
    pub fn layout(&self) -> Option<&Metadata> {
        self.header.layout()
    }

    /// Returns the sample of a frame.
    pub fn sample_of(&self, frame: u64) -> Option<&Sample> {
        self.samples.iter().find(|(number, _)| *number == frame).map(|(_, sample)| sample)
    }
}
