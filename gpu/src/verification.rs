//! Compares what the GPU reports with what the file promises.

use std::future::Future;
use std::pin::Pin;

use wgpu::{Buffer, Device, MapMode};
use zipnn::gpu::Checks;

use crate::error::GpuError;
use crate::mapping::Mapping;

/// Returns the error of the commands that were recorded, if the GPU ran out of memory.
pub(crate) type RecordingError = Pin<Box<dyn Future<Output = Option<wgpu::Error>> + Send>>;

/// The report of one batch.
pub(crate) struct Report {
    pub(crate) checks: Checks,
    /// A buffer that can be mapped, to which the report is copied.
    pub(crate) copy: Buffer,
}

impl Report {
    /// Waits for the batch and checks its report. Returns how many times threads decoded again.
    pub(crate) async fn verify(self, device: &Device) -> Result<u64, GpuError> {
        let len = self.checks.report_len();
        Mapping::begin(&self.copy, MapMode::Read).wait(device).await?;
        let bytes =
            self.copy.get_mapped_range(..).map_err(|error| GpuError::Device(error.to_string()))?;
        let report = &bytes[..len as usize];
        self.checks.verify(report)?;
        Ok(self.checks.repeats(report))
    }
}

/// The verification of decoded data, which is possible when the GPU has run the commands.
///
/// [`GpuDecoder::decode_into`](crate::GpuDecoder::decode_into) returns it. Until [`Self::finish`] has
/// returned, the data may be wrong.
#[must_use = "the data may be wrong until it has been verified"]
pub struct Verification {
    pub(crate) device: Device,
    pub(crate) reports: Vec<Report>,
    pub(crate) error: RecordingError,
}

impl std::fmt::Debug for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verification").field("batches", &self.reports.len()).finish_non_exhaustive()
    }
}

impl Verification {
    /// Waits until the GPU has decoded the data, and verifies it.
    ///
    /// Submit the command encoder first.
    ///
    /// # Errors
    ///
    /// `Decode` with `CorruptStream` or `ChecksumMismatch` and their location; `OutOfMemory`; `Device`.
    pub async fn finish(self) -> Result<(), GpuError> {
        self.finish_counting().await.map(drop)
    }

    /// Does the same, and returns how many times threads decoded their part of a stream again.
    ///
    /// The count shows how well the streams synchronise. It does not affect the result.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::finish`].
    pub async fn finish_counting(self) -> Result<u64, GpuError> {
        if self.error.await.is_some() {
            return Err(GpuError::OutOfMemory);
        }
        let mut repeats = 0;
        for report in self.reports {
            repeats += report.verify(&self.device).await?;
        }
        Ok(repeats)
    }
}
