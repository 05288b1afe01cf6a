//! Selecting the files of a directory.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::fs::names::{self, Direction};
use crate::report::failure::{self, Failure};

/// Patterns of files that usually hold weights. Configurations and tokenizers are small, and other
/// programs expect them uncompressed.
const WEIGHTS: [&str; 13] = [
    "*.safetensors", // most published models
    "*.bin",         // PyTorch, as `pytorch_model.bin`
    "*.pt",
    "*.pth",
    "*.ckpt", // PyTorch, and checkpoints of TensorFlow
    "*.gguf",
    "*.ggml",
    "*.onnx",
    "*.onnx_data",
    "*.npy",
    "*.npz",     // uncompressed, as `numpy.savez` writes them
    "*.h5",      // Keras
    "*.msgpack", // Flax
];

/// Patterns of safetensors files, by their uncompressed names.
const TENSORS: [&str; 1] = ["*.safetensors"];

/// The purpose for which files are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Compressing or decompressing them.
    Change(Direction),
    /// Compressing the tensors inside them.
    CompressInside,
    /// Reading files, compressed or not.
    ReadAny,
    /// Reading files that are not compressed.
    ReadPlain,
    /// Reading compressed files.
    Read,
    /// Reading the tensors of compressed files.
    ReadTensors,
}

/// Selects files by their names.
#[derive(Debug)]
pub struct Selection {
    purpose: Purpose,
    /// `None` if only the extension decides.
    patterns: Option<GlobSet>,
    /// The patterns of the command line, and whether each has matched a file.
    given: Vec<(String, Cell<bool>)>,
    hidden: bool,
}

impl Selection {
    /// Creates the selection of the command line. Without patterns, uses the default patterns of
    /// the purpose.
    pub fn new(purpose: Purpose, patterns: &[String], hidden: bool) -> Result<Self, Failure> {
        let given = patterns.iter().map(|pattern| (pattern.clone(), Cell::new(false))).collect();
        let patterns = match purpose {
            _ if !patterns.is_empty() => Some(build(patterns)?),
            Purpose::Change(Direction::Compress) | Purpose::ReadAny | Purpose::ReadPlain => {
                Some(build(&WEIGHTS)?)
            }
            Purpose::ReadTensors | Purpose::CompressInside => Some(build(&TENSORS)?),
            Purpose::Change(Direction::Decompress) | Purpose::Read => None,
        };
        Ok(Self { purpose, patterns, given, hidden })
    }

    /// Returns whether hidden files and directories are included.
    pub fn takes_hidden(&self) -> bool {
        self.hidden
    }

    /// Returns whether files are only read. Then links to files count as files. A command that
    /// changes files skips links, whose targets may be outside the directory, or come up twice.
    pub fn only_reads(&self) -> bool {
        use Purpose::{Read, ReadAny, ReadPlain, ReadTensors};
        matches!(self.purpose, ReadAny | ReadPlain | Read | ReadTensors)
    }

    /// Returns whether a file is selected, by its path relative to the directory.
    pub fn takes(&self, relative: &Path) -> bool {
        let is_compressed = names::uncompressed(relative).is_some();
        let is_source = match self.purpose {
            Purpose::Change(Direction::Compress) | Purpose::ReadPlain => !is_compressed,
            Purpose::CompressInside => Direction::Compress.rename_inside(relative).is_ok(),
            // Without patterns, the name says enough.
            Purpose::ReadAny if is_compressed && self.given.is_empty() => return true,
            Purpose::ReadAny => true,
            _ => is_compressed,
        };
        is_source && self.matches(relative)
    }

    /// Returns whether a file is the result of a selected file. Without patterns, any file might be
    /// the result of decompressing, so none counts.
    pub fn is_result(&self, relative: &Path) -> bool {
        let is_compressed = names::uncompressed(relative).is_some();
        let is_result = match self.purpose {
            Purpose::Change(Direction::Compress) | Purpose::CompressInside => is_compressed,
            Purpose::Change(Direction::Decompress) => !is_compressed && self.patterns.is_some(),
            _ => false,
        };
        is_result && self.matches(relative)
    }

    fn matches(&self, relative: &Path) -> bool {
        let uncompressed = names::uncompressed(relative);
        let name = uncompressed.as_deref().unwrap_or(relative);
        self.patterns.as_ref().is_none_or(|patterns| patterns.is_match(name))
    }

    /// Records which patterns match a selected file or result, for [`Self::unmatched`].
    pub fn note(&self, relative: &Path) {
        let uncompressed = names::uncompressed(relative);
        let name = uncompressed.as_deref().unwrap_or(relative);
        let Some(patterns) = &self.patterns else { return };
        for number in patterns.matches(name) {
            if let Some((_, has_matched)) = self.given.get(number) {
                has_matched.set(true);
            }
        }
    }

    /// Returns a failure for every pattern of the command line that has matched no file.
    pub fn unmatched(&self) -> impl Iterator<Item = Failure> {
        let unmatched = self.given.iter().filter(|(_, has_matched)| !has_matched.get());
        unmatched.map(|(pattern, _)| {
            let kind = match self.purpose {
                Purpose::Change(Direction::Compress) | Purpose::ReadAny => "no file",
                Purpose::CompressInside => "no .safetensors file",
                _ => "no compressed file",
            };
            Failure::new("--match", format_args!("{kind} matches the pattern '{pattern}'")).hint(
                "patterns match whole names without .znn, like '*.pt', or paths relative to the \
                 directory, like 'part/**/*.bin'",
            )
        })
    }

