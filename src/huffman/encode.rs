//! Coding a plane: first the decision how, with its exact size, then the bytes.

use super::lengths::{self, Ranking};
use super::weights::{self, CodeLengths};
use super::{JUMP_TABLE, MAX_WRITTEN_PLANE, STREAMS, table};
use crate::histogram::{SYMBOLS, StreamCounts};

/// Most codes of 11 bits that fit a container of 64 behind up to 7 bits of an unfinished byte.
const GROUP: usize = 5;

/// How to store a plane.
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
    codes: [u32; SYMBOLS],
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
    if plane_len < 2 || plane_len > MAX_WRITTEN_PLANE {
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
    let original = Plan::new(&candidates.original, counts);
    let optimal = candidates.optimal.and_then(|code| Plan::new(&code, counts));
    [original, optimal]
        .into_iter()
        .flatten()
        .min_by_key(Plan::size)
        .map_or(Coding::Raw, Coding::Streams)
}

impl Plan {
    /// `None` if the code cannot be described or a stream is too long for the jump table.
    fn new(code: &CodeLengths, counts: &StreamCounts) -> Option<Self> {
        let mut tree = [0; weights::MAX_SIZE];
        let tree_size = weights::write(code, &mut tree)?;
        let stream_sizes = counts.map(|counts| {
            let bits: usize = counts
                .iter()
                .zip(&code.bits)
                .map(|(&n, &bits)| n as usize * usize::from(bits))
                .sum();
            (bits + 1).div_ceil(8)
        });
        let jumps = &stream_sizes[..STREAMS - 1];
        jumps.iter().all(|&size| size <= usize::from(u16::MAX)).then(|| Self {
            codes: table::codes(code),
            tree,
            tree_size,
            stream_sizes,
        })
    }

    /// Codes `plane`, whose counts the plan was made from, into `dst` of exactly [`Self::size`].
    pub(crate) fn encode(&self, plane: &[u8], dst: &mut [u8]) {
        let (tree, rest) = dst.split_at_mut(self.tree_size);
        tree.copy_from_slice(&self.tree[..self.tree_size]);
        let (jumps, mut rest) = rest.split_at_mut(JUMP_TABLE);
        for (jump, size) in jumps.chunks_exact_mut(2).zip(self.stream_sizes) {
            jump.copy_from_slice(&(size as u16).to_le_bytes());
        }
        let parts = plane.chunks(plane.len().div_ceil(STREAMS));
        for (part, size) in parts.zip(self.stream_sizes) {
            let (stream, behind) = rest.split_at_mut(size);
            encode_stream(part, &self.codes, stream);
            rest = behind;
        }
    }
}

/// Codes `symbols`, last first, and the end mark into `dst`, which has exactly the size needed.
fn encode_stream(symbols: &[u8], codes: &[u32; SYMBOLS], dst: &mut [u8]) {
    let mut writer = StreamWriter { dst, len: 0, pending: 0, pending_bits: 0 };
    let (head, groups) = symbols.as_rchunks::<GROUP>();
    for group in groups.iter().rev() {
        for &symbol in group.iter().rev() {
            writer.push(codes[usize::from(symbol)]);
        }
        writer.flush();
    }
    for &symbol in head.iter().rev() {
        writer.push(codes[usize::from(symbol)]);
    }
    writer.flush();
    const END_MARK: u32 = 1 << 16 | 1;
    writer.push(END_MARK);
    writer.flush();
    writer.finish();
}

struct StreamWriter<'a> {
    dst: &'a mut [u8],
    len: usize,
    pending: u64,
    pending_bits: u32,
}

impl StreamWriter<'_> {
    #[inline(always)]
    fn push(&mut self, code: u32) {
        self.pending |= u64::from(code & 0xffff) << (self.pending_bits & 63);
        self.pending_bits += code >> 16;
    }

    /// Moves the finished bytes to the output.
    #[inline(always)]
    fn flush(&mut self) {
        let bytes = self.pending.to_le_bytes();
        match self.dst.get_mut(self.len..self.len + 8) {
            Some(window) => window.copy_from_slice(&bytes),
            None => {
                let room = self.dst.len() - self.len;
                self.dst[self.len..].copy_from_slice(&bytes[..room]);
            }
        }
        let finished = self.pending_bits / 8;
        self.len += finished as usize;
        self.pending >>= finished * 8;
        self.pending_bits %= 8;
    }

    fn finish(self) {
        let len = self.len + usize::from(self.pending_bits > 0);
        debug_assert_eq!(len, self.dst.len(), "the size of a stream was foretold");
    }
}
