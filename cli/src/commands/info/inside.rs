//! Describing files with compressed tensors inside.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use serde_json::{Value, json};
use zipnn::Limits;
use zipnn::frame::{FrameOpener, Keep, OpenOptions, OpenedFrame};
use zipnn::tensor::MetadataError;
use zipnn::tensor::inside::{StoredTensor, TensorReader};

use crate::commands::info::tensors::{TensorRow, write_lines};
use crate::content::planes::PlaneTotals;
use crate::content::reasons::{Part, Reasons, SAMPLE_LEN, Sample};
use crate::content::tensor_source::{TensorSource, header_failure};
use crate::content::types::Types;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::Failure;
use crate::report::{terminal, units};

/// Describes a file.
pub struct InsideInfo {
    /// The tensors, each with whether the file holds all of its bytes.
    tensors: Vec<(StoredTensor, bool)>,
    /// Why the file is incomplete.
    cut: Option<MetadataError>,
    dtypes: Types,
    original: u64,
    compressed: u64,
    is_ours: bool,
    is_list_lost: bool,
    /// Why the list of compressed tensors does not match the file.
    list_problem: Option<String>,
    has_checksums: bool,
    planes: PlaneTotals,
    reasons: Reasons,
}

impl InsideInfo {
    /// Reads the header and the beginnings of frames.
    pub fn read(endpoint: &Endpoint) -> Result<Self, Failure> {
        let mut source = TensorSource::open_partial(endpoint)?;
        let reader = &source.reader;
        if let (false, Some(cut)) = (reader.is_compressed(), reader.cut()) {
            return Err(header_failure(endpoint, cut));
        }
        if !reader.is_compressed() {
            return Err(Failure::new(endpoint, "no tensor in it is compressed").hint(
                "info describes compressed files, and this is an uncompressed .safetensors file",
            ));
        }
        let restored = reader.restored_header().map_err(|error| source.failure(error))?;
        let lens = reader.tensors().iter().map(|tensor| tensor.decoded_len);
        let original = lens.fold(restored.header.len() as u64, u64::saturating_add);
        // Leaves out bytes of the source that belong to no tensor.
        let mut numbers = restored.tensors;
        numbers.sort_unstable();
        let tensor = |number: usize| (reader.tensors()[number].clone(), reader.is_complete(number));
        let tensors: Vec<(StoredTensor, bool)> = numbers.iter().copied().map(tensor).collect();
        let planes = planes(&mut source.reader, &numbers);
        let reasons = reasons(&mut source.reader, &numbers);
        let reader = &source.reader;
        Ok(Self {
            planes,
            reasons,
            dtypes: Types::of_tensors(
                tensors.iter().map(|(tensor, _)| (tensor.dtype(), tensor.decoded_len)),
            ),
            cut: reader.cut().cloned(),
            original,
            compressed: reader.file_len(),
            is_ours: reader.is_ours(),
            is_list_lost: reader.is_list_lost(),
            list_problem: reader.list_problem().map(|problem| problem.to_string()),
            has_checksums: reader.has_checksums(),
            tensors,
        })
    }

