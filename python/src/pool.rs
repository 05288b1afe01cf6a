//! Threads: the caller's, or a pool for each process and number of threads.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use zipnn::parallel::ScratchPool;

/// Maximum number of threads by default.
const MOST: usize = 16;

type Pools = HashMap<(u32, usize), Arc<Workers>>;

/// Threads, and the scratch memory that they keep from call to call.
pub struct Workers {
    pub pool: ThreadPool,
    pub scratch: ScratchPool,
}

/// The threads on which a call works.
#[derive(Clone)]
pub enum Threads {
    /// The caller's thread alone.
    Caller,
    Pool(Arc<Workers>),
}

impl Threads {
    /// Returns this many threads, or for 0 one for each processor, up to 16.
    ///
    /// Call this with the interpreter attached. A thread that forks the process holds the
    /// interpreter, so the lock of the pools is free in the child.
    pub fn new(threads: usize) -> PyResult<Self> {
        match wanted(threads) {
            1 => Ok(Self::Caller),
            wanted => pool(wanted).map(Self::Pool),
        }
    }

    /// Returns the number of threads.
    pub fn len(&self) -> usize {
        match self {
            Self::Caller => 1,
            Self::Pool(workers) => workers.pool.current_num_threads(),
        }
    }

    /// Runs `work` on the pool, if there is one.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Caller => work(),
            Self::Pool(workers) => workers.pool.install(work),
        }
    }
}

fn wanted(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, |threads| threads.get().min(MOST)),
        threads => threads,
    }
}

/// Returns the pool of this process: a forked child has none of its parent's threads.
fn pool(threads: usize) -> PyResult<Arc<Workers>> {
    static POOLS: LazyLock<Mutex<Pools>> = LazyLock::new(Mutex::default);
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (std::process::id(), threads);
    if let Some(pool) = pools.get(&key) {
        return Ok(pool.clone());
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| pyo3::exceptions::PyOSError::new_err(error.to_string()))?;
    let pool = Arc::new(Workers { pool, scratch: ScratchPool::new() });
    pools.insert(key, pool.clone());
    Ok(pool)
}
