//! Bounding the number of requests at the same time.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_util::future::poll_fn;

/// Lets a number of futures run at the same time, and the others wait.
pub(crate) struct Limiter(Mutex<State>);

struct State {
    free: usize,
    waiting: Vec<Waker>,
}

impl Limiter {
    /// Returns a limiter for `count` futures, at least one.
    pub(crate) fn new(count: usize) -> Self {
        Self(Mutex::new(State { free: count.max(1), waiting: Vec::new() }))
    }

    /// Runs a future when there is a place for it.
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

/// A place that is free again once this is dropped.
struct Place<'l>(&'l Limiter);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.free += 1;
        // One that was woken may be dropped before it takes the place, so all of them try.
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
