//! Which files of a directory are meant.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::fs::names::{self, Direction};
use crate::report::failure::{self, Failure};

/// Files that usually are weights, and little else. Configurations, tokenizers and the like are
/// small, and whoever reads them does not expect them to be compressed.
const WEIGHTS: [&str; 13] = [
    "*.safetensors", // most of what is published
    "*.bin",         // PyTorch, as `pytorch_model.bin`
    "*.pt",
    "*.pth",
    "*.ckpt", // PyTorch, and checkpoints of TensorFlow
    "*.gguf",
    "*.ggml",
    "*.onnx",
    "*.onnx_data",
    "*.npy",
    "*.npz",     // stored by `numpy.savez` as they are
    "*.h5",      // Keras
    "*.msgpack", // Flax
];

/// Files of tensors, by their uncompressed names.
const TENSORS: [&str; 1] = ["*.safetensors"];

/// For what files are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To change them in this direction.
    Change(Direction),
    /// To compress the tensors inside them.
    CompressInside,
    /// To read compressed files.
    Read,
    /// To read the tensors of compressed files.
    ReadTensors,
}

/// Which files to take.
#[derive(Debug)]
pub struct Selection {
    purpose: Purpose,
    /// None where the ending alone decides.
    patterns: Option<GlobSet>,
    /// The patterns that the user gave, and whether each has matched a file.
    given: Vec<(String, Cell<bool>)>,
    hidden: bool,
}

impl Selection {
    /// Returns what the command line selects: files that match the patterns, or what is usual where
    /// there are none.
    pub fn new(purpose: Purpose, patterns: &[String], hidden: bool) -> Result<Self, Failure> {
        let given = patterns.iter().map(|pattern| (pattern.clone(), Cell::new(false))).collect();
        let patterns = match purpose {
            _ if !patterns.is_empty() => Some(build(patterns)?),
            Purpose::Change(Direction::Compress) => Some(build(&WEIGHTS)?),
            Purpose::ReadTensors | Purpose::CompressInside => Some(build(&TENSORS)?),
            Purpose::Change(Direction::Decompress) | Purpose::Read => None,
        };
        Ok(Self { purpose, patterns, given, hidden })
    }

    /// Whether hidden files and directories are looked into.
    pub fn takes_hidden(&self) -> bool {
        self.hidden
    }

    /// Returns whether files are only read. Then links to files are taken for those files; a
    /// command that changes files leaves links alone, as what they lead to may be outside, or come
    /// up twice, and may belong to somebody else.
    pub fn only_reads(&self) -> bool {
        matches!(self.purpose, Purpose::Read | Purpose::ReadTensors)
    }

    /// Whether a file is meant, going by its path from the directory on.
    pub fn takes(&self, relative: &Path) -> bool {
        let is_compressed = names::uncompressed(relative).is_some();
        let is_source = match self.purpose {
            Purpose::Change(Direction::Compress) => !is_compressed,
            Purpose::CompressInside => Direction::Compress.rename_inside(relative).is_ok(),
            _ => is_compressed,
        };
        is_source && self.matches(relative)
    }

    /// Returns whether a file would have been meant, had the command not been run on it before.
    /// Without patterns, anything might be the result of decompressing, and nothing counts.
    pub fn has_taken(&self, relative: &Path) -> bool {
        let is_compressed = names::uncompressed(relative).is_some();
        let is_result = match self.purpose {
            Purpose::Change(Direction::Compress) | Purpose::CompressInside => is_compressed,
            Purpose::Change(Direction::Decompress) => !is_compressed && self.patterns.is_some(),
            Purpose::Read | Purpose::ReadTensors => false,
        };
        is_result && self.matches(relative)
    }

    fn matches(&self, relative: &Path) -> bool {
        let uncompressed = names::uncompressed(relative);
        let name = uncompressed.as_deref().unwrap_or(relative);
        self.patterns.as_ref().is_none_or(|patterns| patterns.is_match(name))
    }

    /// Notes that there is a file that is meant, or would have been, for the sake of
    /// [`Self::unmatched`].
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

    /// Returns a failure for every pattern of the user that has matched no file.
    pub fn unmatched(&self) -> impl Iterator<Item = Failure> {
        let unmatched = self.given.iter().filter(|(_, has_matched)| !has_matched.get());
        unmatched.map(|(pattern, _)| {
            let kind = match self.purpose {
                Purpose::Change(Direction::Compress) => "no file",
                Purpose::CompressInside => "no .safetensors file",
                _ => "no compressed file",
            };
            Failure::new("--match", format_args!("{kind} matches the pattern '{pattern}'")).hint(
                "patterns are for whole names without .znn, as '*.pt', or for paths from the \
                 directory on, as 'part/**/*.bin'",
            )
        })
    }

    /// Reports the patterns that match no file, if any of the inputs is a directory. Returns the exit
    /// status.
    pub fn report_unmatched(&self, inputs: &[PathBuf]) -> u8 {
        match inputs.iter().any(|input| input.is_dir()) {
            true => failure::report_all(self.unmatched()),
            false => 0,
        }
    }

    /// Returns why a directory has nothing to take, unless the user's patterns are the reason.
    pub fn hint(&self) -> Option<&'static str> {
        match self.purpose {
            _ if !self.given.is_empty() => None,
            Purpose::Change(Direction::Compress) => {
                Some("nothing in it ends as weights usually do; --match takes other files")
            }
            Purpose::CompressInside => Some("nothing in it ends in .safetensors"),
            Purpose::ReadTensors => Some(
                "nothing in it ends in .safetensors.znn or .znn.safetensors; --match takes other \
                 compressed files",
            ),
            _ => Some("nothing in it ends in .znn or .znn.safetensors"),
        }
    }
}

/// A pattern without a slash is for names, wherever the file is.
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
    fn weights_by_default() {
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
    fn what_else_is_taken() {
        for (purpose, name, expected) in [
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
    fn patterns_without_a_file() {
        let unmatched = |selection: &Selection| -> Vec<String> {
            selection.unmatched().map(|failure| failure.to_string()).collect()
        };
        let compress = selection(Direction::Compress, &["*.pt", "*.bin", "*.typo"]);
        assert!(compress.takes(Path::new("x.pt")) && compress.has_taken(Path::new("a/x.bin.znn")));
        assert_eq!(unmatched(&compress).len(), 3);
        compress.note(Path::new("x.pt"));
        compress.note(Path::new("a/x.bin.znn"));
        let left = unmatched(&compress);
        assert!(left.len() == 1 && left[0].contains("'*.typo'"), "{left:?}");
        assert!(unmatched(&selection(Direction::Compress, &[])).is_empty());
    }

    #[test]
    fn patterns_are_for_uncompressed_names() {
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
    fn wrong_patterns_are_refused() {
        let patterns = ["[".to_owned()];
        assert!(Selection::new(Purpose::Read, &patterns, false).is_err());
    }
}
