//! Prefetches memory into the caches, on targets with a safe interface to do so.

use core::slice::Iter;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Memory that a later step reads or writes, and that another step prefetches while it computes.
///
/// A core waits for few lines at a time. The step that computes prefetches no more than arrive
/// while it does so; otherwise it waits for its own memory longer.
#[derive(Default)]
pub struct Ahead<'a> {
    memories: [Iter<'a, [u8; LINE]>; 3],
}

impl<'a> Ahead<'a> {
    /// Adds memory, unless there is memory in three places already.
    pub(crate) fn add(&mut self, memory: &'a [u8]) {
        if let Some(place) = self.memories.iter_mut().find(|place| place.len() == 0) {
            *place = memory.as_chunks().0.iter();
        }
    }

    /// Prefetches the next line in each place to the second level of cache, until the first place ends.
    #[inline(always)]
    pub(crate) fn step(&mut self) {
        #[cfg(all(feature = "simd", target_arch = "x86_64"))]
        {
            let [first, others @ ..] = &mut self.memories;
            let Some(line) = first.next() else { return };
            safe_arch::prefetch_t1(line);
            for memory in others {
                if let Some(line) = memory.next() {
                    safe_arch::prefetch_t1(line);
                }
            }
        }
    }
}

/// Prefetches the first `len` bytes of memory, as far as it goes.
#[inline]
pub(crate) fn prefetch_start(memory: &[u8], len: usize) {
    for line in memory[..len.min(memory.len())].chunks(LINE) {
        prefetch_line(&line[0]);
    }
}

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
#[inline]
fn prefetch_line(byte: &u8) {
    safe_arch::prefetch_t0(byte);
}

/// Does nothing: no safe interface prefetches for this target.
#[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
#[inline]
fn prefetch_line(_: &u8) {}
