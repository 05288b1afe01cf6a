//! Encodes planes: first plans the coding and its exact length, then writes it.

use crate::entropy::histogram::StreamCounts;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::huffman::avx2::{self, BlockCounts};
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::entropy::huffman::avx512;
use crate::entropy::huffman::code::{Codeword, codewords};
use crate::entropy::huffman::lengths::{self, Ranking};
use crate::entropy::huffman::pair_table::PairTable;
use crate::entropy::huffman::pairs::{self, PairCodewords};
use crate::entropy::huffman::stream_writer::StreamWriter;
use crate::entropy::huffman::weights::{self, CodeLengths};
use crate::entropy::huffman::{JUMP_TABLE, MAX_WRITTEN_PLANE};
use crate::entropy::{STREAMS, SYMBOLS};
use crate::prefetch::Ahead;
use crate::simd::Kernels;

/// How to store a plane.
#[expect(
    clippy::large_enum_variant,
    reason = "created once a plane, and the encoder never allocates"
)]
pub(crate) enum Coding {
    /// Unchanged, because no code is shorter.
    Raw,
    /// As one byte, which fills the plane.
    Repeat(u8),
    /// As a description of a code and four streams.
    Streams(Plan),
}

/// A code for a plane, and the lengths of all parts of the coded plane.
pub(crate) struct Plan {
    code: CodeLengths,
    description: [u8; weights::MAX_SIZE],
    description_len: usize,
    stream_lens: [usize; STREAMS],
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    block_counts: BlockCounts,
}

impl Plan {
    /// Returns the code.
    pub(crate) fn code(&self) -> &CodeLengths {
        &self.code
    }

    /// Returns the description of the code.
    pub(crate) fn description(&self) -> &[u8] {
        &self.description[..self.description_len]
    }

    /// Returns the length of the coded plane in bytes.
    pub(crate) fn size(&self) -> usize {
        self.description_len + JUMP_TABLE + self.stream_lens.iter().sum::<usize>()
    }
}

/// Plans how to store a plane of `plane_len` bytes with these symbol counts.
///
/// The caller decides whether the plan saves enough.
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
    let most = total.iter().copied().max().unwrap_or_default() as usize;
    if most == plane_len {
        let symbol = total.iter().position(|&count| count as usize == plane_len);
        return Coding::Repeat(symbol.unwrap_or_default() as u8);
    }
    // The first condition is the heuristic of the original for noise. The second ensures that none
    // of the four streams is empty.
    if most <= (plane_len >> 7) + 4 || plane_len < 3 * STREAMS {
        return Coding::Raw;
    }
    let candidates = lengths::candidates(&Ranking::new(&total), plane_len);
    let original = Plan::new(candidates.original, counts);
    let optimal = candidates.optimal.and_then(|code| Plan::new(code, counts));
    let plan = [original, optimal].into_iter().flatten().min_by_key(Plan::size);
    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
    let plan = plan.map(|plan| Plan { block_counts: avx2::block_counts(&total), ..plan });
    plan.map_or(Coding::Raw, Coding::Streams)
}

impl Plan {
    /// Creates a plan; returns `None` if the code has no description or a stream is too long.
    fn new(code: CodeLengths, counts: &StreamCounts) -> Option<Self> {
        let mut description = [0; weights::MAX_SIZE];
        let description_len = weights::write(&code, &mut description)?;
        let coded = code.coded();
        let stream_lens = counts.each_ref().map(|counts| {
            let bits: u32 = counts[coded.clone()]
                .iter()
                .zip(&code.bits[coded.clone()])
                .map(|(&count, &bits)| count * u32::from(bits))
                .sum();
            (bits as usize + 1).div_ceil(8)
        });
        let jumps = &stream_lens[..STREAMS - 1];
        jumps.iter().all(|&len| len <= usize::from(u16::MAX)).then_some(Self {
            code,
            description,
            description_len,
            stream_lens,
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            block_counts: BlockCounts::default(),
        })
    }

    /// Encodes the counted plane into `dst`, which has the length [`Self::size`].
    ///
    /// Meanwhile it prefetches what is `ahead`.
    pub(crate) fn encode(
        &self,
        plane: &[u8],
        dst: &mut [u8],
        table: &mut PairTable,
        ahead: &mut Ahead<'_>,
    ) {
        self.encode_with(Kernels::new(), plane, dst, table, ahead);
    }

