//! What input is cut into before it is compressed, and how the frames of each piece are found.

use std::io;
use std::ops::Range;

use zipnn::frame::{EncodeScratch, FramePosition, PlaneLayout, compress_frame_into};
use zipnn::layout_search::Segment;
use zipnn::tensor::safetensors::{Metadata, MetadataError};
use zipnn::tensor::{PlannedFrame, plan};
use zipnn::{EncodeError, Options, compress_bound, delta, layout_search};

use crate::args::Choice;
use crate::content::beginning::{PEEK_LEN, may_begin_json};
use crate::fs::input::Input;

/// What is known of a piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing: its data has to tell, and where its frames end, too.
    #[default]
    Nothing,
    /// Its type, which may not be the truth.
    Declared(PlaneLayout),
    /// The user wants this type.
    Forced(PlaneLayout),
}

/// The pieces of an input, one after another, without end: input that goes on when all that was
/// known of has been read is cut as well.
pub struct Pieces {
    planned: Box<dyn Iterator<Item = PlannedFrame> + Send>,
    rest: Knowledge,
}

impl Pieces {
    /// Looks at the beginning of the input, which is where it was afterwards. What looks like a
    /// `.safetensors` file and is none is data of which nothing is known.
    pub fn new(choice: Choice, input: &mut Input) -> io::Result<Self> {
        let planned: Box<dyn Iterator<Item = PlannedFrame> + Send> = match choice.dtype() {
            None => match read_layout(input)? {
                Some(layout) => Box::new(plan(&layout, Options::DEFAULT_FRAME_LEN as u64)),
                None => Box::new(std::iter::empty()),
            },
            Some(_) => Box::new(std::iter::empty()),
        };
        let forced = choice.dtype().map(PlaneLayout::of);
        Ok(Self { planned, rest: forced.map_or(Knowledge::Nothing, Knowledge::Forced) })
    }

    /// Length of the next piece, if there is so much input, and what is known of it.
    pub fn next(&mut self) -> (u64, Knowledge) {
        match self.planned.next() {
            Some(PlannedFrame { range, layout, .. }) => {
                let knowledge = layout.map_or(Knowledge::Nothing, Knowledge::Declared);
                (range.end - range.start, knowledge)
            }
            None => (Options::DEFAULT_FRAME_LEN as u64, self.rest),
        }
    }
}

/// Where the tensors are, if the input is a `.safetensors` file, whatever its name.
fn read_layout(input: &mut Input) -> io::Result<Option<Metadata>> {
    let mut bytes = Vec::new();
    let layout = loop {
        let needed = match Metadata::parse_header(&bytes) {
            Ok(layout) => break Some(layout),
            Err(MetadataError::Truncated { needed, .. }) if may_begin_header(&bytes) => needed,
            Err(_) => break None,
        };
        // Before a pipe is read as far as a number in it says, there is a look at what follows.
        let missing = needed.max(PEEK_LEN as u64) - bytes.len() as u64;
        if input.read_up_to(missing, &mut bytes)? < missing {
            break None;
        }
    };
    if input.is_seekable() {
        input.go_to(0)?;
    } else {
        input.put_back(bytes);
    }
    Ok(layout)
}

fn may_begin_header(bytes: &[u8]) -> bool {
    bytes.get(PEEK_LEN - 1).is_none_or(|&first| may_begin_json(first))
}

/// The frames that a piece becomes, and their layouts. Where there is a part of a base that goes
/// with it, the difference decides.
pub fn segments(piece: &[u8], base: Option<&[u8]>, knowledge: Knowledge) -> Vec<Segment> {
    let whole = |layout| vec![Segment { range: 0..piece.len(), layout }];
    match knowledge {
        Knowledge::Nothing => layout_search::segments(piece, base),
        Knowledge::Declared(layout) => whole(layout_search::layout(piece, base, layout)),
        Knowledge::Forced(layout) => whole(layout),
    }
}

/// The frames of a piece, one after another.
#[derive(Default)]
pub struct Coded {
    bytes: Vec<u8>,
    /// Of each frame, where it is, and the length of its data.
    frames: Vec<(Range<usize>, usize)>,
}

impl Coded {
    /// Compresses a piece in place of what is here. `base`, where there is one, becomes the
    /// difference.
    pub fn compress(
        &mut self,
        piece: &[u8],
        mut base: Option<&mut [u8]>,
        knowledge: Knowledge,
        options: &Options,
        mut position: FramePosition,
        scratch: &mut EncodeScratch,
    ) -> Result<(), EncodeError> {
        self.frames.clear();
        let mut start = 0;
        for Segment { range, layout } in segments(piece, base.as_deref(), knowledge) {
            let options = options.layout(layout);
            let data = &piece[range.clone()];
            let room = start + compress_bound(data.len(), &options);
            if self.bytes.len() < room {
                self.bytes.reserve_exact(room - self.bytes.len());
                self.bytes.resize(room, 0);
            }
            let frame = &mut self.bytes[start..];
            let len = match base.as_deref_mut() {
                None => compress_frame_into(data, frame, &options, position, scratch)?,
                Some(base) => {
                    let base = &mut base[range];
                    delta::compress_frame_into(data, base, frame, &options, position, scratch)?
                }
            };
            self.frames.push((start..start + len, data.len()));
            start += len;
            position = position.after(data.len() as u64);
        }
        Ok(())
    }

    /// Exchanges the memory of the frames, which are gone then.
    pub fn exchange_memory(&mut self, memory: &mut Vec<u8>) {
        self.frames.clear();
        std::mem::swap(&mut self.bytes, memory);
    }

    /// Returns the length of the data of all frames.
    pub fn decoded_len(&self) -> u64 {
        self.frames.iter().map(|&(_, len)| len as u64).sum()
    }

    /// All frames.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.frames.last().map_or(0, |(range, _)| range.end)]
    }

    /// Each frame, and the length of its data.
    pub fn frames(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.frames.iter().map(|(range, len)| (&self.bytes[range.clone()], *len))
    }
}
