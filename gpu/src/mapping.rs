//! Waits until a buffer is mapped.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use wgpu::{Buffer, BufferAsyncError, Device, MapMode, PollType};

use crate::error::GpuError;

/// How long a poll waits for the GPU before it returns to the executor.
const STEP: Duration = Duration::from_micros(200);

/// The result of a mapping, once there is one.
type Outcome = Arc<Mutex<Option<Result<(), BufferAsyncError>>>>;

/// A buffer that is being mapped.
#[must_use]
pub(crate) struct Mapping {
    outcome: Outcome,
}

impl Mapping {
    /// Begins to map a whole buffer, which happens after the submitted work that uses it.
    pub(crate) fn begin(buffer: &Buffer, mode: MapMode) -> Self {
        let outcome = Outcome::default();
        let shared = Arc::clone(&outcome);
        buffer.slice(..).map_async(mode, move |result| {
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        Self { outcome }
    }

    fn outcome(&self) -> Option<Result<(), GpuError>> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(outcome.map_err(|error| GpuError::Device(error.to_string())))
    }

    /// Waits until the buffer is mapped.
    pub(crate) async fn wait(self, device: &Device) -> Result<(), GpuError> {
        poll_fn(|context| {
            if let Some(outcome) = self.outcome() {
                return Poll::Ready(outcome);
            }
            // A wait with a time limit would be shorter to write, but wgpu 30 panics if another
            // thread polls the device at the same time.
            if let Err(error) = device.poll(PollType::Poll) {
                return Poll::Ready(Err(GpuError::Device(error.to_string())));
            }
            if let Some(outcome) = self.outcome() {
                return Poll::Ready(outcome);
            }
            std::thread::sleep(STEP);
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}
