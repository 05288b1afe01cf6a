//! Which files of a directory are meant.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::args::Many;
use super::failure::Failure;
use super::names::{self, Direction};

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

/// What a safetensors file ends in whose tensors are compressed one by one.
const COMPRESSED_INSIDE: &str = ".znn.safetensors";

/// Which files to take.
#[derive(Debug)]
pub struct Selection {
    direction: Direction,
    /// None where the ending alone decides.
    patterns: Option<GlobSet>,
    hidden: bool,
}

impl Selection {
    /// What the command line selects.
    pub fn new(direction: Direction, many: &Many) -> Result<Self, Failure> {
        let patterns = match (direction, many.patterns.is_empty()) {
            (Direction::Decompress, true) => None,
            (Direction::Compress, true) => Some(build(&WEIGHTS)?),
            (_, false) => Some(build(&many.patterns)?),
        };
        Ok(Self { direction, patterns, hidden: many.hidden })
    }

    /// Whether hidden files and directories are looked into.
    pub fn takes_hidden(&self) -> bool {
        self.hidden
    }

    /// Whether a file is meant, going by its path from the directory on.
    pub fn takes(&self, relative: &Path) -> bool {
        let uncompressed = match (self.direction, names::is_compressed(relative)) {
            (Direction::Compress, false) => relative.to_owned(),
            (Direction::Decompress, true) => relative.with_extension(""),
            _ => return false,
        };
        let bytes = relative.as_os_str().as_encoded_bytes();
        let is_done =
            self.direction == Direction::Compress && bytes.ends_with(COMPRESSED_INSIDE.as_bytes());
        !is_done && self.patterns.as_ref().is_none_or(|patterns| patterns.is_match(uncompressed))
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
        let patterns = patterns.iter().map(ToString::to_string).collect();
        let many = Many { patterns, hidden: false, rewrite_index: false, hub: None, cache: None };
        Selection::new(direction, &many).unwrap()
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
        assert!(!decompress.takes(Path::new("model.safetensors")));
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
        let many = Many {
            patterns: vec!["[".into()],
            hidden: false,
            rewrite_index: false,
            hub: None,
            cache: None,
        };
        assert!(Selection::new(Direction::Compress, &many).is_err());
    }
}
