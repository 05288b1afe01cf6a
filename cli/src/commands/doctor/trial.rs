//! Compressing samples of data as each level of `zipnn compress` would.

use std::collections::BTreeMap;
use std::ops::Range;

use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{EncodeScratch, Frame, FramePosition};
use zipnn::tensor::{Metadata, TensorInfo};
use zipnn::{DType, Options, Profile};

use crate::args::{BYTES, TypeChoice};
use crate::content::planes::PlaneTotals;
use crate::content::reasons::{Part, Reasons, SAMPLE_LEN, Sample};
use crate::content::types;
use crate::fs::endpoint::Endpoint;
use crate::job::framing::{Coded, Framing, Knowledge};
use crate::report::failure::Failure;

/// The levels of `zipnn compress`, with their options.
pub const LEVELS: [(&str, Profile); 3] =
    [("", Profile::Original), (" --extended", Profile::Extended), (" --max", Profile::Max)];

/// Number of bytes that are compressed at least, if the data has as many.
const BUDGET: u64 = 32 << 20;
/// Number of frames with which types are compared that the user could name.
const COMPARED: usize = 2;
/// Share of a length that another type has to save to be worth naming.
const WORTH_SAVING: f64 = 0.01;

/// The name of the type of data whose parts have different types.
pub const MIXED: &str = "mixed types";

/// Data that is compressed in parts.
pub trait Data {
    /// Reads a range.
    fn read(&mut self, range: &Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure>;

    /// Returns whether a range can be read on its own.
    fn can_read(&self, _range: &Range<u64>) -> bool {
        true
    }
}

/// Estimates of compressed lengths.
pub struct Trial {
    /// The types with the most bytes come first.
    pub types: Vec<TypeTrial>,
    pub original: u64,
    /// Number of bytes that were compressed.
    pub sampled: u64,
    /// For each level, about how long the compressed file would be.
    pub lens: [u64; LEVELS.len()],
    /// The planes of the samples, as the default level stores them.
    pub planes: PlaneTotals,
    /// A type that suits the beginning of the data better than what zipnn chooses.
    pub better_type: Option<BetterType>,
}

/// A type that suits data better than what zipnn chooses.
pub struct BetterType {
    pub choice: TypeChoice,
    /// Whether all of the data was compared.
    pub is_certain: bool,
}

/// Estimates for all data of a type.
pub struct TypeTrial {
    /// The type as the file names it, or as zipnn detects it.
    pub name: String,
    pub original: u64,
    pub sampled: u64,
    /// For each level, the compressed length of the samples.
    lens: [u64; LEVELS.len()],
    /// Why the data hardly shrinks with the default level.
    pub reasons: Reasons,
}

impl TypeTrial {
    /// Estimates the length at a level.
    pub fn len(&self, level: usize) -> u64 {
        match self.sampled {
            0 => self.original,
            sampled => {
                let scaled = u128::from(self.lens[level]) * u128::from(self.original);
                u64::try_from(scaled / u128::from(sampled)).unwrap_or(u64::MAX)
            }
        }
    }
}

/// A frame that `zipnn compress` would write.
struct Planned {
    range: Range<u64>,
    knowledge: Knowledge,
}

/// A type and the frames of its data.
#[derive(Default)]
struct Frames {
    /// The numbers of the frames.
    numbers: Vec<usize>,
    original: u64,
}

/// Compresses samples of `len` bytes of data with these tensors.
pub fn run(
    data: &mut dyn Data,
    len: u64,
    layout: Option<&Metadata>,
    subject: &Endpoint,
) -> Result<Trial, Failure> {
    let tensors = layout.map(Metadata::tensors).unwrap_or_default();
    let planned = frames(len, layout);
    let mut types: BTreeMap<Option<&str>, Frames> = BTreeMap::new();
    for (number, frame) in planned.iter().enumerate() {
        let frames = types.entry(dtype_at(tensors, &frame.range)).or_default();
        frames.numbers.push(number);
        frames.original += frame.range.end - frame.range.start;
    }
    let mut trial = Trial {
        types: Vec::new(),
        original: len,
        sampled: 0,
        lens: [0; LEVELS.len()],
        planes: PlaneTotals::default(),
        better_type: None,
    };
    let mut coder = Coder::new(subject);
    for (dtype, frames) in types {
        let chosen = choose(&frames, &planned, len, data);
        let chosen: Vec<_> = chosen.into_iter().map(|number| &planned[number]).collect();
        let name = dtype.or(layout.map(|_| "no tensor"));
        let of_type = coder.compress(data, &chosen, (dtype, name), &mut trial.planes)?;
        trial.sampled += of_type.sampled;
        trial.types.push(TypeTrial { original: frames.original, ..of_type });
    }
    trial.types.sort_by_key(|of_type| std::cmp::Reverse(of_type.original));
    let index = index_len(&planned);
    for level in 0..LEVELS.len() {
        let lens = trial.types.iter().map(|of_type| of_type.len(level));
        trial.lens[level] = lens.fold(index, u64::saturating_add);
    }
    if layout.is_none() {
        trial.better_type = coder.better_type(data, &planned)?;
    }
    Ok(trial)
}

/// Returns the frames that `zipnn compress` would write, before it samples them.
fn frames(len: u64, layout: Option<&Metadata>) -> Vec<Planned> {
    let piece_len = Options::DEFAULT_FRAME_LEN as u64;
    let mut framing = Framing::of(TypeChoice::Auto, piece_len, layout.cloned(), false);
    let mut planned = Vec::new();
    let mut start = 0;
    while start < len {
        let (piece, knowledge) = framing.next();
        let end = len.min(start.saturating_add(piece));
        planned.push(Planned { range: start..end, knowledge });
        start = end;
    }
    planned
}

fn dtype_at<'t>(tensors: &'t [TensorInfo], range: &Range<u64>) -> Option<&'t str> {
    let middle = range.start + (range.end - range.start) / 2;
    types::tensor_at(tensors, middle).map(|tensor| &*tensor.dtype)
}

