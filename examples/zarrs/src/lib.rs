//! Compresses the chunks of Zarr arrays, for the crate [`zarrs`].
//!
//! The Python package `zipnn-rs` has the same codec: each reads the arrays of the other. Call
//! [`register`] once, before arrays are opened.

mod codec;
mod partial;

use std::sync::Arc;

use zarrs::array::codec::api::{
    Codec, CodecRuntimePluginV2, CodecRuntimePluginV3, register_codec_v2, register_codec_v3,
};

pub use codec::{Configuration, ZipnnCodec};

/// The name of the codec in the metadata of arrays.
pub const NAME: &str = "zipnn";

/// Registers the codec, for both versions of Zarr.
///
/// This is done at run time because registration at compile time takes `unsafe` attributes.
pub fn register() {
    register_codec_v3(CodecRuntimePluginV3::new(
        |name| name == NAME,
        |metadata| {
            let codec = ZipnnCodec::new(metadata.to_typed_configuration()?);
            Ok(Codec::BytesToBytes(Arc::new(codec)))
        },
    ));
    register_codec_v2(CodecRuntimePluginV2::new(
        |name| name == NAME,
        |metadata| {
            let codec = ZipnnCodec::new(metadata.to_typed_configuration()?);
            Ok(Codec::BytesToBytes(Arc::new(codec)))
        },
    ));
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
