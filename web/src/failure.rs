//! Errors, on their way to JavaScript.

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::{DecodeError, DecodeErrorKind, Location};

/// What has gone wrong: JavaScript makes a `ZipnnError` of it.
#[wasm_bindgen]
pub struct Failure {
    code: &'static str,
    message: String,
    place: Location,
}

#[wasm_bindgen]
impl Failure {
    /// The name of the error, for programs.
    #[wasm_bindgen(getter)]
    pub fn code(&self) -> String {
        self.code.into()
    }

    /// What is wrong, in words, and where.
    #[wasm_bindgen(getter)]
    pub fn message(&self) -> String {
        self.message.clone()
    }

    /// The number of the frame.
    #[wasm_bindgen(getter)]
    pub fn frame(&self) -> Option<f64> {
        self.place.frame.map(|frame| frame as f64)
    }

    /// The number of the chunk in its frame.
    #[wasm_bindgen(getter)]
    pub fn chunk(&self) -> Option<f64> {
        self.place.chunk.map(|chunk| chunk as f64)
    }

    /// The number of the plane in its chunk.
    #[wasm_bindgen(getter)]
    pub fn plane(&self) -> Option<u8> {
        self.place.plane
    }
}

impl Failure {
    /// One without a place.
    pub(crate) fn new(code: &'static str, error: impl ToString) -> Self {
        Self { code, message: error.to_string(), place: Location::default() }
    }
}

/// Code of the method of planes that are Zstandard frames, which this build does not decode.
const ZSTD: u8 = 2;

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let code = match error.kind() {
            DecodeErrorKind::UnsupportedMethod(ZSTD) => "ZstdRequired",
            kind => kind.name(),
        };
        Self { place: error.place(), ..Self::new(code, error) }
    }
}

impl From<DecodeErrorKind> for Failure {
    fn from(kind: DecodeErrorKind) -> Self {
        DecodeError::from(kind).into()
    }
}
