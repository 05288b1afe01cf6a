//! Measures decoding on the GPU against the processor of the same machine.
//!
//! ```sh
//! cargo bench -p zipnn-gpu
//! ZIPNN_GPU_BENCH=model.safetensors cargo bench -p zipnn-gpu
//! ```
//!
//! Without a file, it uses random weights. The figures are medians, in GB of decoded data a second. The
//! speed of a software adapter says nothing about any GPU.

use std::time::{Duration, Instant};

use wgpu::{Buffer, Device, DeviceType, PollType, Queue};
use zipnn::frame::{DecodeScratch, Frame, Method};
use zipnn::gpu::{ChunkInput, Plan};
use zipnn::{Archive, DType, Limits, Options};
use zipnn_gpu::GpuDecoder;

#[path = "../../tests/common/data.rs"]
mod data;

/// Measured runs; one more comes before them.
const RUNS: usize = 9;
/// Length of the random weights of each type in bytes.
const LEN: usize = 64 << 20;

/// Returns the median time of a run.
fn median(mut run: impl FnMut()) -> Duration {
    run();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

struct Bench {
    device: Device,
    queue: Queue,
    decoder: GpuDecoder,
}

impl Bench {
    fn report(&self, name: &str, what: &str, len: usize, time: Duration) {
        println!("{name:10} {what:32} {:7.2} GB/s", len as f64 / time.as_secs_f64() / 1e9);
    }

    /// Decodes from bytes that are staged before the clock starts: the copy to the GPU, and all passes.
    ///
    /// Also returns how many times threads decoded their part of a stream again.
    fn staged(&self, file: &[u8], buffer: &Buffer) -> (Duration, u64) {
        let (mut times, mut repeats) = (Vec::new(), 0);
        for _ in 0..=RUNS {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let frame = Frame::parse(file).expect("a frame");
            let chunks = ChunkInput::of_frame(&frame, 0);
            let verification = self.decoder.decode_into(&mut encoder, chunks, buffer, 0);
            let verification = verification.expect("it can be planned");
            let commands = encoder.finish();
            let start = Instant::now();
            self.queue.submit([commands]);
            self.device.poll(PollType::wait_indefinitely()).expect("the device works");
            times.push(start.elapsed());
            repeats = pollster::block_on(verification.finish_counting()).expect("it is verified");
        }
        times.remove(0);
        times.sort();
        (times[RUNS / 2], repeats)
    }

    fn run(&self, name: &str, data: &[u8], options: &Options) {
        let len = data.len();
        let file = zipnn::compress(data, &options.checksums(true)).expect("it can be compressed");
        let buffer = pollster::block_on(self.decoder.create_buffer(len as u64)).expect("memory");
        let (time, repeats) = self.staged(&file, &buffer);
        self.report(name, "GPU, from staged bytes", len, time);
        let archive = Archive::open(&file, Limits::default()).expect("an archive");
        let load = || {
            let loaded = self.decoder.load_into(&archive, 0..len as u64, &buffer, 0);
            pollster::block_on(loaded).expect("it can be decoded");
        };
        self.report(name, "GPU, with planning and staging", len, median(load));
        let (mut decoded, mut scratch) = (vec![0; len], DecodeScratch::new());
        let decode = || {
            let limits = Limits::default();
            let result = zipnn::decompress_into(&file, &mut decoded, &limits, &mut scratch);
            result.expect("it can be decoded");
        };
        self.report(name, "processor, one thread", len, median(decode));
        let planes = planes(&file);
        let planning = median(|| plan(&file)).as_secs_f64() * 1e6 / planes as f64;
        println!(
            "{name:10} {planes} coded planes, planned in {planning:.2} µs each; {repeats} of {} parts \
             of streams decoded again",
            planes * 64
        );
    }
}

/// Returns the number of Huffman-coded planes.
fn planes(file: &[u8]) -> usize {
    let frame = Frame::parse(file).expect("a frame");
    let methods = frame.index().chunks().flat_map(|chunk| chunk.methods().collect::<Vec<_>>());
    methods.filter(|&method| method == Method::Huffman).count()
}

/// Plans a frame, without uploading it.
fn plan(file: &[u8]) {
    let (mut plan, mut scratch) = (Plan::new(0), DecodeScratch::new());
    for chunk in ChunkInput::of_frame(&Frame::parse(file).expect("a frame"), 0) {
        if !plan.has_room_for(&chunk) {
            plan = Plan::new(0);
        }
        plan.push(chunk, &mut scratch).expect("it can be planned");
    }
    std::hint::black_box(plan);
}

fn main() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()));
    let adapter = adapter.expect("an adapter");
    let info = adapter.get_info();
    println!("adapter: {} ({:?}, {})", info.name, info.backend, info.driver_info);
    if info.device_type == DeviceType::Cpu {
        println!("a software adapter: its figures say nothing about any GPU");
    }
    let device = pollster::block_on(adapter.request_device(&Default::default()));
    let (device, queue) = device.expect("a device");
    let decoder = GpuDecoder::new(&device, &queue);
    let bench = Bench { device, queue, decoder };
    if let Some(path) = std::env::var_os("ZIPNN_GPU_BENCH") {
        let data = std::fs::read(&path).expect("the file can be read");
        return bench.run("file", &data, &Options::auto());
    }
    for (name, dtype) in [("bf16", DType::BF16), ("f16", DType::F16), ("f32", DType::F32)] {
        bench.run(name, &data::weights(dtype, LEN, 1), &Options::new(dtype));
    }
    bench.run("f8e4m3", &data::weights(DType::F8E4M3, LEN, 1), &Options::new(DType::F8E4M3));
}
