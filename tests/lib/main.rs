//! The library through its public interface.

#[path = "../common/mod.rs"]
mod common;
#[cfg(all(feature = "std", feature = "safetensors"))]
#[path = "../common/containers.rs"]
mod container_files;
#[cfg(all(feature = "std", feature = "safetensors"))]
#[path = "../common/tensors.rs"]
mod tensor_files;

mod annexes;
mod archive;
mod caller_mistakes;
#[cfg(feature = "rayon")]
mod concurrency;
#[cfg(all(feature = "safetensors", feature = "std"))]
mod containers;
mod corruption;
#[cfg(all(feature = "zstd", feature = "std"))]
mod differences;
#[cfg(all(feature = "zstd", feature = "std"))]
mod extended;
mod faults;
#[cfg(all(feature = "std", feature = "safetensors"))]
mod layouts;
mod limits;
#[cfg(all(feature = "extended", feature = "zstd", feature = "safetensors"))]
mod max;
mod no_alloc;
#[cfg(all(feature = "rayon", feature = "safetensors"))]
mod options;
#[cfg(feature = "extended")]
mod pivot;
mod push;
#[cfg(all(feature = "extended", feature = "safetensors", feature = "rayon"))]
mod records;
mod round_trip;
mod streaming;
#[cfg(all(feature = "safetensors", feature = "std"))]
mod tensors_cut;
#[cfg(all(feature = "safetensors", feature = "std"))]
mod tensors_inside;
#[cfg(all(feature = "safetensors", feature = "std"))]
mod tensors_repair;
mod work;
#[path = "../common/zstd_literals.rs"]
mod zstd_literal_coder;
mod zstd_literals;
