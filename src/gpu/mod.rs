//! Plans and shaders for decoding on a GPU.
//!
//! A [`Plan`] turns chunks into a *batch*: bytes to upload, and [`Pass`]es, each of which runs a
//! [`Shader`] on some of the batch's jobs. The caller, such as the crate `zipnn-gpu` or the npm package,
//! owns the GPU: it uploads the bytes, runs the passes in order, and reads the report back. [`Checks`]
//! compare the report with what the file promises. The decoded data must not be used before.
//!
//! The plan checks every code and every offset, so that no job leads a shader out of its buffers.
//! What is left to the shaders are the streams themselves: a stream that is damaged decodes to wrong
//! bytes, in a number of steps that does not depend on its contents, and the report says so.
//!
//! The shaders decode Huffman-coded planes, merge planes, undo the rotation, apply the base of a
//! difference and compute checksums. Planes and chunks of the extended profile are decoded by the
//! plan, and uploaded decoded.
//!
//! ```
//! use zipnn::frame::{DecodeScratch, Frame};
//! use zipnn::gpu::{ChunkInput, Plan};
//! use zipnn::{DType, Options};
//!
//! let weights: Vec<u8> = (0..9000_u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
//! let file = zipnn::compress(&weights, &Options::new(DType::F32))?;
//!
//! let (mut plan, mut scratch) = (Plan::new(0), DecodeScratch::new());
//! for chunk in ChunkInput::of_frame(&Frame::parse(&file)?, 0) {
//!     assert!(plan.has_room_for(&chunk));
//!     plan.push(chunk, &mut scratch)?;
//! }
//! assert_eq!(plan.decoded_len(), 36_000);
//! assert!(plan.passes().count() > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checks;
mod chunk_input;
mod coded_plane;
mod pass;
mod plan;
mod secret;

pub use checks::Checks;
pub use chunk_input::ChunkInput;
pub use pass::{Binding, Pass, Shader};
pub use plan::Plan;
#[cfg(test)]
mod tests;
