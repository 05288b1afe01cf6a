//! Decodes a `.znn` file on the GPU and writes its data.
//!
//! ```sh
//! cargo run --release -p zipnn-gpu --example decode_file -- FILE.znn OUT
//! ```
//!
//! | option | |
//! |---|---|
//! | `--lanes N` | threads for each stream of a plane: 1, 2, 4, 8 or 16 (the default) |
//! | `--adapter NAME` | uses the first adapter whose name contains `NAME` |

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use wgpu::{Adapter, Buffer, BufferDescriptor, BufferUsages, Device, MapMode, PollType, Queue};
use zipnn::{Archive, Limits};
use zipnn_gpu::GpuDecoder;

/// Decoded bytes that are on the GPU at a time.
const PART: u64 = 64 << 20;

struct Arguments {
    input: PathBuf,
    output: PathBuf,
    lanes: u32,
    adapter: Option<String>,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let usage = "usage: decode_file [--lanes N] [--adapter NAME] FILE.znn OUT";
    let (mut lanes, mut adapter, mut paths) = (16, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--lanes" => lanes = arguments.next().ok_or(usage)?.parse()?,
            "--adapter" => adapter = Some(arguments.next().ok_or(usage)?),
            _ => paths.push(PathBuf::from(argument)),
        }
    }
    let [input, output] = <[PathBuf; 2]>::try_from(paths).map_err(|_| usage)?;
    Ok(Arguments { input, output, lanes, adapter })
}

/// Returns the adapter with a name, or the default one.
async fn adapter(name: Option<&str>) -> Result<Adapter, Box<dyn Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let Some(name) = name else {
        return Ok(instance.request_adapter(&Default::default()).await?);
    };
    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    let names: Vec<String> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
    let found = adapters.into_iter().find(|adapter| adapter.get_info().name.contains(name));
    Ok(found.ok_or_else(|| format!("no adapter is called {name}; there are {names:?}"))?)
}

/// Writes the first `len` bytes of a buffer.
fn write(
    device: &Device,
    queue: &Queue,
    buffer: &Buffer,
    len: u64,
    to: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let copy = device.create_buffer(&BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
    queue.submit([encoder.finish()]);
    copy.slice(..).map_async(MapMode::Read, |_| {});
    device.poll(PollType::wait_indefinitely())?;
    to.write_all(&copy.get_mapped_range(..)?[..len as usize])?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { input, output, lanes, adapter: name } = arguments()?;
    let adapter = pollster::block_on(adapter(name.as_deref()))?;
    eprintln!("decoding on {}", adapter.get_info().name);
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    let decoder = GpuDecoder::with_lanes(&device, &queue, lanes);
    let archive = Archive::open(File::open(input)?, Limits::default())?;
    let len = archive.decoded_len();
    let buffer = pollster::block_on(decoder.create_buffer(PART.min(len)))?;
    let mut to = File::create(output)?;
    for start in (0..len).step_by(PART as usize) {
        let range = start..len.min(start + PART);
        let part_len = range.end - range.start;
        pollster::block_on(decoder.load_into(&archive, range, &buffer, 0))?;
        write(&device, &queue, &buffer, part_len, &mut to)?;
    }
    Ok(())
}
