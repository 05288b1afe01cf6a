//! Records the passes of a plan.

use std::ops::Range;

use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, Buffer, BufferBinding,
    BufferDescriptor, BufferSize, BufferUsages, CommandEncoder, ComputePipeline, Device,
};
use zipnn::gpu::{Binding, Pass, Plan};

use crate::error::GpuError;
use crate::pipelines::Pipelines;
use crate::verification::Report;

/// The shortest buffer: bindings must not be empty.
const MIN_BUFFER: u64 = 256;

/// A part of a buffer of the caller.
#[derive(Clone, Copy)]
pub(crate) struct Target<'b> {
    pub(crate) buffer: &'b Buffer,
    pub(crate) offset: u64,
}

impl Target<'_> {
    /// Checks that shaders can use `len` bytes from the offset on.
    pub(crate) fn check(&self, len: u64) -> Result<(), GpuError> {
        if !self.buffer.usage().contains(BufferUsages::STORAGE) {
            return Err(GpuError::BufferUsage);
        }
        let have = self.buffer.size().saturating_sub(self.offset);
        let end = self.offset.checked_add(len).and_then(|end| end.checked_next_multiple_of(4));
        if end.is_none_or(|end| end > self.buffer.size()) {
            let needed = end.map_or(len, |end| end - self.offset);
            return Err(GpuError::BufferTooSmall { needed, have });
        }
        Ok(())
    }

    /// Returns the target that begins `len` bytes later.
    pub(crate) fn after(self, len: u64) -> Self {
        Self { offset: self.offset + len, ..self }
    }
}

/// Creates a buffer, unless it would be longer than the device allows.
pub(crate) fn buffer(device: &Device, len: u64, usage: BufferUsages) -> Result<Buffer, GpuError> {
    create(device, len, usage, false)
}

/// Creates a buffer that is mapped, so that it can be written.
pub(crate) fn mapped_buffer(
    device: &Device,
    len: u64,
    usage: BufferUsages,
) -> Result<Buffer, GpuError> {
    create(device, len, usage, true)
}

fn create(
    device: &Device,
    len: u64,
    usage: BufferUsages,
    mapped_at_creation: bool,
) -> Result<Buffer, GpuError> {
    let limit = device.limits().max_buffer_size;
    let size = len.max(MIN_BUFFER).checked_next_multiple_of(4).filter(|&size| size <= limit);
    let size = size.ok_or(GpuError::DeviceLimit { needed: len, limit })?;
    let descriptor = BufferDescriptor { label: Some("zipnn"), size, usage, mapped_at_creation };
    Ok(device.create_buffer(&descriptor))
}

/// Writes the upload of a plan into a buffer that is mapped.
pub(crate) fn write_upload(plan: &Plan<'_>, to: &Buffer) -> Result<(), GpuError> {
    let mapped = to.get_mapped_range_mut(..);
    let mut mapped = mapped.map_err(|error| GpuError::Device(error.to_string()))?;
    plan.upload(|at, bytes| {
        let at = at as usize;
        mapped.slice(at..at + bytes.len()).copy_from_slice(bytes);
    });
    Ok(())
}

/// Memory on the GPU for one batch at a time.
#[derive(Default)]
pub(crate) struct Memory {
    scratch: Option<Buffer>,
    spare: Option<Buffer>,
}

impl Memory {
    /// Allocates what a plan needs, and keeps what is long enough.
    pub(crate) fn reserve(&mut self, device: &Device, plan: &Plan<'_>) -> Result<(), GpuError> {
        grow(&mut self.scratch, device, plan.scratch_len(), BufferUsages::STORAGE)?;
        grow(&mut self.spare, device, plan.spare_len(), BufferUsages::STORAGE)
    }
}

/// Replaces a buffer that is shorter than `len` bytes.
pub(crate) fn grow(
    memory: &mut Option<Buffer>,
    device: &Device,
    len: u64,
    usage: BufferUsages,
) -> Result<(), GpuError> {
    if memory.as_ref().is_none_or(|memory| memory.size() < len) {
        *memory = Some(buffer(device, len, usage)?);
    }
    Ok(())
}

/// The buffers of a batch.
pub(crate) struct Buffers<'b> {
    pub(crate) upload: &'b Buffer,
    pub(crate) memory: &'b Memory,
    pub(crate) output: Target<'b>,
    pub(crate) base: Option<Target<'b>>,
}

impl Buffers<'_> {
    /// Records the passes of a plan, and the copy of its report.
    pub(crate) fn record(
        &self,
        device: &Device,
        pipelines: &Pipelines,
        encoder: &mut CommandEncoder,
        plan: Plan<'_>,
    ) -> Result<Report, GpuError> {
        let len = plan.checks().report_len();
        let report = buffer(device, len, BufferUsages::STORAGE | BufferUsages::COPY_SRC)?;
        let copy = buffer(device, len, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
        let mut recording = encoder.begin_compute_pass(&Default::default());
        for pass in plan.passes() {
            let Some(pipeline) = pipelines.get(pass.shader) else { continue };
            let group = self.bind(device, pipeline, &plan, &pass, &report)?;
            let [x, y] = pass.workgroups;
            recording.set_pipeline(pipeline);
            recording.set_bind_group(0, &group, &[]);
            recording.dispatch_workgroups(x, y, 1);
        }
        drop(recording);
        encoder.copy_buffer_to_buffer(&report, 0, &copy, 0, report.size());
        Ok(Report { checks: plan.into_checks(), copy })
    }

    fn bind(
        &self,
        device: &Device,
        pipeline: &ComputePipeline,
        plan: &Plan<'_>,
        pass: &Pass,
        report: &Buffer,
    ) -> Result<BindGroup, GpuError> {
        let mut entries = Vec::with_capacity(Pass::MAX_BINDINGS);
        for (number, binding) in (0..).zip(pass.bindings.iter().flatten()) {
            let (buffer, range) = self.resolve(plan, binding, report)?;
            entries.push(BindGroupEntry { binding: number, resource: bound(buffer, range) });
        }
        Ok(device.create_bind_group(&BindGroupDescriptor {
            label: Some("zipnn"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        }))
    }

    fn resolve<'a>(
        &'a self,
        plan: &Plan<'_>,
        binding: &Binding,
        report: &'a Buffer,
    ) -> Result<(&'a Buffer, Range<u64>), GpuError> {
        let missing = || GpuError::Device("a pass needs a buffer that does not exist".into());
        let whole = |buffer: &'a Buffer| (buffer, 0..buffer.size());
        Ok(match binding {
            Binding::Upload(range) => (self.upload, range.clone()),
            Binding::Scratch => whole(self.memory.scratch.as_ref().ok_or_else(missing)?),
            Binding::Spare => whole(self.memory.spare.as_ref().ok_or_else(missing)?),
            Binding::Output => (self.output.buffer, plan.output_window()),
            Binding::Base => {
                let base = self.base.ok_or_else(missing)?;
                (base.buffer, plan.base_window().ok_or_else(missing)?)
            }
            Binding::Report => whole(report),
            _ => return Err(missing()),
        })
    }
}

fn bound(buffer: &Buffer, range: Range<u64>) -> BindingResource<'_> {
    BindingResource::Buffer(BufferBinding {
        buffer,
        offset: range.start,
        size: BufferSize::new(range.end - range.start),
    })
}
