//! Converts arguments to options of the library.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use zipnn::frame::PlaneLayout;
use zipnn::{DType, Limits, Options, Profile, layout_search};

use crate::error::invalid;

/// The type of the elements of an input.
#[derive(Clone, Copy)]
pub enum Elements {
    /// A type with a code in the format.
    Known(DType),
    /// Another type, with the layout that is likely to suit it.
    Other(PlaneLayout),
}

impl Elements {
    /// Parses the argument `dtype`. Without it, uses the type of the data. Without either, the
    /// elements are bytes.
    pub fn new(argument: Option<&Bound<'_, PyAny>>, of_data: Option<&str>) -> PyResult<Self> {
        match (argument, of_data) {
            (Some(dtype), _) => Self::parse(&name(dtype)?),
            (None, Some(dtype)) => Self::parse(dtype),
            (None, None) => Ok(Self::Other(PlaneLayout::ONE)),
        }
    }

    fn parse(name: &str) -> PyResult<Self> {
        if let Some(dtype) = DType::ALL.into_iter().find(|dtype| dtype.name() == name) {
            return Ok(Self::Known(dtype));
        }
        let bits = name.trim_start_matches(|char: char| !char.is_ascii_digit());
        let layout = match (name, bits) {
            ("bool" | "bytes", _) => PlaneLayout::ONE,
            _ if name.starts_with("float8") => PlaneLayout::ONE,
            (_, "8") => PlaneLayout::ONE,
            (_, "16") => PlaneLayout::TWO,
            (_, "32" | "64" | "128") => PlaneLayout::FOUR,
            _ => return Err(invalid(format!("unknown element type {name:?}"))),
        };
        Ok(Self::Other(layout))
    }

    /// Returns the options for these elements. If the format has no code for their type, chooses
    /// the layout from samples of the data.
    pub fn options(self, data: &[u8], base: Option<&[u8]>) -> Options {
        match self {
            Self::Known(dtype) => Options::new(dtype),
            Self::Other(declared) => {
                Options::bytes().layout(layout_search::layout(data, base, declared))
            }
        }
    }

    /// Returns the options for these elements without sampling data.
    pub fn declared(self) -> Options {
        match self {
            Self::Known(dtype) => Options::new(dtype),
            Self::Other(layout) => Options::bytes().layout(layout),
        }
    }
}

/// Returns the name of a type, given as a string or as a type of numpy, `ml_dtypes` or torch.
fn name(dtype: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(name) = dtype.cast::<PyString>() {
        return Ok(name.to_str()?.to_owned());
    }
    let name = match dtype.cast::<PyType>() {
        Ok(class) => class.name()?.to_string(),
        Err(_) => dtype.str()?.to_string(),
    };
    Ok(name.strip_prefix("torch.").unwrap_or(&name).to_owned())
}

/// The caller's choices besides the type of the elements.
#[derive(Clone, Copy)]
pub struct Choices {
    pub checksums: bool,
    profile: Profile,
}

impl Choices {
    pub fn new(checksums: bool, extended: bool, max: bool) -> Self {
        Self { checksums, profile: profile(extended, max) }
    }

    /// Returns the options with these choices.
    pub fn apply(self, options: Options) -> Options {
        let options = if self.checksums { options } else { options.plain() };
        options.profile(self.profile)
    }

    /// Returns whether the original may be unable to read the result.
    pub fn is_extended(self) -> bool {
        self.profile != Profile::Original
    }
}

/// Returns the profile for the arguments `extended` and `max`, of which `max` includes the other.
pub fn profile(extended: bool, max: bool) -> Profile {
    match (extended, max) {
        (_, true) => Profile::Max,
        (true, false) => Profile::Extended,
        (false, false) => Profile::Original,
    }
}

/// Returns the limits for a result of at most this many bytes.
pub fn limits(max_output: Option<u64>) -> Limits {
    Limits::new().decoded_bytes(max_output.unwrap_or(u64::MAX))
}
