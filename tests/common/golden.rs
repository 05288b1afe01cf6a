//! The golden files: what they are, and what they decode to.

use std::path::{Path, PathBuf};
use std::sync::Once;

use serde_json::Value;

use super::skipped;

/// A case of a manifest.
pub struct Case {
    folder: PathBuf,
    pub entry: Value,
}

impl Case {
    /// For messages.
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

    /// What the file decodes to.
    pub fn original(&self) -> Vec<u8> {
        let mut original = self.read("original");
        original.truncate(self.original_len());
        original
    }

    /// What the file holds the difference to.
    pub fn base(&self) -> Option<Vec<u8>> {
        self.text("delta")?;
        let mut base = self.read("delta");
        base.truncate(self.original_len());
        Some(base)
    }

    /// The shape of a tensor or an array.
    pub fn shape(&self) -> Option<Vec<u64>> {
        let shape = self.entry["shape"].as_array()?;
        Some(shape.iter().map(|dimension| dimension.as_u64().unwrap()).collect())
    }

    /// The letter that `tests/data/README.md` gives to the layout.
    pub fn family(&self) -> &str {
        self.text("family").unwrap_or("synthetic")
    }

    /// Whether the file has today's layout, going by who wrote it.
    pub fn is_current(&self) -> bool {
        match self.family() {
            "A" | "B1" | "B2" => false,
            "C" => matches!(self.text("dtype"), Some("bfloat16" | "float16")),
            _ => true,
        }
    }
}

/// Says once that less is tested than could be; not captured as the output of a test.
fn say_skipped(folder: &Path) {
    static SAID: Once = Once::new();
    SAID.call_once(|| skipped::skipped(folder.display()));
}

/// The cases of the spread in this repository, and of the whole collection where it lies beside it.
pub fn cases() -> Vec<Case> {
    let root = super::root();
    let mut cases = Vec::new();
    for folder in ["tests/data/golden", "../shared/format/golden"].map(|path| root.join(path)) {
        let Ok(manifest) = std::fs::read(folder.join("manifest.json")) else {
            say_skipped(&folder);
            continue;
        };
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        for list in ["cases", "synthetic"] {
            let entries = manifest[list].as_array().unwrap().iter().cloned();
            cases.extend(entries.map(|entry| Case { folder: folder.clone(), entry }));
        }
    }
    assert!(!cases.is_empty(), "no golden files");
    cases
}
