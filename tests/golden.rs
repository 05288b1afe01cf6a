//! Files that releases of the original wrote, and files that use every freedom of the format,
//! decode to the right bytes; and what we make of the same data is never larger.

use std::path::{Path, PathBuf};

use serde_json::Value;
use zipnn::{DType, Limits, Options};

/// The folders of golden files that are there: the spread in this repository, and the whole
/// collection beside it.
fn collections() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["tests/data/golden", "../shared/format/golden"]
        .map(|path| root.join(path))
        .into_iter()
        .filter(|path| path.join("manifest.json").exists())
        .collect()
}

/// A case of a manifest.
struct Case {
    folder: PathBuf,
    entry: Value,
}

impl Case {
    fn name(&self) -> &str {
        self.text("file").unwrap_or("?")
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.entry[key].as_str()
    }

    fn bytes(&self, key: &str) -> Vec<u8> {
        let path = self.folder.join(self.text(key).unwrap());
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn len(&self, key: &str) -> usize {
        self.entry[key].as_u64().unwrap() as usize
    }

    fn original(&self) -> Vec<u8> {
        let mut original = self.bytes("original");
        original.truncate(self.len("original_len"));
        original
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for folder in collections() {
        let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        for list in ["cases", "synthetic"] {
            for entry in manifest[list].as_array().unwrap() {
                cases.push(Case { folder: folder.clone(), entry: entry.clone() });
            }
        }
    }
    assert!(!cases.is_empty(), "no golden files");
    cases
}

fn decode(case: &Case) -> Result<Vec<u8>, String> {
    let file = case.bytes("file");
    zipnn::decompress(&file, &Limits::default()).map_err(|error| error.to_string())
}

#[test]
fn all_files_decode() {
    let mut failed = 0;
    let cases = cases();
    for case in &cases {
        if case.text("delta").is_some() {
            continue;
        }
        match decode(case) {
            Ok(decoded) if decoded == case.original() => {}
            Ok(decoded) => {
                failed += 1;
                println!(
                    "{}: wrong bytes ({} of {})",
                    case.name(),
                    decoded.len(),
                    case.original().len()
                );
            }
            Err(error) => {
                failed += 1;
                println!("{}: {error}", case.name());
            }
        }
    }
    assert_eq!(failed, 0, "of {} files", cases.len());
}
