//! Uploads batches through two staging buffers, so that one is filled while the GPU works on the other.

use std::collections::VecDeque;

use wgpu::{Buffer, BufferUsages, CommandEncoder, Device, ErrorFilter, MapMode, Queue};
use zipnn::gpu::Plan;

use crate::batch::{Buffers, Memory, Target, buffer, grow, mapped_buffer, write_upload};
use crate::error::GpuError;
use crate::mapping::Mapping;
use crate::pipelines::Pipelines;
use crate::verification::Report;

/// The number of staging buffers.
const BUFFERS: usize = 2;
/// What a staging buffer is used for.
const STAGING: BufferUsages = BufferUsages::MAP_WRITE.union(BufferUsages::COPY_SRC);

/// A batch that has been submitted.
struct Submitted {
    report: Report,
    staging: Buffer,
}

/// Uploads and decodes batches one after another.
#[derive(Default)]
pub(crate) struct Pipeline {
    submitted: VecDeque<Submitted>,
    upload: Option<Buffer>,
    memory: Memory,
}

impl Pipeline {
    /// Uploads a batch and begins to decode it. Waits for an earlier batch if all staging buffers are
    /// in use, and verifies it.
    pub(crate) async fn submit(
        &mut self,
        device: &Device,
        queue: &Queue,
        pipelines: &Pipelines,
        plan: Plan<'_>,
        output: Target<'_>,
    ) -> Result<(), GpuError> {
        let staging = self.free_staging(device, plan.upload_len()).await?;
        let scope = device.push_error_scope(ErrorFilter::OutOfMemory);
        let submitted = self.submit_from(staging, device, queue, pipelines, plan, output);
        if scope.pop().await.is_some() {
            return Err(GpuError::OutOfMemory);
        }
        self.submitted.push_back(submitted?);
        Ok(())
    }

    /// Uploads a batch from a staging buffer, or from a new one.
    fn submit_from(
        &mut self,
        staging: Option<Buffer>,
        device: &Device,
        queue: &Queue,
        pipelines: &Pipelines,
        plan: Plan<'_>,
        output: Target<'_>,
    ) -> Result<Submitted, GpuError> {
        let len = plan.upload_len();
        let staging = match staging {
            Some(staging) => staging,
            None => mapped_buffer(device, len, STAGING)?,
        };
        write_upload(&plan, &staging)?;
        staging.unmap();
        grow(&mut self.upload, device, len, BufferUsages::STORAGE | BufferUsages::COPY_DST)?;
        self.memory.reserve(device, &plan)?;
        let upload = self.upload.as_ref().ok_or(GpuError::OutOfMemory)?;
        let mut encoder = device.create_command_encoder(&Default::default());
        copy(&mut encoder, &staging, upload, len);
        let buffers = Buffers { upload, memory: &self.memory, output, base: None };
        let report = buffers.record(device, pipelines, &mut encoder, plan)?;
        queue.submit([encoder.finish()]);
        Ok(Submitted { report, staging })
    }

    /// Returns a staging buffer that is mapped and has at least `len` bytes, if one is left over.
    async fn free_staging(
        &mut self,
        device: &Device,
        len: u64,
    ) -> Result<Option<Buffer>, GpuError> {
        if self.submitted.len() < BUFFERS {
            return Ok(None);
        }
        let Some(first) = self.submitted.pop_front() else { return Ok(None) };
        first.report.verify(device).await?;
        if first.staging.size() < len {
            return Ok(None);
        }
        Mapping::begin(&first.staging, MapMode::Write).wait(device).await?;
        Ok(Some(first.staging))
    }

    /// Waits for all batches, and verifies them.
    pub(crate) async fn finish(&mut self, device: &Device) -> Result<(), GpuError> {
        while let Some(first) = self.submitted.pop_front() {
            first.report.verify(device).await?;
        }
        Ok(())
    }
}

/// Uploads a batch with buffers of its own.
pub(crate) fn upload(
    device: &Device,
    encoder: &mut CommandEncoder,
    plan: &Plan<'_>,
) -> Result<Buffer, GpuError> {
    let len = plan.upload_len();
    let staging = mapped_buffer(device, len, STAGING)?;
    write_upload(plan, &staging)?;
    staging.unmap();
    let upload = buffer(device, len, BufferUsages::STORAGE | BufferUsages::COPY_DST)?;
    copy(encoder, &staging, &upload, len);
    Ok(upload)
}

fn copy(encoder: &mut CommandEncoder, from: &Buffer, to: &Buffer, len: u64) {
    encoder.copy_buffer_to_buffer(from, 0, to, 0, len.next_multiple_of(4));
}
