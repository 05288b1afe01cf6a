//! What a path on the command line names: a file, or a standard stream.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::report::units;

/// Standard input or output on the command line.
pub const DASH: &str = "-";

/// Something that can be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Standard input, or standard output.
    Standard,
    /// A file.
    Path(PathBuf),
}

impl Endpoint {
    /// Returns the place that a path on the command line names.
    pub fn new(path: &Path) -> Self {
        if path == Path::new(DASH) { Self::Standard } else { Self::Path(path.to_owned()) }
    }

    /// Returns the path, if it is no standard stream.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Standard => None,
            Self::Path(path) => Some(path),
        }
    }

    /// Returns the name as it was given, for programs: nothing in it is escaped.
    pub fn exact(&self) -> Cow<'_, str> {
        match self {
            Self::Standard => DASH.into(),
            Self::Path(path) => path.to_string_lossy(),
        }
    }
}

/// The name for people: what would control a terminal is escaped.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&units::name(&self.exact()))
    }
}
