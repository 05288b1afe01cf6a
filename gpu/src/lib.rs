//! Decodes `.znn` files of AI model weights on the GPU, with [`wgpu`] on Vulkan, Metal and DX12.
//!
//! Compressed bytes go over the bus, and GPU memory receives the weights. The files are those that
//! [`zipnn`] writes and reads, and the weights are the same to the last bit. A buffer that a function
//! returns has been verified: the checksums of its data match.
//!
//! ```no_run
//! # async fn run(device: wgpu::Device, queue: wgpu::Queue) -> Result<(), Box<dyn std::error::Error>> {
//! use zipnn::{Archive, Limits};
//! use zipnn_gpu::GpuDecoder;
//!
//! let decoder = GpuDecoder::new(&device, &queue);
//! let archive = Archive::open(std::fs::File::open("model.safetensors.znn")?, Limits::default())?;
//! let weights: wgpu::Buffer = decoder.load_tensor(&archive, "embeddings.weight").await?;
//! # Ok(()) }
//! ```
//!
//! | you want to | use |
//! |---|---|
//! | load a tensor of a file into a new buffer | [`GpuDecoder::load_tensor`] |
//! | load any range of a file into your buffer | [`GpuDecoder::load_into`] |
//! | decode a frame in memory | [`GpuDecoder::decode_frame`] |
//! | record the decoding in your own command encoder | [`GpuDecoder::decode_into`] |
//!
//! # Requirements
//!
//! The decoder needs the default limits of WebGPU and no optional features. The functions that are
//! `async` run on any executor. They poll the device, and between polls
//! sleep for 0.2 ms.
//!
//! The page [GPU.md](https://github.com/zipnn/zipnn/blob/main/docs/GPU.md) describes how the decoder
//! works, its limits and the memory that it needs.

mod batch;
mod decoder;
mod error;
mod mapping;
mod pipelines;
mod staging;
mod verification;

pub use decoder::GpuDecoder;
pub use error::GpuError;
pub use verification::Verification;
pub use wgpu;
pub use zipnn;

/// Compiles the examples of the documents.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/GPU.md")]
    struct Page;
}
