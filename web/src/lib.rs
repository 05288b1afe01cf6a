//! zipnn for JavaScript: names, numbers and bytes go through here; everything else is done by the
//! library. What web developers see is in `js`.

mod decode;
#[cfg(feature = "full")]
mod encode;
mod failure;
