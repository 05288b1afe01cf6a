//! Describing files that are compressed as a whole.

use std::collections::HashSet;
use std::io::{self, Write};
use std::ops::Range;

use serde_json::{Value, json};
use zipnn::delta::{Delta, MapSource};
use zipnn::file::Directory;
use zipnn::frame::{Form, FrameIndex, Header, Method, PlaneLayout};
use zipnn::tensor::{Metadata, TensorInfo};

use crate::args::BYTES;
use crate::base::content::Bases;
use crate::base::origin::Origins;
use crate::commands::info::passing::Passing;
use crate::commands::info::tensors::{self, TensorRow};
use crate::content::planes::PlaneTotals;
use crate::content::reasons::{Part, Reasons, SAMPLE_LEN, Sample};
use crate::content::tensors::{AnyArchive, open_archive};
use crate::content::types::{self, Types};
use crate::fs::endpoint::Endpoint;
use crate::job::frames::Frames;
use crate::report::failure::Failure;
use crate::report::{table, terminal, units};

/// Maximum number of frames that are listed in text.
const LISTED: usize = 16;

/// The number of planes of chunks stored with each method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Methods {
    pub raw: u64,
    pub repeat: u64,
    pub huffman: u64,
    pub pivot: u64,
    pub zstd: u64,
    pub difference: u64,
    pub records: u64,
    pub scales: u64,
}

impl Methods {
    fn of(index: &FrameIndex<'_>) -> Self {
        let mut methods = Self::default();
        for (method, count) in index.method_counts() {
            match method {
                Method::Raw => methods.raw += count,
                Method::Repeat => methods.repeat += count,
                Method::Pivot => methods.pivot += count,
                Method::Zstd => methods.zstd += count,
                Method::Difference => methods.difference += count,
                Method::Records => methods.records += count,
                Method::Scales => methods.scales += count,
                _ => methods.huffman += count,
            }
        }
        methods
    }

    fn add(&mut self, other: Self) {
        self.raw += other.raw;
        self.repeat += other.repeat;
        self.huffman += other.huffman;
        self.pivot += other.pivot;
        self.zstd += other.zstd;
        self.difference += other.difference;
        self.records += other.records;
        self.scales += other.scales;
    }

    fn json(self) -> Value {
        json!({
            "raw": self.raw, "repeat": self.repeat, "huffman": self.huffman, "pivot": self.pivot,
            "zstd": self.zstd, "difference": self.difference, "records": self.records,
            "scales": self.scales,
        })
    }
}

impl std::fmt::Display for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} raw, {} repeat, {} huffman", self.raw, self.repeat, self.huffman)?;
        if self.pivot > 0 {
            write!(f, ", {} pivot", self.pivot)?;
        }
        if self.zstd > 0 {
            write!(f, ", {} zstd", self.zstd)?;
        }
        if self.difference > 0 {
            write!(f, ", {} difference", self.difference)?;
        }
        if self.records > 0 {
            write!(f, ", {} records", self.records)?;
        }
        if self.scales > 0 {
            write!(f, ", {} scales", self.scales)?;
        }
        Ok(())
    }
}

/// Describes a frame.
struct FrameInfo {
    header: Header,
    /// The name of its element type; `None` without data.
    dtype: Option<&'static str>,
    shape: Option<Vec<u64>>,
    methods: Methods,
}

impl FrameInfo {
    fn json(&self) -> Value {
        let mut frame = json!({
            "version": version(self.header.version),
            "dtype": self.dtype,
            "form": self.header.form.name(),
            "planes": self.header.layout().planes(),
            "rotated": self.header.layout().is_rotated(),
            "chunk_bytes": self.header.chunk_len(),
            "chunks": self.header.chunk_count(),
            "original_bytes": self.header.decoded_len,
            "compressed_bytes": self.header.frame_len,
            "ratio": units::ratio(self.header.frame_len, self.header.decoded_len),
            "methods": self.methods.json(),
        });
        if let Some(shape) = &self.shape {
            frame["shape"] = json!(shape);
        }
        frame
    }

    /// Returns a line of text.
    fn text(&self) -> String {
        let header = &self.header;
        let lens = format!(
            "{} -> {} bytes ({})",
            header.decoded_len,
            header.frame_len,
            units::percent(header.frame_len, header.decoded_len),
        );
        let Some(dtype) = self.dtype else { return format!("no data, {lens}") };
        let chunk_len = units::bytes(header.chunk_len());
        let chunks = units::count(header.chunk_count(), "chunk");
        let mut text = format!("{dtype}, {chunks} of {chunk_len}, {lens}, {}", self.methods);
        match (header.layout() == PlaneLayout::of(header.dtype), header.layout().is_rotated()) {
            (true, _) => {}
            (false, true) => text += ", rotated",
            (false, false) if dtype == BYTES => {
                text += &format!(", in {} planes", header.layout().planes());
            }
            (false, false) => text += ", not rotated",
        }
        if let Some(shape) = &self.shape {
            text += &format!(", shape {}", units::clip(&format!("{shape:?}"), table::SHAPE));
        }
        text
    }
}