    /// Encodes the plane with kernels of a given level, to the same bytes as [`Self::encode`].
    #[allow(unused_variables, reason = "only dispatch uses the table and prefetches")]
    pub(crate) fn encode_with(
        &self,
        kernels: Kernels,
        plane: &[u8],
        dst: &mut [u8],
        table: &mut PairTable,
        ahead: &mut Ahead<'_>,
    ) {
        const RUN: usize = 7;
        let writers = self.write_head(dst);
        let writers = match kernels {
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Kernels::Avx512(token, _) if plane.len() >= avx512::SHORTEST => {
                return avx512::encode(token, plane, &self.code, writers, ahead);
            }
            #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
            Kernels::Avx2(token) if plane.len() >= avx2::SHORTEST => {
                let (code, counts) = (&self.code, &self.block_counts);
                let left = avx2::encode(token, plane, code, counts, writers, table, ahead);
                let Some(writers) = left else { return };
                writers
            }
            _ => writers,
        };
        let codewords = codewords(&self.code);
        let codeword = |[symbol]: [u8; 1]| codewords[usize::from(symbol)];
        let streams = plane.chunks(plane.len().div_ceil(STREAMS));
        encode_streams::<1, RUN>(streams, writers, codeword);
    }

    /// Encodes a plane that is packed into pairs. The result is the same as of [`Self::encode`].
    ///
    /// It overwrites `pair_codewords`, which avoids a large allocation.
    pub(crate) fn encode_pairs(
        &self,
        packed: &[u8],
        lowest: u8,
        pair_codewords: &mut PairCodewords,
        dst: &mut [u8],
    ) {
        /// Mean length of eight symbols in bits, for which twelve nearly always fit a container.
        const SHORT: usize = 27;
        pairs::join(&codewords(&self.code), lowest, pair_codewords);
        let streams = packed.chunks(packed.len() / STREAMS);
        let codeword = |pair| pair_codewords[pairs::number(pair)];
        let coded_len: usize = self.stream_lens.iter().sum();
        if coded_len * 8 * 8 <= packed.len() * SHORT {
            encode_streams::<2, 6>(streams, self.write_head(dst), codeword);
        } else {
            encode_streams::<2, 4>(streams, self.write_head(dst), codeword);
        }
    }

    /// Writes description and jump table, and returns a writer for each of the following streams.
    fn write_head<'d>(&self, dst: &'d mut [u8]) -> [StreamWriter<'d>; STREAMS] {
        let (description, rest) = dst.split_at_mut(self.description_len);
        description.copy_from_slice(&self.description[..self.description_len]);
        let (jumps, mut rest) = rest.split_at_mut(JUMP_TABLE);
        for (jump, len) in jumps.chunks_exact_mut(2).zip(self.stream_lens) {
            jump.copy_from_slice(&(len as u16).to_le_bytes());
        }
        self.stream_lens.map(|len| {
            let (stream, behind) = core::mem::take(&mut rest).split_at_mut(len);
            rest = behind;
            StreamWriter::new(stream)
        })
    }
}

/// Encodes all streams, each from its last symbol to its end mark.
///
/// `codeword` returns the codeword of a unit of `UNIT` bytes. A run of `RUN` units is written at
/// once if their codewords are short enough. Two streams alternate, because the steps of one stream
/// depend on each other.
fn encode_streams<'p, const UNIT: usize, const RUN: usize>(
    mut streams: impl Iterator<Item = &'p [u8]>,
    writers: [StreamWriter<'_>; STREAMS],
    codeword: impl Fn([u8; UNIT]) -> Codeword + Copy,
) {
    let mut units = || streams.next().unwrap_or_default().as_chunks::<UNIT>().0;
    let [first, second, third, fourth] = writers;
    for [mut first, mut second] in [[first, second], [third, fourth]] {
        let [(head0, runs0), (head1, runs1)] = [units(), units()].map(<[_]>::as_rchunks);
        let common = runs0.len().min(runs1.len());
        let (rest0, both0) = runs0.split_at(runs0.len() - common);
        let (rest1, both1) = runs1.split_at(runs1.len() - common);
        for (run0, run1) in both0.iter().zip(both1).rev() {
            first.write::<UNIT, RUN>(run0, codeword);
            second.write::<UNIT, RUN>(run1, codeword);
        }
        for (mut writer, rest, head) in [(first, rest0, head0), (second, rest1, head1)] {
            for run in rest.iter().rev() {
                writer.write(run, codeword);
            }
            writer.write_one_by_one(head, codeword).finish();
        }
    }
}
