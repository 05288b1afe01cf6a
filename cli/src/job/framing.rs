//! Cutting input into pieces, and compressing each piece into frames.

use std::io;
use std::ops::Range;

use zipnn::frame::{EncodeScratch, FramePosition, PlaneLayout, Record, compress_frame_into};
use zipnn::layout_search::Segment;
use zipnn::tensor::{Metadata, PlannedFrame, plan};
use zipnn::{EncodeError, Options, compress_bound, delta, layout_search};

use crate::args::TypeChoice;
use crate::content::layout;
use crate::fs::input::Input;

/// What is known about a piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing: a search decides on frames and layouts.
    #[default]
    Nothing,
    /// The layout of the declared type. Another layout may suit the data better.
    Declared(PlaneLayout),
    /// The records of the declared type, which the extended profile splits.
    Records(Record),
    /// The layout that the user chose.
    Forced(PlaneLayout),
}

/// Returns pieces of an input without end: after the planned pieces, it cuts the rest as well.
pub struct Framing {
    planned: Box<dyn Iterator<Item = PlannedFrame> + Send>,
    rest: Knowledge,
    /// The maximum length of a piece.
    piece_len: u64,
}

impl Framing {
    /// Plans the pieces of an input from its tensors, if it is a file of a known format. Does not
    /// consume any input.
    ///
    /// For a small difference, tensors of a type share frames, because frames of their own could
    /// take more space than their content.
    pub fn new(
        choice: TypeChoice,
        piece_len: u64,
        input: &mut Input,
        is_small_difference: bool,
    ) -> io::Result<Self> {
        Ok(Self::of(choice, piece_len, tensors(choice, input)?, is_small_difference))
    }

    /// Plans the pieces of data with these tensors.
    pub fn of(
        choice: TypeChoice,
        piece_len: u64,
        layout: Option<Metadata>,
        is_small_difference: bool,
    ) -> Self {
        let planned: Box<dyn Iterator<Item = PlannedFrame> + Send> = match layout {
            Some(layout) if is_small_difference => Box::new(join(plan(&layout, piece_len))),
            Some(layout) => Box::new(plan(&layout, piece_len)),
            None => Box::new(std::iter::empty()),
        };
        let rest = choice.layout().map_or(Knowledge::Nothing, Knowledge::Forced);
        Self { planned, rest, piece_len }
    }

    /// Returns the maximum length of the next piece, and what is known about it.
    pub fn next(&mut self) -> (u64, Knowledge) {
        match self.planned.next() {
            Some(PlannedFrame { range, layout, record, .. }) => {
                let declared = layout.map_or(Knowledge::Nothing, Knowledge::Declared);
                let knowledge = record.map_or(declared, Knowledge::Records);
                (range.end - range.start, knowledge)
            }
            None => (self.piece_len, self.rest),
        }
    }
}

/// Returns the tensors that decide on the pieces of an input, if there are any. Does not consume any
/// input.
pub fn tensors(choice: TypeChoice, input: &mut Input) -> io::Result<Option<Metadata>> {
    match choice.layout() {
        Some(_) => Ok(None),
        None => layout::read(input),
    }
}

/// Joins neighbouring frames of the same layout, as long as the result has the default length.
fn join(
    planned: impl Iterator<Item = PlannedFrame> + Send,
) -> impl Iterator<Item = PlannedFrame> + Send {
    let mut planned = planned.peekable();
    std::iter::from_fn(move || {
        let mut joined = planned.next()?;
        while let Some(next) = planned.next_if(|next| {
            let len = next.range.end - joined.range.start;
            next.layout == joined.layout && len <= Options::DEFAULT_FRAME_LEN as u64
        }) {
            joined.range.end = next.range.end;
        }
        Some(joined)
    })
}

/// Returns the frames of a piece and their layouts. With the matching part of a base, chooses them
/// for the difference.
pub fn segments(
    piece: &[u8],
    base: Option<&[u8]>,
    knowledge: Knowledge,
    options: &Options,
) -> Vec<Segment> {
    let uses_code = base.is_some() && options.is_extended();
    let whole = |layout| vec![Segment { range: 0..piece.len(), layout }];
    match knowledge {
        // The code of differences needs the type of the elements, not the best layout.
        Knowledge::Declared(layout) if uses_code && layout.planes() == 2 => whole(layout),
        Knowledge::Records(_) if base.is_none() && options.is_extended() => whole(PlaneLayout::ONE),
        Knowledge::Nothing | Knowledge::Records(_) => layout_search::segments(piece, base),
        Knowledge::Declared(layout) => whole(layout_search::layout(piece, base, layout)),
        Knowledge::Forced(layout) => whole(layout),
    }
}

/// The compressed frames of a piece.
#[derive(Default)]
pub struct Coded {
    bytes: Vec<u8>,
    /// The range of each frame in `bytes`, and the length of its data.
    frames: Vec<(Range<usize>, usize)>,
}

impl Coded {
    /// Replaces the frames with the frames of another piece. Overwrites `base` with the difference.
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
        let options = match knowledge {
            Knowledge::Records(record) => options.record(record),
            _ => *options,
        };
        let mut start = 0;
        for Segment { range, layout } in segments(piece, base.as_deref(), knowledge, &options) {
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

    /// Exchanges the memory of the frames with `memory`, and removes the frames.
    pub fn exchange_memory(&mut self, memory: &mut Vec<u8>) {
        self.frames.clear();
        std::mem::swap(&mut self.bytes, memory);
    }

    /// Returns the length of the data of all frames.
    pub fn decoded_len(&self) -> u64 {
        self.frames.iter().map(|&(_, len)| len as u64).sum()
    }

    /// Returns the bytes of all frames.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.frames.last().map_or(0, |(range, _)| range.end)]
    }

    /// Returns each frame with the length of its data.
    pub fn frames(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.frames.iter().map(|(range, len)| (&self.bytes[range.clone()], *len))
    }
}
