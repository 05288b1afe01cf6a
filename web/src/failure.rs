//! Passes errors to JavaScript.

use core::ops::RangeInclusive;

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::{DecodeError, DecodeErrorKind, Location};

/// An error, which JavaScript converts to a `ZipnnError`.
#[wasm_bindgen]
pub struct Failure {
    code: &'static str,
    message: String,
    location: Location,
}

#[wasm_bindgen]
impl Failure {
    /// Returns the name of the error, for programs.
    #[wasm_bindgen(getter)]
    pub fn code(&self) -> String {
        self.code.into()
    }

    /// Returns the message with the location.
    #[wasm_bindgen(getter)]
    pub fn message(&self) -> String {
        self.message.clone()
    }

    /// Returns the number of the frame.
    #[wasm_bindgen(getter)]
    pub fn frame(&self) -> Option<f64> {
        self.location.frame.map(|frame| frame as f64)
    }

    /// Returns the number of the chunk in its frame.
    #[wasm_bindgen(getter)]
    pub fn chunk(&self) -> Option<f64> {
        self.location.chunk.map(|chunk| chunk as f64)
    }

    /// Returns the number of the plane in its chunk.
    #[wasm_bindgen(getter)]
    pub fn plane(&self) -> Option<u8> {
        self.location.plane
    }
}

impl Failure {
    /// Returns an error without a location.
    pub(crate) fn new(code: &'static str, error: impl ToString) -> Self {
        Self { code, message: error.to_string(), location: Location::default() }
    }
}

/// Methods of the extended profile, which only one of the builds decodes.
const EXTENDED: RangeInclusive<u8> = 2..=6;

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let code = match error.kind() {
            DecodeErrorKind::UnsupportedMethod(method) if EXTENDED.contains(&method) => {
                "ExtendedRequired"
            }
            kind => kind.name(),
        };
        Self { location: error.location(), ..Self::new(code, error) }
    }
}

impl From<DecodeErrorKind> for Failure {
    fn from(kind: DecodeErrorKind) -> Self {
        DecodeError::from(kind).into()
    }
}
