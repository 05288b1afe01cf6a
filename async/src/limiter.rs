//! Limits the number of concurrent requests.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_util::future::poll_fn;

/// Runs a limited number of futures at the same time, and makes the others wait.
pub(crate) struct Limiter(Mutex<State>);

struct State {
    free: usize,
    waiting: Vec<Waker>,
}

impl Limiter {
    /// Returns a limiter that runs `count` futures at the same time, at least one.
    pub(crate) fn new(count: usize) -> Self {
        Self(Mutex::new(State { free: count.max(1), waiting: Vec::new() }))
    }

    /// Waits for a free place, and runs a future.
    pub(crate) async fn run<F: Future>(&self, future: F) -> F::Output {
        poll_fn(|context| {
            let mut state = self.state();
            if state.free == 0 {
                state.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            state.free -= 1;
            Poll::Ready(())
        })
        .await;
        let _place = Place(self);
        future.await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Occupies a place, and frees it when dropped.
struct Place<'l>(&'l Limiter);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.free += 1;
        // A woken future may be dropped before it takes the place, so this wakes all of them.
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
