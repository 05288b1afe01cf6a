//! Files that releases of the original wrote, and files that use every freedom of the format,
//! decode to the right bytes; and what we make of the same data is never larger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zipnn::{DecodeError, DecodeErrorKind, Limits};

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

    /// The letter that the format's description gives to releases with one header.
    fn family(&self) -> &str {
        self.text("family").unwrap_or("synthetic")
    }

    /// Whether the file needs the feature `legacy`.
    fn is_legacy(&self) -> bool {
        let is_half = matches!(self.text("dtype"), Some("bfloat16" | "float16"));
        match self.family() {
            "A" | "B1" | "B2" => true,
            "C" => !is_half,
            _ => false,
        }
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

/// Decodes a file, against its base where it holds a difference.
fn decode(case: &Case) -> Result<Vec<u8>, DecodeError> {
    let file = case.bytes("file");
    let limits = Limits::default();
    if case.text("delta").is_none() {
        return zipnn::decompress(&file, &limits);
    }
    let error = zipnn::decompress(&file, &limits).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::BaseRequired, "{}", case.name());
    let mut base = case.bytes("delta");
    base.truncate(case.len("delta_len"));
    zipnn::delta::decompress(&file, &base, &limits)
}

/// Decodes files, says how many of each family did, and fails unless all did.
fn check(cases: &[Case]) {
    let mut passed = BTreeMap::<_, usize>::new();
    let mut failed = 0;
    for case in cases {
        match decode(case) {
            Ok(decoded) if decoded == case.original() => {
                *passed.entry(case.family()).or_default() += 1;
            }
            Ok(decoded) => {
                failed += 1;
                let expected = case.original().len();
                println!("{}: wrong bytes ({} of {expected})", case.name(), decoded.len());
            }
            Err(error) => {
                failed += 1;
                println!("{}: {error}", case.name());
            }
        }
    }
    println!("passed by family: {passed:?}");
    assert_eq!(failed, 0, "of {} files", cases.len());
}

#[test]
fn all_files_decode() {
    let (_, cases): (Vec<_>, Vec<_>) = cases().into_iter().partition(Case::is_legacy);
    check(&cases);
}

#[cfg(feature = "legacy")]
#[test]
fn all_files_of_old_layouts_decode() {
    let (cases, _): (Vec<_>, Vec<_>) = cases().into_iter().partition(Case::is_legacy);
    check(&cases);
    for case in &cases {
        let summary = zipnn::legacy::summary(&case.bytes("file"), &Limits::default()).unwrap();
        let version = summary.version.map(|number| number.to_string()).join(".");
        assert_eq!(case.text("version"), Some(&*version), "{}", case.name());
        assert_eq!(summary.decoded_len, case.len("original_len") as u64, "{}", case.name());
        assert_eq!(summary.lost, 0, "{}", case.name());
    }
}

#[cfg(not(feature = "legacy"))]
#[test]
fn files_of_old_layouts_are_refused() {
    let (cases, _): (Vec<_>, Vec<_>) = cases().into_iter().partition(Case::is_legacy);
    for case in &cases {
        let error = decode(case).unwrap_err();
        let is_refused = matches!(error.kind(), DecodeErrorKind::UnsupportedVersion([0, 1..=3, _]));
        assert!(is_refused, "{}: {error}", case.name());
    }
}
