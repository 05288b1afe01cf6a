//! Uploads batches through two staging buffers, so that one is filled while the GPU works on the other.

use std::collections::VecDeque;

use wgpu::{Buffer, BufferUsages, CommandEncoder, Device, MapMode, Queue};
use zipnn::gpu::Plan;

use crate::batch::{Buffers, Memory, Target, buffer, grow, mapped_buffer, write_upload};
use crate::error::GpuError;
use crate::mapping::Mapping;
use crate::pipelines::Pipelines;
use crate::verification::Report;

/// The number of staging buffers.
const BUFFERS: usize = 2;

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
        let len = plan.upload_len();
        let staging = self.staging(device, len).await?;
        write_upload(&plan, &staging)?;
        staging.unmap();
        grow(&mut self.upload, device, len, BufferUsages::STORAGE | BufferUsages::COPY_DST)?;
        self.memory.reserve(device, &plan)?;
        let Some(upload) = &self.upload else { return Ok(()) };
        let mut encoder = device.create_command_encoder(&Default::default());
        copy(&mut encoder, &staging, upload, len);
        let buffers = Buffers { upload, memory: &self.memory, output, base: None };
        let report = buffers.record(device, pipelines, &mut encoder, plan)?;
        queue.submit([encoder.finish()]);
        self.submitted.push_back(Submitted { report, staging });
        Ok(())
    }

    /// Returns a staging buffer that is mapped and has at least `len` bytes.
    async fn staging(&mut self, device: &Device, len: u64) -> Result<Buffer, GpuError> {
        let usage = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
        if self.submitted.len() >= BUFFERS
            && let Some(first) = self.submitted.pop_front()
        {
            first.report.verify(device).await?;
            if first.staging.size() >= len {
                Mapping::begin(&first.staging, MapMode::Write).wait(device).await?;
                return Ok(first.staging);
            }
        }
        mapped_buffer(device, len, usage)
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
    let staging = mapped_buffer(device, len, BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC)?;
    write_upload(plan, &staging)?;
    staging.unmap();
    let upload = buffer(device, len, BufferUsages::STORAGE | BufferUsages::COPY_DST)?;
    copy(encoder, &staging, &upload, len);
    Ok(upload)
}

fn copy(encoder: &mut CommandEncoder, from: &Buffer, to: &Buffer, len: u64) {
    encoder.copy_buffer_to_buffer(from, 0, to, 0, len.next_multiple_of(4));
}
