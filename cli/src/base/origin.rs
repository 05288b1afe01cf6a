//! Which tensors of which files the tensors of a difference come from.

use std::fmt;
use std::ops::Range;

use serde_json::{Value, json};
use zipnn::delta::BaseMap;

use crate::base::resolve;
use crate::fs::endpoint::Endpoint;
use crate::report::units;

/// The origins of the tensors of a file.
pub struct Origins {
    map: Option<BaseMap>,
}

/// The file that a tensor is a difference to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The path of the file, as the difference names it.
    path: String,
    /// The name of the tensor there, if it is known.
    tensor: Option<String>,
}

impl Origins {
    /// Reads where the tensors of a compressed file come from.
    pub fn of_file(source: &Endpoint) -> Self {
        Self { map: resolve::map(source) }
    }

    /// Creates the origins that a map describes.
    pub fn of_map(map: Option<&BaseMap>) -> Self {
        Self { map: map.cloned() }
    }

    /// Returns the origin of a tensor, by its range in the data; `None` if it has no base.
    pub fn of(&self, range: &Range<u64>) -> Option<Origin> {
        let map = self.map.as_ref().filter(|_| !range.is_empty())?;
        let segment = map.segment_at(range.start)?;
        let tensor = map.tensor_at(range.start).map(|tensor| tensor.name.clone());
        Some(Origin { path: map.sources()[segment.source].path.clone(), tensor })
    }

    /// Returns all tensors whose names in their files are known, and their origins.
    pub fn named(&self) -> impl Iterator<Item = (Range<u64>, Origin)> {
        let tensors = self.map.iter().flat_map(BaseMap::tensors);
        tensors.filter_map(|tensor| Some((tensor.range.clone(), self.of(&tensor.range)?)))
    }
}

impl Origin {
    /// Returns a JSON object.
    pub fn json(&self) -> Value {
        json!({ "path": self.path, "tensor": self.tensor })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tensor) = &self.tensor {
            write!(f, "{} of ", units::name(tensor))?;
        }
        f.write_str(&units::name(&self.path))
    }
}
