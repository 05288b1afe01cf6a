//! Errors, on their way to JavaScript.

use core::fmt::Debug;

use wasm_bindgen::prelude::wasm_bindgen;
use zipnn::{DecodeError, DecodeErrorKind, Place};

/// What has gone wrong: JavaScript makes a `ZipnnError` of it.
#[wasm_bindgen]
pub struct Failure {
    message: String,
    details: String,
    place: Place,
}

#[wasm_bindgen]
impl Failure {
    /// What is wrong, in words, and where.
    #[wasm_bindgen(getter)]
    pub fn message(&self) -> String {
        self.message.clone()
    }

    /// The error as Rust writes it, which begins with its name.
    #[wasm_bindgen(getter)]
    pub fn details(&self) -> String {
        self.details.clone()
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
    pub(crate) fn new(error: impl Debug + ToString) -> Self {
        let (message, details) = (error.to_string(), format!("{error:?}"));
        Self { message, details, place: Place::default() }
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let (message, details) = (error.to_string(), format!("{:?}", error.kind()));
        Self { message, details, place: error.place() }
    }
}

impl From<DecodeErrorKind> for Failure {
    fn from(kind: DecodeErrorKind) -> Self {
        DecodeError::from(kind).into()
    }
}