/// Chooses frames of a type, spread over the data.
fn choose(frames: &Frames, planned: &[Planned], total: u64, data: &dyn Data) -> Vec<usize> {
    let readable = |number: &usize| data.can_read(&planned[*number].range);
    let numbers: Vec<usize> = frames.numbers.iter().copied().filter(readable).collect();
    if total <= BUDGET {
        return numbers;
    }
    if !Reasons::is_worth_naming(frames.original, total) {
        return Vec::new();
    }
    let share = u128::from(BUDGET) * u128::from(frames.original) / u128::from(total);
    let mean = (frames.original / frames.numbers.len().max(1) as u64).max(1);
    let count = (share as u64).div_ceil(mean).max(1).min(numbers.len() as u64) as usize;
    (0..count).map(|place| numbers[(2 * place + 1) * numbers.len() / (2 * count)]).collect()
}

/// Returns the length of the index of a file with these frames.
fn index_len(planned: &[Planned]) -> u64 {
    let mut directory = Directory::new();
    for frame in planned {
        // Only the number of frames decides.
        if directory.push(1, frame.range.end - frame.range.start).is_none() {
            break;
        }
    }
    directory.to_frame(Delta::None).len() as u64
}

/// Memory that is used for each sample.
struct Coder<'s> {
    subject: &'s Endpoint,
    coded: Coded,
    scratch: EncodeScratch,
    bytes: Vec<u8>,
}

impl<'s> Coder<'s> {
    fn new(subject: &'s Endpoint) -> Self {
        let (coded, scratch) = (Coded::default(), EncodeScratch::new());
        Self { subject, coded, scratch, bytes: Vec::new() }
    }

