//! Coding a plane: first the decision how, with its exact size, then the bytes.

use crate::bits;
use crate::entropy::histogram::StreamCounts;
use crate::entropy::huffman::code::Symbols;
use crate::entropy::huffman::lengths::{self, Ranking};
use crate::entropy::huffman::pairs::{self, PairCodes};
use crate::entropy::huffman::weights::{self, CodeLengths};
use crate::entropy::huffman::{JUMP_TABLE, MAX_WRITTEN_PLANE, code};
use crate::entropy::{STREAMS, SYMBOLS};

/// How to store a plane.
#[expect(clippy::large_enum_variant, reason = "made once a plane, and the encoder never allocates")]
pub(crate) enum Coding {
    /// As it is: nothing to gain.
    Raw,
    /// As one byte that repeats.
    Repeat(u8),
    /// As Huffman codes.
    Streams(Plan),
}

/// A code for a plane, with all sizes known.
pub(crate) struct Plan {
    code: CodeLengths,
    tree: [u8; weights::MAX_SIZE],
    tree_size: usize,
    stream_sizes: [usize; STREAMS],
}

impl Plan {
    /// Bytes that the coded plane takes.
    pub(crate) fn size(&self) -> usize {
        self.tree_size + JUMP_TABLE + self.stream_sizes.iter().sum::<usize>()
    }
}

/// Decides how to store a plane of `plane_len` bytes with these counts. Whether a plan is worth it
/// is for the caller to say.
pub(crate) fn plan(counts: &StreamCounts, plane_len: usize) -> Coding {
    if !(2..=MAX_WRITTEN_PLANE).contains(&plane_len) {
        return Coding::Raw;
    }
    let mut total = [0; SYMBOLS];
    for stream in counts {
        for (total, &count) in total.iter_mut().zip(stream) {
            *total += count;
        }
    }
    let (most_frequent, most) = (0..=u8::MAX)
        .map(|symbol| (symbol, total[usize::from(symbol)] as usize))
        .max_by_key(|&(_, count)| count)
        .unwrap_or_default();
    if most == plane_len {
        return Coding::Repeat(most_frequent);
    }
    // The original's rule of thumb for noise. Four streams of at least three symbols each are the
    // least that can be coded.
    if most <= (plane_len >> 7) + 4 || plane_len < 3 * STREAMS {
        return Coding::Raw;
    }
    let candidates = lengths::candidates(&Ranking::new(&total), plane_len);
    let original = Plan::new(candidates.original, counts);
    let optimal = candidates.optimal.and_then(|code| Plan::new(code, counts));
    [original, optimal]
        .into_iter()
        .flatten()
        .min_by_key(Plan::size)
        .map_or(Coding::Raw, Coding::Streams)
}

impl Plan {
    /// `None` if the code cannot be described or a stream is too long for the jump table.
    fn new(code: CodeLengths, counts: &StreamCounts) -> Option<Self> {
        let mut tree = [0; weights::MAX_SIZE];
        let tree_size = weights::write(&code, &mut tree)?;
        let stream_sizes = counts.map(|counts| {
            let bits: usize = counts
                .iter()
                .zip(&code.bits)
                .map(|(&n, &bits)| n as usize * usize::from(bits))
                .sum();
            (bits + 1).div_ceil(8)
        });
        let jumps = &stream_sizes[..STREAMS - 1];
        jumps.iter().all(|&size| size <= usize::from(u16::MAX)).then_some(Self {
            code,
            tree,
            tree_size,
            stream_sizes,
        })
    }

    /// Codes `plane`, whose counts the plan was made from, into `dst` of exactly [`Self::size`].
    pub(crate) fn encode(&self, plane: &[u8], dst: &mut [u8]) {
        const RUN: usize = 7;
        let streams = plane.chunks(plane.len().div_ceil(STREAMS));
        let codes = code::codes(&self.code);
        let code = |[symbol]: [u8; 1]| codes[usize::from(symbol)];
        encode_streams::<1, RUN>(streams, self.write_head(dst), code);
    }

    /// The same for a plane that has been packed into pairs.
    pub(crate) fn encode_pairs(
        &self,
        packed: &[u8],
        lowest: u8,
        codes: &mut PairCodes,
        dst: &mut [u8],
    ) {
        /// Up to so many bits that eight symbols take on average, twelve nearly always fit into a
        /// container.
        const SHORT: usize = 27;
        pairs::join(&code::codes(&self.code), lowest, codes);
        let streams = packed.chunks(packed.len() / STREAMS);
        let code = |pair| codes[pairs::number(pair)];
        let coded_len: usize = self.stream_sizes.iter().sum();
        if coded_len * 8 * 8 <= packed.len() * SHORT {
            encode_streams::<2, 6>(streams, self.write_head(dst), code);
        } else {
            encode_streams::<2, 4>(streams, self.write_head(dst), code);
        }
    }