    /// Reports the patterns that match no file, if any of the inputs is a directory. Returns the
    /// exit status.
    pub fn report_unmatched(&self, inputs: &[PathBuf]) -> u8 {
        match inputs.iter().any(|input| input.is_dir()) {
            true => failure::report_all(self.unmatched()),
            false => 0,
        }
    }

    /// Returns why a directory has no selected files; `None` if patterns of the command line
    /// decide.
    pub fn hint(&self) -> Option<&'static str> {
        match self.purpose {
            _ if !self.given.is_empty() => None,
            Purpose::Change(Direction::Compress) | Purpose::ReadAny => Some(
                "it holds no files with the usual extensions of weights; --match selects other files",
            ),
            Purpose::CompressInside => Some("it holds no .safetensors files"),
            Purpose::ReadTensors => Some(
                "it holds no .safetensors.znn or .znn.safetensors files; --match selects other \
                 compressed files",
            ),
            _ => Some("it holds no .znn or .znn.safetensors files"),
        }
    }
}

/// Compiles patterns. A pattern without a slash matches names in every directory.
fn build(patterns: &[impl AsRef<str>]) -> Result<GlobSet, Failure> {
    let wrong = |error: globset::Error| Failure::usage("--match", error);
    let mut set = GlobSetBuilder::new();
    for pattern in patterns.iter().map(AsRef::as_ref) {
        let anywhere = if pattern.contains('/') { "" } else { "**/" };
        let pattern = format!("{anywhere}{}", pattern.trim_start_matches("./"));
        set.add(GlobBuilder::new(&pattern).literal_separator(true).build().map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(direction: Direction, patterns: &[&str]) -> Selection {
        let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        Selection::new(Purpose::Change(direction), &patterns, false).unwrap()
    }

    #[test]
    fn selects_weights_by_default() {
        let compress = selection(Direction::Compress, &[]);
        for name in ["model.safetensors", "a/b/pytorch_model.bin", "a/.b/x.gguf"] {
            assert!(compress.takes(Path::new(name)), "{name}");
        }
        for name in [
            "config.json",
            "model.safetensors.znn",
            "model.znn.safetensors",
            "model.safetensors.index.json",
            "safetensors",
        ] {
            assert!(!compress.takes(Path::new(name)), "{name}");
        }
        let decompress = selection(Direction::Decompress, &[]);
        assert!(decompress.takes(Path::new("a/notes.txt.znn")));
        assert!(decompress.takes(Path::new("model.znn.safetensors")));
        assert!(!decompress.takes(Path::new("model.safetensors")));
    }

    #[test]
    fn every_purpose_selects_its_files() {
        for (purpose, name, expected) in [
            (Purpose::ReadAny, "a/x.bin", true),
            (Purpose::ReadAny, "a/x.bin.znn", true),
            (Purpose::ReadAny, "x.data.znn", true),
            (Purpose::ReadAny, "config.json", false),
            (Purpose::Read, "a/x.bin.znn", true),
            (Purpose::Read, "x.znn.safetensors", true),
            (Purpose::Read, "x.safetensors", false),
            (Purpose::ReadTensors, "a/x.safetensors.znn", true),
            (Purpose::ReadTensors, "x.znn.safetensors", true),
            (Purpose::ReadTensors, "x.bin.znn", false),
            (Purpose::CompressInside, "a/x.safetensors", true),
            (Purpose::CompressInside, "x.bin", false),
            (Purpose::CompressInside, "x.znn.safetensors", false),
        ] {
            let selection = Selection::new(purpose, &[], false).unwrap();
            assert_eq!(selection.takes(Path::new(name)), expected, "{purpose:?} {name}");
        }
    }

    #[test]
    fn reports_patterns_that_match_no_file() {
        let unmatched = |selection: &Selection| -> Vec<String> {
            selection.unmatched().map(|failure| failure.to_string()).collect()
        };
        let compress = selection(Direction::Compress, &["*.pt", "*.bin", "*.typo"]);
        assert!(compress.takes(Path::new("x.pt")) && compress.is_result(Path::new("a/x.bin.znn")));
        assert_eq!(unmatched(&compress).len(), 3);
        compress.note(Path::new("x.pt"));
        compress.note(Path::new("a/x.bin.znn"));
        let left = unmatched(&compress);
        assert!(left.len() == 1 && left[0].contains("'*.typo'"), "{left:?}");
        assert!(unmatched(&selection(Direction::Compress, &[])).is_empty());
    }

    #[test]
    fn patterns_match_uncompressed_names() {
        for (pattern, path, expected) in [
            ("*.pt", "x.pt", true),
            ("*.pt", "deep/er/x.pt", true),
            ("x.*", "x.safetensors", true),
            ("part/*.pt", "part/x.pt", true),
            ("part/*.pt", "part/er/x.pt", false),
            ("part/*.pt", "other/part/x.pt", false),
            ("part/**/*.pt", "part/er/x.pt", true),
            ("./x.pt", "x.pt", true),
            ("model-0000[12]*", "model-00002-of-2.bin", true),
            ("{a,b}.bin", "b.bin", true),
        ] {
            let path = Path::new(path);
            let compress = selection(Direction::Compress, &[pattern]);
            assert_eq!(compress.takes(path), expected, "{pattern} {}", path.display());
            let compressed = names::with_suffix(path, names::SUFFIX);
            assert!(!compress.takes(&compressed));
            let decompress = selection(Direction::Decompress, &[pattern]);
            assert_eq!(decompress.takes(&compressed), expected, "{pattern} {}", path.display());
            assert!(!decompress.takes(path));
        }
    }

    #[test]
    fn rejects_invalid_patterns() {
        let patterns = ["[".to_owned()];
        assert!(Selection::new(Purpose::Read, &patterns, false).is_err());
    }
}