    /// Compresses frames of a type with each level. Without a name, the type is detected.
    fn compress(
        &mut self,
        data: &mut dyn Data,
        chosen: &[&Planned],
        (dtype, name): (Option<&str>, Option<&str>),
        planes: &mut PlaneTotals,
    ) -> Result<TypeTrial, Failure> {
        let mut lens = [0; LEVELS.len()];
        let mut sampled = 0;
        let mut sample = None;
        let mut detected: BTreeMap<&'static str, u64> = BTreeMap::new();
        for Planned { range, knowledge } in chosen {
            self.read(data, range)?;
            sampled += range.end - range.start;
            sample.get_or_insert_with(|| sample_of(&self.bytes, range));
            // The default level comes last, so that its frames remain.
            for (level, len) in lens.iter_mut().enumerate().rev() {
                let options = Options::bytes().profile(LEVELS[level].1);
                *len += self.encode(*knowledge, &options)?;
            }
            for (frame, _) in self.coded.frames() {
                let Ok(frame) = Frame::parse(frame) else { continue };
                let header = frame.index().header();
                let found = types::of_frame(header, None, 0).unwrap_or(BYTES);
                *detected.entry(found).or_default() += header.decoded_len;
                planes.add(name.unwrap_or(found), frame.index());
            }
        }
        let detected = type_of_all(&detected, sampled);
        let part = Part {
            dtype,
            original: sampled,
            compressed: lens[0],
            sample: Box::new(move || sample),
        };
        let reasons = Reasons::of_part(part);
        let name = name.unwrap_or(detected).to_owned();
        Ok(TypeTrial { name, original: sampled, sampled, lens, reasons })
    }

    /// Returns the type for all data with which the first frames become smallest, if it is clearly
    /// better than what zipnn chooses.
    fn better_type(
        &mut self,
        data: &mut dyn Data,
        planned: &[Planned],
    ) -> Result<Option<BetterType>, Failure> {
        let mut automatic = 0;
        let [f32, f16, bf16] = [DType::F32, DType::F16, DType::BF16].map(TypeChoice::Elements);
        // Floats of 8 bits have the layout of bytes.
        let choices = [TypeChoice::Bytes, f32, f16, bf16];
        let mut lens = choices.map(|_| 0);
        for frame in planned.iter().take(COMPARED) {
            self.read(data, &frame.range)?;
            automatic += self.encode(frame.knowledge, &Options::bytes())?;
            for (choice, len) in choices.iter().zip(&mut lens) {
                let knowledge = choice.layout().map_or(Knowledge::Nothing, Knowledge::Forced);
                *len += self.encode(knowledge, &choice.options())?;
            }
        }
        let smallest = choices.into_iter().zip(lens).min_by_key(|&(_, len)| len);
        let smallest = smallest.filter(|&(_, len)| is_worth_saving(len, automatic));
        let is_certain = planned.len() <= COMPARED;
        Ok(smallest.map(|(choice, _)| BetterType { choice, is_certain }))
    }

    fn read(&mut self, data: &mut dyn Data, range: &Range<u64>) -> Result<(), Failure> {
        self.bytes.clear();
        data.read(range, &mut self.bytes)
    }

    /// Compresses the bytes that were read, and returns their length.
    fn encode(&mut self, knowledge: Knowledge, options: &Options) -> Result<u64, Failure> {
        let position = FramePosition::FIRST;
        self.coded
            .compress(&self.bytes, None, knowledge, options, position, &mut self.scratch)
            .map_err(|error| Failure::encoding(self.subject, error))?;
        Ok(self.coded.bytes().len() as u64)
    }
}

/// Returns the type of almost all data of `total` bytes, or [`MIXED`].
fn type_of_all(lens: &BTreeMap<&'static str, u64>, total: u64) -> &'static str {
    let longest = lens.iter().max_by_key(|&(_, len)| len);
    let (name, len) = longest.map_or((BYTES, total), |(&name, &len)| (name, len));
    if Reasons::is_worth_naming(total - len.min(total), total) { MIXED } else { name }
}

fn sample_of(bytes: &[u8], range: &Range<u64>) -> Sample {
    let len = bytes.len().min(SAMPLE_LEN as usize);
    let beginning = if range.start == 0 { bytes[..len].to_vec() } else { Vec::new() };
    let start = (bytes.len() - len) / 2;
    Sample { beginning, bytes: bytes[start..start + len].to_vec() }
}

/// Returns whether a length is clearly smaller than another.
pub fn is_worth_saving(len: u64, than: u64) -> bool {
    (len as f64) < than as f64 * (1.0 - WORTH_SAVING)
}
