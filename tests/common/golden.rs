//! The golden files and their manifests.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::skipped;

/// A case of a manifest.
pub struct Case {
    folder: PathBuf,
    pub entry: Value,
}

impl Case {
    /// Returns the path of the file in its folder.
    pub fn name(&self) -> &str {
        self.text("file").unwrap_or("?")
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.entry[key].as_str()
    }

    fn read(&self, key: &str) -> Vec<u8> {
        let path = self.folder.join(self.text(key).unwrap());
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn file(&self) -> Vec<u8> {
        self.read("file")
    }

    pub fn original_len(&self) -> usize {
        self.entry["original_len"].as_u64().unwrap() as usize
    }

    /// Returns the data that the file decodes to.
    pub fn original(&self) -> Vec<u8> {
        let mut original = self.read("original");
        original.truncate(self.original_len());
        original
    }

    /// Returns the base, if the file holds a difference.
    pub fn base(&self) -> Option<Vec<u8>> {
        self.text("delta")?;
        let mut base = self.read("delta");
        base.truncate(self.original_len());
        Some(base)
    }

    /// Returns the shape of a tensor or an array.
    pub fn shape(&self) -> Option<Vec<u64>> {
        let shape = self.entry["shape"].as_array()?;
        Some(shape.iter().map(|dimension| dimension.as_u64().unwrap()).collect())
    }

    /// Returns the letter of the layout in `tests/data/README.md`.
    pub fn family(&self) -> &str {
        self.text("family").unwrap_or("synthetic")
    }

    /// Returns whether the release that wrote the file had today's layout.
    pub fn is_current(&self) -> bool {
        match self.family() {
            "A" | "B1" | "B2" => false,
            "C" => matches!(self.text("dtype"), Some("bfloat16" | "float16")),
            _ => true,
        }
    }
}

/// Returns the folders of golden files: the one in this repository, and the whole collection.
pub fn folders() -> impl Iterator<Item = PathBuf> {
    let spread = crate::common::root().join("tests/data/golden");
    [spread].into_iter().chain(skipped::shared("format/golden"))
}

/// Returns the manifest of a folder.
pub fn manifest(folder: &Path) -> Value {
    let manifest = folder.join("manifest.json");
    let manifest =
        std::fs::read(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    serde_json::from_slice(&manifest).unwrap()
}

/// Returns the cases in a folder.
pub fn cases_in(folder: &Path) -> Vec<Case> {
    let manifest = manifest(folder);
    let lists = ["cases", "synthetic"].map(|list| manifest[list].as_array().unwrap());
    let entries = lists.into_iter().flatten().cloned();
    entries.map(|entry| Case { folder: folder.to_owned(), entry }).collect()
}

/// Returns the cases in this repository and in the whole collection.
pub fn cases() -> Vec<Case> {
    let cases: Vec<Case> = folders().flat_map(|folder| cases_in(&folder)).collect();
    assert!(!cases.is_empty(), "no golden files");
    cases
}
