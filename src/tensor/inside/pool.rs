//! Compresses and decodes on all threads of the current `rayon` pool.

use std::vec::Vec;

use rayon::prelude::*;

use crate::chunk::decode::DecodeScratch;
use crate::chunk::encode::EncodeScratch;
use crate::error::{DecodeError, EncodeError};
use crate::frame::write::envelope::Envelope;
use crate::options::Options;
use crate::parallel::{self, ScratchPool};
use crate::tensor::inside::coder::{Coder, PART_LEN};
use crate::tensor::inside::open_frame::{ChunkTask, decode_task};

/// Computes on all threads of the pool.
pub(crate) struct Pool;

impl Coder for Pool {
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        _scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError> {
        parallel::par_compress_frame(data, frame, options, envelope, &ScratchPool::new())
    }

    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64> {
        parallel::par_checksums(data, chunk_len)
    }

    fn part_len(&self) -> usize {
        parallel::part_len(PART_LEN)
    }
}

/// Decodes chunks on all threads of the pool.
pub(crate) fn decode_on_pool(
    pieces: &[(u64, Vec<u8>)],
    tasks: Vec<ChunkTask<'_>>,
    _scratch: &mut DecodeScratch,
) -> Result<(), DecodeError> {
    let run_len = parallel::run_len(tasks.len());
    tasks
        .into_par_iter()
        .with_min_len(run_len)
        .try_for_each_init(DecodeScratch::new, |scratch, task| decode_task(pieces, task, scratch))
}
