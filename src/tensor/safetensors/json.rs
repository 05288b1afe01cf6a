//! The JSON of a header, before it is checked against the file.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::tensor::error::MetadataError;
use crate::tensor::safetensors::format::METADATA;

/// Members of the header.
pub(crate) struct RawHeader {
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: BTreeMap<String, RawTensor>,
    /// Name of a tensor with two entries that differ.
    ambiguous: Option<String>,
}

/// Entry of a tensor.
#[derive(PartialEq, serde::Deserialize)]
pub(crate) struct RawTensor {
    pub(crate) dtype: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) data_offsets: [u64; 2],
}

impl RawHeader {
    /// Parses the JSON.
    ///
    /// Accepts repeated names, as the reference library does, which takes the last entry. Rejects
    /// entries of a tensor that differ, because some readers take the first.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, MetadataError> {
        let header: Self = serde_json::from_slice(json)
            .map_err(|error| MetadataError::InvalidHeader { reason: error.to_string() })?;
        match header.ambiguous {
            Some(name) => Err(MetadataError::AmbiguousTensor { name }),
            None => Ok(header),
        }
    }
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Collects the members of the header.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = RawHeader;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut metadata = None;
        let mut tensors = BTreeMap::new();
        let mut ambiguous = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                if metadata.is_some() {
                    return Err(A::Error::duplicate_field(METADATA));
                }
                metadata = Some(map.next_value::<Option<BTreeMap<String, String>>>()?);
                continue;
            }
            let tensor: RawTensor = map.next_value()?;
            match tensors.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(tensor);
                }
                Entry::Occupied(entry) if *entry.get() == tensor => {}
                Entry::Occupied(entry) => ambiguous = Some(entry.key().clone()),
            }
        }
        let metadata = metadata.flatten().unwrap_or_default();
        Ok(RawHeader { metadata, tensors, ambiguous })
    }
}
