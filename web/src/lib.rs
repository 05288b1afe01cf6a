//! zipnn for JavaScript: names, numbers and bytes go through here; everything else is done by the
//! library. What web developers see is in `js`.

mod decode;
#[cfg(feature = "full")]
mod encode;
mod failure;
#[cfg(feature = "full")]
mod layout;
mod seek;

use zipnn::Limits;

/// Limits from numbers of JavaScript: infinity becomes the greatest number.
fn limits(decoded_bytes: f64, frame_bytes: f64, verify: bool) -> Limits {
    let (decoded_bytes, frame_bytes) = (decoded_bytes as u64, frame_bytes as u64);
    Limits::default().decoded_bytes(decoded_bytes).frame_bytes(frame_bytes).verify(verify)
}