    /// Returns a failure if the file is incomplete.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.cut.as_ref().map_or(Ok(()), |cut| Err(header_failure(endpoint, cut)))
    }

    fn compressed_count(&self) -> usize {
        self.tensors.iter().filter(|(tensor, _)| tensor.is_compressed).count()
    }

    /// Writes a JSON object.
    pub fn write_json(&self, out: &mut impl Write, endpoint: &Endpoint) -> io::Result<()> {
        let compressed = self.compressed_count();
        let head = json!({
            "file": endpoint.exact(),
            "inside_safetensors": true,
            "complete": self.cut.is_none(),
            "dtypes": self.dtypes.names(),
            "original_bytes": self.original,
            "compressed_bytes": self.compressed,
            "ratio": units::ratio(self.compressed, self.original),
            "tensor_count": self.tensors.len(),
            "compressed_tensors": compressed,
            "plain_tensors": self.tensors.len() - compressed,
            "checksums": self.has_checksums,
            "by_the_original": !self.is_ours,
            "list_lost": self.is_list_lost,
            "list_problem": self.list_problem,
            "hardly_shrinks": self.reasons.json(),
            "planes": self.planes.json(),
        });
        let tensor = |(tensor, is_complete): &(StoredTensor, bool)| {
            let mut entry: Value = tensor_info(tensor).json();
            entry["compressed"] = tensor.is_compressed.into();
            entry["complete"] = (*is_complete).into();
            entry
        };
        units::write_json(out, &head, &mut [("tensors", &mut self.tensors.iter().map(tensor))])
    }

    /// Writes text.
    pub fn write_text(&self, out: &mut impl Write, endpoint: &Endpoint) -> io::Result<()> {
        let writer = if self.is_ours { "this program" } else { "the original ZipNN" };
        writeln!(out, "{endpoint}: tensors compressed inside a safetensors file, by {writer}")?;
        writeln!(
            out,
            "  {}{}",
            terminal::lens(self.original, self.compressed),
            self.dtypes.text(", ", ""),
        )?;
        self.planes.lines("  ").iter().try_for_each(|line| writeln!(out, "{line}"))?;
        self.reasons.write(out)?;
        let checksums = if self.has_checksums { "with checksums" } else { "without checksums" };
        let (compressed, all) =
            (self.compressed_count(), units::count(self.tensors.len() as u64, "tensor"));
        writeln!(out, "  {compressed} of {all} compressed, {checksums}")?;
        if self.is_list_lost {
            writeln!(
                out,
                "  the list of compressed tensors is missing: `zipnn repair` writes a new one"
            )?;
        }
        if let Some(problem) = &self.list_problem {
            writeln!(out, "  {problem}: `zipnn repair` removes stale metadata")?;
        }
        write_lines(out, &self.tensors, |(tensor, is_complete)| {
            let how = if tensor.is_compressed { "compressed" } else { "uncompressed" };
            let more = if *is_complete { "" } else { ", incomplete" };
            (tensor_info(tensor), format!("{how}{more}"))
        })
    }
}

fn tensor_info(tensor: &StoredTensor) -> TensorRow<'_> {
    TensorRow {
        name: &tensor.name,
        dtype: &tensor.dtype,
        shape: &tensor.shape,
        original: tensor.decoded_len,
        compressed: tensor.stored.end - tensor.stored.start,
    }
}

/// Returns what the planes of all complete tensors take.
fn planes(reader: &mut TensorReader<File>, numbers: &[usize]) -> PlaneTotals {
    let mut planes = PlaneTotals::default();
    for &number in numbers {
        let tensor = reader.tensors()[number].clone();
        match tensor.is_compressed {
            // A damaged frame is left out.
            true => {
                if let Some(frame) = open_frame(reader.stored(number)) {
                    planes.add(&tensor.dtype, &frame.index());
                }
            }
            false => planes.add_uncompressed(&tensor.dtype, tensor.decoded_len),
        }
    }
    planes
}

/// Reads the index of the frame of a tensor.
fn open_frame(mut stored: impl Read + Seek) -> Option<OpenedFrame> {
    let mut opener = FrameOpener::new(OpenOptions::new(Limits::default()).keep(Keep::Index));
    while let Some(wanted) = opener.wanted() {
        stored.seek(SeekFrom::Start(wanted.start)).ok()?;
        let mut bytes = Vec::new();
        (&mut stored).take(wanted.end - wanted.start).read_to_end(&mut bytes).ok()?;
        opener.feed(&bytes).ok()?;
    }
    opener.finish().ok()
}

/// Finds out why the data hardly shrinks.
fn reasons(reader: &mut TensorReader<File>, numbers: &[usize]) -> Reasons {
    let tensors = reader.tensors().to_vec();
    let reader = &RefCell::new(reader);
    let parts = numbers.iter().map(|&number| {
        let tensor = &tensors[number];
        let sample = move || {
            let len = SAMPLE_LEN.min(tensor.decoded_len);
            // The middle, on whole elements of any type.
            let start = (tensor.decoded_len - len) / 2 / 8 * 8;
            let mut bytes = vec![0; len as usize];
            reader.borrow_mut().read_part(number, start, &mut bytes).ok()?;
            Some(Sample { beginning: Vec::new(), bytes })
        };
        Part {
            dtype: Some(&tensor.dtype),
            original: tensor.decoded_len,
            compressed: tensor.stored_len(),
            sample: Box::new(sample),
        }
    });
    Reasons::find(parts, false)
}
