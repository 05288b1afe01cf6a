//! Bindings of zipnn for JavaScript. The public interface of the npm package is in `js`.

mod decode;
#[cfg(feature = "full")]
mod encode;
mod failure;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(any(feature = "full", feature = "extended", feature = "gpu"))]
mod header;
mod seek;

use zipnn::Limits;

/// Converts limits from JavaScript. Infinity becomes the largest integer.
fn limits(decoded_bytes: f64, frame_bytes: f64, verify: bool) -> Limits {
    let (decoded_bytes, frame_bytes) = (decoded_bytes as u64, frame_bytes as u64);
    Limits::default().decoded_bytes(decoded_bytes).frame_bytes(frame_bytes).verify(verify)
}
