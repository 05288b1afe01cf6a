//! The device of the tests, and the bytes of its buffers.

use std::sync::OnceLock;

use wgpu::{Buffer, BufferUsages, Device, MapMode, PollType, Queue};
use zipnn_gpu::{GpuDecoder, GpuError};

/// A device with decoders for 1 and for 16 threads a stream.
pub struct Gpu {
    pub device: Device,
    pub queue: Queue,
    pub decoders: [GpuDecoder; 2],
}

/// Returns the device, which all tests share.
pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = pollster::block_on(instance.request_adapter(&Default::default()))
            .expect("an adapter; on Debian: apt-get install mesa-vulkan-drivers");
        eprintln!("adapter: {:?}", adapter.get_info());
        let (device, queue) =
            pollster::block_on(adapter.request_device(&Default::default())).expect("a device");
        let decoders = [1, 16].map(|lanes| GpuDecoder::with_lanes(&device, &queue, lanes));
        Gpu { device, queue, decoders }
    })
}

impl Gpu {
    /// Creates a buffer that contains `bytes`.
    pub fn buffer(&self, bytes: &[u8]) -> Buffer {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4).max(4), 0xa5);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: padded.len() as u64,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&buffer, 0, &padded);
        buffer
    }

    /// Returns the first `len` bytes of a buffer.
    pub fn read(&self, buffer: &Buffer, len: usize) -> Vec<u8> {
        let size = buffer.size();
        let copy = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, size);
        self.queue.submit([encoder.finish()]);
        copy.slice(..).map_async(MapMode::Read, |result| result.unwrap());
        self.device.poll(PollType::wait_indefinitely()).unwrap();
        let bytes = copy.get_mapped_range(..).unwrap();
        bytes[..len].to_vec()
    }

    /// Decodes a frame with a decoder.
    pub fn decode(&self, decoder: &GpuDecoder, frame: &[u8]) -> Result<Vec<u8>, GpuError> {
        let len = zipnn::frame::Frame::parse(frame)?.decoded_len() as usize;
        let buffer = pollster::block_on(decoder.decode_frame(frame))?;
        Ok(self.read(&buffer, len))
    }
}
