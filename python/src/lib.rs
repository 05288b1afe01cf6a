//! The native part of the Python package `zipnn_rs`.
#![forbid(unsafe_code)]

mod archive;
mod error;
mod file;
mod info;
mod input;
mod inside;
mod level;
mod oneshot;
mod options;
mod output;
mod pool;
mod ranges;
mod stream;
mod update;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use crate::archive::Archive;
    #[pymodule_export]
    use crate::error::panic_for_tests;
    #[pymodule_export]
    use crate::file::{compress_file, decompress_file};
    #[pymodule_export]
    use crate::info::info;
    #[pymodule_export]
    use crate::inside::InsideFile;
    #[pymodule_export]
    use crate::level::simd_level;
    #[pymodule_export]
    use crate::oneshot::{
        compress, compress_bound, compress_bytearray, compress_frames, compress_into,
        compress_shaped, decoded_len, decompress, decompress_into, verify,
    };
    #[pymodule_export]
    use crate::stream::{Compressor, Decompressor};
    #[pymodule_export]
    use crate::update::{Update, UpdateEncoder};
}
