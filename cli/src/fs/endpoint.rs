//! An argument that names a file or a standard stream.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::report::units;

/// The argument that names standard input or output.
pub const DASH: &str = "-";

/// A source or destination of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Standard input or standard output, depending on the use.
    Standard,
    /// A file, device, pipe or directory.
    Path(PathBuf),
}

impl Endpoint {
    /// Returns the endpoint that an argument names.
    pub fn new(path: &Path) -> Self {
        if path == Path::new(DASH) { Self::Standard } else { Self::Path(path.to_owned()) }
    }

    /// Returns the path; `None` for a standard stream.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Standard => None,
            Self::Path(path) => Some(path),
        }
    }

    /// Returns the unescaped name, for other programs.
    pub fn exact(&self) -> Cow<'_, str> {
        match self {
            Self::Standard => DASH.into(),
            Self::Path(path) => path.to_string_lossy(),
        }
    }
}

/// Writes the name with escaped control characters, for terminals.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&units::name(&self.exact()))
    }
}