    /// Writes everything before the streams, and cuts what follows into their places.
    fn write_head<'d>(&self, dst: &'d mut [u8]) -> [StreamWriter<'d>; STREAMS] {
        let (tree, rest) = dst.split_at_mut(self.tree_size);
        tree.copy_from_slice(&self.tree[..self.tree_size]);
        let (jumps, mut rest) = rest.split_at_mut(JUMP_TABLE);
        for (jump, size) in jumps.chunks_exact_mut(2).zip(self.stream_sizes) {
            jump.copy_from_slice(&(size as u16).to_le_bytes());
        }
        self.stream_sizes.map(|size| {
            let (stream, behind) = core::mem::take(&mut rest).split_at_mut(size);
            rest = behind;
            StreamWriter { room: stream, pending: 0, pending_bits: 0 }
        })
    }
}

/// Codes all streams, each last symbol first, and their end marks. `code` gives the code of a unit
/// of `UNIT` bytes; a run of `RUN` units is written at once where their codes are short enough.
///
/// Two streams go hand in hand, so that neither waits for itself.
fn encode_streams<'p, const UNIT: usize, const RUN: usize>(
    mut streams: impl Iterator<Item = &'p [u8]>,
    writers: [StreamWriter<'_>; STREAMS],
    code: impl Fn([u8; UNIT]) -> Symbols + Copy,
) {
    let mut units = || streams.next().unwrap_or_default().as_chunks::<UNIT>().0;
    let [first, second, third, fourth] = writers;
    for [mut first, mut second] in [[first, second], [third, fourth]] {
        let [(head0, runs0), (head1, runs1)] = [units(), units()].map(<[_]>::as_rchunks);
        let common = runs0.len().min(runs1.len());
        let (rest0, both0) = runs0.split_at(runs0.len() - common);
        let (rest1, both1) = runs1.split_at(runs1.len() - common);
        for (run0, run1) in both0.iter().zip(both1).rev() {
            first.write::<UNIT, RUN>(run0, code);
            second.write::<UNIT, RUN>(run1, code);
        }
        for (mut writer, rest, head) in [(first, rest0, head0), (second, rest1, head1)] {
            for run in rest.iter().rev() {
                writer.write(run, code);
            }
            write_one_by_one(head, code, writer).finish();
        }
    }
}

/// Codes units, last first, without expecting several to fit into a container.
#[cold]
#[inline(never)]
fn write_one_by_one<'a, const UNIT: usize>(
    units: &[[u8; UNIT]],
    code: impl Fn([u8; UNIT]) -> Symbols,
    mut writer: StreamWriter<'a>,
) -> StreamWriter<'a> {
    for &unit in units.iter().rev() {
        writer.push(code(unit));
        writer.flush();
    }
    writer
}

/// A stream while it is written. It has exactly the room that it takes.
#[derive(Default)]
struct StreamWriter<'a> {
    /// Where finished bytes go.
    room: &'a mut [u8],
    /// Bits that are not in the output yet, the oldest lowest, the last one highest. What is below
    /// them has no meaning.
    pending: u64,
    /// How many.
    pending_bits: u8,
}

/// Bits that a container can hold beside what has no meaning: the length of the last code.
const CONTAINER_BITS: u8 = 64 - 6;

impl StreamWriter<'_> {
    /// Appends a code. No more than [`CONTAINER_BITS`] may be pending when they are flushed.
    #[inline(always)]
    fn push(&mut self, code: Symbols) {
        self.pending = self.pending >> code.len() | code.0;
        self.pending_bits += code.0 as u8;
    }

    /// Moves the finished bytes to the output.
    #[inline(always)]
    fn flush(&mut self) {
        let finished = (self.pending_bits / 8) as usize;
        let bytes = (self.pending >> (self.pending_bits.wrapping_neg() % 64)).to_le_bytes();
        let room = core::mem::take(&mut self.room);
        // The room is passed instead of the writer, so that the writer can live in registers.
        self.room = bits::store(room, bytes, finished).unwrap_or_default();
        self.pending_bits %= 8;
    }

    /// Codes a run of units, last first: all at once if their codes fit into the container, which
    /// is seen when they are in it.
    #[inline(always)]
    fn write<const UNIT: usize, const RUN: usize>(
        &mut self,
        run: &[[u8; UNIT]; RUN],
        code: impl Fn([u8; UNIT]) -> Symbols,
    ) {
        let (mut pending, mut pending_bits) = (self.pending, u64::from(self.pending_bits));
        for &unit in run.iter().rev() {
            let code = code(unit);
            pending = pending >> code.len() | code.0;
            pending_bits = pending_bits.wrapping_add(code.0);
        }
        let pending_bits = pending_bits as u8;
        if pending_bits <= CONTAINER_BITS {
            (self.pending, self.pending_bits) = (pending, pending_bits);
            self.flush();
        } else {
            // The writer is moved and not borrowed, so that it can live in registers elsewhere.
            *self = write_one_by_one(run, code, core::mem::take(self));
        }
    }

    /// Writes the end mark.
    fn finish(mut self) {
        self.push(Symbols::new(1, 1));
        self.flush();
        let unfinished = usize::from(self.pending_bits > 0);
        debug_assert_eq!(unfinished, self.room.len(), "the size of a stream was foretold");
    }
}
