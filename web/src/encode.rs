//! Compresses a file, frame by frame.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::delta::Delta;
use zipnn::file::Directory;
use zipnn::frame::{EncodeScratch, FramePosition, PlaneLayout};
use zipnn::layout_search::Segment;
use zipnn::tensor::{Metadata, MetadataError};
use zipnn::tensor::{PlannedFrame, plan};
use zipnn::{DType, DecodeErrorKind, Options, layout_search};

use crate::failure::Failure;

/// Most bytes of data in a frame.
const FRAME_LEN: usize = Options::DEFAULT_FRAME_LEN;

/// Writes the frames of a file. The output of a call stays in memory until the next call.
#[wasm_bindgen]
pub struct Encoder {
    options: Options,
    cutter: Cutter,
    scratch: EncodeScratch,
    position: FramePosition,
    directory: Directory,
    index: bool,
    written: Vec<u8>,
    written_len: usize,
}

/// Rule that divides the data into frames.
enum Cutter {
    /// Frames of equal length.
    Regular,
    /// Not decided: `needed` bytes show whether the file has a safetensors header.
    Unplanned { needed: u64 },
    /// The planned frames, and by samples after the last of them. The second field is the next one.
    Planned(Box<dyn Iterator<Item = PlannedFrame>>, Option<PlannedFrame>),
}

#[wasm_bindgen]
impl Encoder {
    /// Returns an encoder for the type with this code, or without a code for the types of a
    /// safetensors file.
    #[wasm_bindgen(constructor)]
    pub fn new(dtype: Option<u8>, checksums: bool, index: bool) -> Result<Self, Failure> {
        let cutter = match dtype {
            Some(_) => Cutter::Regular,
            None => Cutter::Unplanned { needed: 8 },
        };
        let code = dtype.unwrap_or(DType::F8E4M3.code());
        let dtype = DType::from_code(code).ok_or(DecodeErrorKind::UnsupportedDType(code))?;
        Ok(Self {
            options: Options::new(dtype).checksums(checksums),
            cutter,
            scratch: EncodeScratch::new(),
            position: match index {
                true => FramePosition::FIRST,
                false => FramePosition::FIRST.without_index(),
            },
            directory: Directory::new(),
            index,
            written: Vec::new(),
            written_len: 0,
        })
    }

    /// Returns the number of bytes that the next call of `feed` needs, unless the data ends before.
    #[wasm_bindgen(getter)]
    pub fn wanted(&self) -> f64 {
        match &self.cutter {
            Cutter::Unplanned { needed } => *needed as f64,
            Cutter::Planned(_, Some(part)) => (part.range.end - part.range.start) as f64,
            Cutter::Regular | Cutter::Planned(_, None) => FRAME_LEN as f64,
        }
    }

    /// Compresses data and returns the length of the frames. Returns `None` if it needs the same
    /// data again, with more after it.
    pub fn feed(&mut self, data: &[u8], is_last: bool) -> Result<Option<usize>, Failure> {
        self.written_len = 0;
        if let Cutter::Unplanned { .. } = self.cutter {
            self.plan(data, is_last);
            if !is_last && self.wanted() > data.len() as f64 {
                return Ok(None);
            }
        }
        let mut rest = data;
        // A file without data also has a frame.
        while !rest.is_empty() || self.directory.entries().is_empty() {
            let (frame, behind) = rest.split_at(rest.len().min(self.wanted() as usize));
            self.cut(frame)?;
            rest = behind;
        }
        Ok(Some(self.written_len))
    }

    /// Writes the end of the file and returns its length.
    pub fn finish(&mut self) -> usize {
        self.written = if self.index { self.directory.to_frame(Delta::None) } else { Vec::new() };
        self.written.len()
    }

    /// Returns the address of the output.
    #[wasm_bindgen(getter, js_name = writtenAt)]
    pub fn written_at(&self) -> usize {
        self.written.as_ptr() as usize
    }

    /// Parses the header, or finds that the file has none.
    fn plan(&mut self, beginning: &[u8], is_all: bool) {
        self.cutter = match Metadata::parse_header(beginning) {
            Err(MetadataError::Truncated { needed, .. }) if !is_all => Cutter::Unplanned { needed },
            Ok(metadata) => {
                let mut parts = plan(&metadata, FRAME_LEN as u64);
                let first = parts.next();
                Cutter::Planned(Box::new(parts), first)
            }
            Err(_) => Cutter::Planned(Box::new(core::iter::empty()), None),
        };
    }

    /// Writes data as a frame with a suitable layout, or as several if the layout changes.
    fn cut(&mut self, data: &[u8]) -> Result<(), Failure> {
        let Cutter::Planned(parts, part) = &mut self.cutter else {
            return self.write(data, self.options);
        };
        let declared = part.as_ref().and_then(|part| part.layout);
        *part = parts.next();
        let segments = match declared {
            Some(declared) => {
                let layout = layout_search::layout(data, None, declared);
                vec![Segment { range: 0..data.len(), layout }]
            }
            None if data.is_empty() => vec![Segment { range: 0..0, layout: PlaneLayout::ONE }],
            None => layout_search::segments(data, None),
        };
        for Segment { range, layout } in segments {
            self.write(&data[range], self.options.layout(layout))?;
        }
        Ok(())
    }

    fn write(&mut self, data: &[u8], options: Options) -> Result<(), Failure> {
        let bound = zipnn::compress_bound(data.len(), &options);
        if self.written.len() < self.written_len + bound {
            self.written.resize(self.written_len + bound, 0);
        }
        let dst = &mut self.written[self.written_len..];
        let (position, scratch) = (self.position, &mut self.scratch);
        let len = zipnn::frame::compress_frame_into(data, dst, &options, position, scratch)
            .map_err(|error| Failure::new("EncodeFailed", error))?;
        self.position = position.after(data.len() as u64);
        self.written_len += len;
        // Lengths of data in memory are not too large for the index.
        let _ = self.directory.push(len as u64, data.len() as u64);
        Ok(())
    }
}