/// Describes a file.
pub struct FileInfo {
    /// The header of the first frame.
    pub first: Header,
    frames: Vec<FrameInfo>,
    /// The directory of the frames.
    pub directory: Directory,
    /// The metadata of the tensors, if the data is a `.safetensors` file.
    pub layout: Option<Metadata>,
    pub methods: Methods,
    /// The files that the base of a difference is assembled from.
    pub bases: Vec<MapSource>,
    /// Which of their tensors are the bases of the tensors.
    origins: Origins,
    /// Whether the original rejects the file.
    pub is_extended: bool,
    /// Number of bytes after the only frame.
    pub trailing: u64,
    /// Whether any chunk has a checksum.
    pub has_checksums: bool,
    /// Whether the loss of whole frames at the end is detected; `None` if none can be lost.
    pub is_sealed: Option<bool>,
    /// Why later frames cannot be described: the file was cut off, or is damaged.
    pub failure: Option<Failure>,
    reasons: Reasons,
    pub planes: PlaneTotals,
}

impl FileInfo {
    /// Reads headers and indexes of all frames, and the header of a `.safetensors` file.
    pub fn read(mut source: Frames, endpoint: &Endpoint) -> Result<Self, Failure> {
        let mut summary = Self {
            first: *source.first(),
            frames: Vec::new(),
            directory: Directory::new(),
            layout: None,
            methods: Methods::default(),
            bases: Vec::new(),
            origins: Origins::of_map(None),
            is_extended: false,
            trailing: 0,
            has_checksums: false,
            is_sealed: None,
            failure: None,
            reasons: Reasons::default(),
            planes: PlaneTotals::default(),
        };
        let archive = archive_of(endpoint);
        let mut passing = archive.is_none().then(Passing::default);
        summary.layout = archive.as_ref().and_then(|archive| archive.layout().ok().cloned());
        loop {
            let frame = match source.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(failure) => {
                    summary.failure = Some(failure);
                    break;
                }
            };
            if let Some(map) = frame.opened.base_map() {
                summary.bases = map.sources().to_vec();
                summary.origins = Origins::of_map(Some(map));
            }
            if let Some(passing) = passing.as_mut().filter(|_| summary.first.delta == Delta::None) {
                passing.read(&mut source, &frame);
                summary.layout = passing.layout().cloned();
            }
            let index = frame.index();
            let methods = Methods::of(&index);
            let header = *index.header();
            let offset = summary.directory.decoded_len();
            let dtype = types::of_frame(&header, summary.layout.as_ref(), offset);
            let middle = offset + header.decoded_len / 2;
            let tensor = types::tensor_at(summary.tensors(), middle).map(|tensor| &*tensor.dtype);
            let name = match (tensor, &summary.layout) {
                (Some(dtype), _) => dtype.to_owned(),
                (None, Some(_)) => "no tensor".to_owned(),
                (None, None) => dtype.unwrap_or(BYTES).to_owned(),
            };
            summary.planes.add(&name, &index);
            summary.directory.push(header.frame_len, header.decoded_len);
            summary.methods.add(methods);
            summary.has_checksums |= !frame.opened.checksums().is_empty();
            summary.is_extended |= index.is_extended();
            let shape = index.shape().map(|shape| shape.iter().collect());
            summary.frames.push(FrameInfo { header, dtype, shape, methods });
        }
        summary.trailing = source.trailing_len();
        summary.is_sealed = source.is_sealed();
        if summary.first.delta == Delta::None {
            summary.reasons = summary.find_reasons(archive.as_deref(), passing.as_ref());
        }
        Ok(summary)
    }

    /// Finds out why the data hardly shrinks, with samples from `archive`, or from what has passed.
    fn find_reasons(&self, archive: Option<&dyn AnyArchive>, passing: Option<&Passing>) -> Reasons {
        let parts = self.directory.entries().iter().enumerate().map(|(number, entry)| {
            let range = entry.decoded_range();
            let middle = range.start + (range.end - range.start) / 2;
            let tensor = types::tensor_at(self.tensors(), middle);
            let sample = move || {
                if let Some(passing) = passing {
                    return passing.sample_of(number as u64).cloned();
                }
                let len = SAMPLE_LEN.min(range.end - range.start);
                let start = middle.saturating_sub(len / 2).max(range.start);
                let read = |start: u64, len: u64| {
                    let mut bytes = vec![0; len as usize];
                    archive?.read_into(start, &mut bytes).ok()?;
                    Some(bytes)
                };
                let beginning = if range.start == 0 { read(0, len)? } else { Vec::new() };
                Some(Sample { beginning, bytes: read(start, len)? })
            };
            Part {
                dtype: tensor.map(|tensor| &*tensor.dtype),
                original: entry.decoded_len,
                compressed: entry.len,
                sample: Box::new(sample),
            }
        });
        Reasons::find(parts, self.methods.records > 0)
    }

    /// Returns the decoded length of the frames.
    pub fn original(&self) -> u64 {
        self.directory.decoded_len()
    }

    /// Returns the length of the frames.
    pub fn compressed(&self) -> u64 {
        self.directory.file_len()
    }

    /// Returns all tensors; none if the data has no known header.
    pub fn tensors(&self) -> &[TensorInfo] {
        self.layout.as_ref().map(Metadata::tensors).unwrap_or_default()
    }

    /// Returns the types of all tensors with data, each once; without tensors, the types of frames.
    fn dtypes(&self) -> Types {
        if let Some(layout) = &self.layout {
            let tensors = layout.tensors().iter();
            return Types::of_tensors(tensors.map(|tensor| (tensor.dtype(), tensor.len())));
        }
        let mut dtypes = Types::default();
        self.frames.iter().filter_map(|frame| frame.dtype).for_each(|dtype| dtypes.add(dtype));
        dtypes
    }

    /// Returns the versions of all frames with data, each once; of all frames if none has data.
    fn versions(&self) -> Vec<String> {
        let is_empty = self.original() == 0;
        let counts = |frame: &&FrameInfo| frame.header.decoded_len > 0 || is_empty;
        let mut seen = HashSet::new();
        let versions = self.frames.iter().filter(counts).map(|frame| frame.header.version);
        let versions = versions.filter(|&version| seen.insert(version));
        let mut versions: Vec<String> = versions.map(version).collect();
        if versions.is_empty() {
            // Even the first frame is incomplete.
            versions.push(version(self.first.version));
        }
        versions
    }

    /// Returns the numbers of the frames that hold a range of the data.
    fn frames_of(&self, range: &Range<u64>) -> Range<usize> {
        let entries = self.directory.entries();
        let start = entries.partition_point(|entry| entry.decoded_range().end <= range.start);
        let end = entries.partition_point(|entry| entry.decoded_range().start < range.end);
        if range.is_empty() { start..start } else { start..end.max(start) }
    }

    fn tensor_info<'s>(&self, tensor: &'s TensorInfo) -> TensorRow<'s> {
        TensorRow {
            name: &tensor.name,
            dtype: &tensor.dtype,
            shape: &tensor.shape,
            original: tensor.len(),
            compressed: self.directory.stored_len(tensor.range.clone()),
        }
    }

    fn tensor_json(&self, tensor: &TensorInfo) -> Value {
        let frames = self.frames_of(&tensor.range);
        let mut entry = self.tensor_info(tensor).json();
        entry["first_frame"] = (!frames.is_empty()).then_some(frames.start).into();
        entry["frame_count"] = frames.len().into();
        entry["base"] = self.origins.of(&tensor.range).map(|origin| origin.json()).into();
        entry
    }

    /// Writes a JSON object.
    pub fn write_json(&self, out: &mut impl Write, source: &Endpoint) -> io::Result<()> {
        let mut head = json!({
            "file": source.exact(),
            "inside_safetensors": false,
            "complete": self.failure.is_none(),
            "streaming": self.first.streaming,
            "delta": self.first.delta != Delta::None,
            "bases": self.bases.iter().map(base_json).collect::<Value>(),
            "form": self.first.form.name(),
            "dtypes": self.dtypes().names(),
            "versions": self.versions(),
            "original_bytes": self.original(),
            "compressed_bytes": self.compressed(),
            "ratio": units::ratio(self.compressed(), self.original()),
            "methods": self.methods.json(),
            "extended": self.is_extended,
            "checksums": self.has_checksums,
            "hardly_shrinks": self.reasons.json(),
            "planes": self.planes.json(),
            "trailing_bytes": self.trailing,
            "frame_count": self.frames.len(),
        });
        let frames = &mut self.frames.iter().map(FrameInfo::json);
        if self.layout.is_none() {
            return units::write_json(out, &head, &mut [("frames", frames)]);
        }
        head["tensor_count"] = self.tensors().len().into();
        let tensors = &mut self.tensors().iter().map(|tensor| self.tensor_json(tensor));
        units::write_json(out, &head, &mut [("frames", frames), ("tensors", tensors)])
    }

    /// Writes text.
    pub fn write_text(&self, out: &mut impl Write, source: &Endpoint) -> io::Result<()> {
        write!(out, "{source}: ZipNN {}", units::list(self.versions().iter()))?;
        if self.first.delta != Delta::None {
            write!(out, ", a difference to a base")?;
        }
        for base in &self.bases {
            write!(out, "\n  base: {}, {} bytes", units::name(&base.path), base.len)?;
        }
        write!(out, "\n  {}, ", terminal::lens(self.original(), self.compressed()),)?;
        let form = match self.first.form {
            Form::Bytes => String::new(),
            form => format!("{} form, ", form.name()),
        };
        let frames = if self.first.streaming { "streaming" } else { "one frame" };
        writeln!(out, "{}{form}{frames}", self.dtypes().text("", ", "))?;
        self.planes.lines("  ").iter().try_for_each(|line| writeln!(out, "{line}"))?;
        writeln!(out, "  planes of chunks: {}", self.methods)?;
        if self.is_extended {
            writeln!(out, "  extended: the original ZipNN does not read this file")?;
        }
        if !self.has_checksums && self.original() > 0 {
            writeln!(out, "  without checksums: damage may go unnoticed")?;
        }
        self.reasons.write(out)?;
        if self.trailing > 0 {
            writeln!(out, "  {}", units::trailing(self.trailing))?;
        }
        if self.failure.is_some() {
            writeln!(out, "  incomplete: only frames before the missing part are counted")?;
        }
        match &self.layout {
            Some(layout) => self.write_tensors(out, layout),
            None => {
                self.write_origins(out)?;
                self.write_frames(out)
            }
        }
    }

    /// Writes the bases of tensors whose own names are not known, because a base is missing.
    fn write_origins(&self, out: &mut impl Write) -> io::Result<()> {
        for (range, origin) in self.origins.named().take(LISTED) {
            writeln!(out, "  bytes {} to {} from {origin}", range.start, range.end)?;
        }
        match self.origins.named().count().saturating_sub(LISTED) as u64 {
            0 => Ok(()),
            more => writeln!(out, "  and {} from bases", units::count(more, "more tensor")),
        }
    }

    /// Writes which frames hold the header and each tensor.
    fn write_tensors(&self, out: &mut impl Write, layout: &Metadata) -> io::Result<()> {
        let header = 0..layout.data_start();
        if !header.is_empty() {
            let stored_len = self.directory.stored_len(header.clone());
            let frames = self.frames_text(&header);
            writeln!(out, "  header: {} -> {stored_len} bytes, {frames}", header.end)?;
        }
        tensors::write_lines(out, layout.tensors(), |tensor| {
            let mut more = self.frames_text(&tensor.range);
            if let Some(origin) = self.origins.of(&tensor.range) {
                more += &format!(", from {origin}");
            }
            (self.tensor_info(tensor), more)
        })
    }

    /// Returns which frames hold a range of the data, and their methods.
    fn frames_text(&self, range: &Range<u64>) -> String {
        let numbers = self.frames_of(range);
        let (Some(first), Some(last)) = (
            self.directory.entries().get(numbers.start),
            self.directory.entries().get(numbers.end.saturating_sub(1)),
        ) else {
            return "no frame".to_owned();
        };
        let mut methods = Methods::default();
        self.frames[numbers.clone()].iter().for_each(|frame| methods.add(frame.methods));
        let is_shared =
            first.decoded_range().start < range.start || last.decoded_range().end > range.end;
        match (numbers.len(), is_shared) {
            (0, _) => "no frame".to_owned(),
            (1, true) => format!("in frame {} with others", numbers.start),
            (1, false) => format!("frame {}: {methods}", numbers.start),
            (_, true) => {
                format!("in frames {} to {} with others", numbers.start, numbers.end - 1)
            }
            (_, false) => format!("frames {} to {}: {methods}", numbers.start, numbers.end - 1),
        }
    }

    fn write_frames(&self, out: &mut impl Write) -> io::Result<()> {
        for (number, frame) in self.frames.iter().enumerate().take(LISTED) {
            writeln!(out, "  frame {number}: {}", frame.text())?;
        }
        match self.frames.len().saturating_sub(LISTED) as u64 {
            0 => Ok(()),
            more => writeln!(out, "  and {}, which --json lists", units::count(more, "more frame")),
        }
    }
}

/// Opens a compressed file for reading parts of it; `None` for pipes, differences and old layouts.
fn archive_of(endpoint: &Endpoint) -> Option<Box<dyn AnyArchive>> {
    endpoint.path().filter(|path| path.is_file())?;
    open_archive(endpoint, Bases::default()).ok()
}

/// Describes a base.
fn base_json(base: &MapSource) -> Value {
    let hash: String = base.hash.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    json!({ "path": base.path, "bytes": base.len, "xxh3_128": hash })
}

/// Returns the version of the format as text.
pub fn version([major, minor, tiny]: [u8; 3]) -> String {
    format!("{major}.{minor}.{tiny}")
}
