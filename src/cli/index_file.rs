//! Files that say in which file a tensor of a large model is: `model.safetensors.index.json` and
//! its like. When shards get other names, these must follow.
//!
//! What a file is to be called is decided by what is there: a shard that could not be compressed
//! keeps its name, and whatever a killed run left undone is done by the next.

use std::fs;
use std::path::Path;

use super::failure::Failure;
use super::json_strings::{self, JsonString};
use super::names::{Direction, SUFFIX};
use super::output;

/// The entry that maps tensors to files.
const WEIGHT_MAP: &str = "weight_map";
/// What files are called whose tensors are compressed one by one: `NAME.znn.safetensors`.
const SAFETENSORS: &str = ".safetensors";

/// Whether a file maps tensors to files, going by its name.
pub fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(b".index.json"))
}

/// Lets an index name the files that are beside it. Returns whether anything has changed.
pub fn rewrite_file(path: &Path, direction: Direction) -> Result<bool, Failure> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let text = read(path)?;
    let rewritten = rewrite(&text, direction, |_, new| directory.join(new).is_file())
        .map_err(|error| not_an_index(path, error))?;
    let Some(rewritten) = rewritten else { return Ok(false) };
    let metadata = fs::metadata(path).map_err(|error| Failure::reading(path.display(), error))?;
    output::replace(path, rewritten.as_bytes(), &metadata)?;
    Ok(true)
}

/// The text of an index.
pub fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::reading(path.display(), error))
}

/// What is said of a file that is none.
pub fn not_an_index(path: &Path, error: serde_json::Error) -> Failure {
    Failure::new(path.display(), format_args!("is no index of files: {error}"))
}

/// The text with files called as they are called after going in this direction; `None` where
/// nothing changes. `is_so(old, new)` says whether a file has got its new name.
pub fn rewrite(
    text: &str,
    direction: Direction,
    is_so: impl Fn(&str, &str) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    rewrite_where(text, direction, is_so, |string| {
        !string.is_key && string.path.len() == 2 && string.path[0] == WEIGHT_MAP
    })
}

/// The same for whatever strings are names of files.
pub fn rewrite_where(
    text: &str,
    direction: Direction,
    is_so: impl Fn(&str, &str) -> bool,
    is_name: impl Fn(&JsonString) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    let mut changes = Vec::new();
    for string in json_strings::find(text)?.into_iter().filter(is_name) {
        let raw = &text[string.span.clone()];
        let old = json_strings::decode(raw)?;
        for new in renamed(raw, direction) {
            if is_so(&old, &json_strings::decode(&new)?) {
                changes.push((string.span, new));
                break;
            }
        }
    }
    Ok((!changes.is_empty()).then(|| json_strings::replace(text, &changes)))
}

/// What a file may be called afterwards, both as they are written in JSON: its name may have
/// escapes, and they stay.
fn renamed(name: &str, direction: Direction) -> Vec<String> {
    let outside = format!(".{SUFFIX}");
    let inside = format!(".{SUFFIX}{SAFETENSORS}");
    let is_compressed = name.ends_with(&outside) || name.ends_with(&inside);
    match direction {
        Direction::Compress if is_compressed => Vec::new(),
        Direction::Compress => {
            let stem = name.strip_suffix(SAFETENSORS);
            let inside = stem.map(|stem| format!("{stem}{inside}"));
            [Some(format!("{name}{outside}")), inside].into_iter().flatten().collect()
        }
        Direction::Decompress => {
            let inside = name.strip_suffix(&inside).map(|stem| format!("{stem}{SAFETENSORS}"));
            let outside = name.strip_suffix(&outside).map(str::to_owned);
            [outside, inside].into_iter().flatten().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{
  "metadata": {"total_size": 16024, "note": "w1.safetensors", "weight_map": "w1.safetensors"},
  "weight_map": {
    "w1.safetensors": "w1.safetensors",
    "b": "caf\u00e9.safetensors",
    "c":"other.safetensors"
  }
}
"#;

    #[test]
    fn only_files_that_are_there_are_renamed_and_back() {
        let has =
            |_: &str, name: &str| ["w1.safetensors.znn", "café.safetensors.znn"].contains(&name);
        let compressed = rewrite(INDEX, Direction::Compress, has).unwrap().unwrap();
        let expected = INDEX
            .replace(
                r#": "w1.safetensors",
    "b""#,
                r#": "w1.safetensors.znn",
    "b""#,
            )
            .replace(r#"caf\u00e9.safetensors""#, r#"caf\u00e9.safetensors.znn""#);
        assert_eq!(compressed, expected);
        let more = rewrite(&compressed, Direction::Compress, |_, _| true).unwrap().unwrap();
        assert_eq!(more, compressed.replace("other.safetensors", "other.safetensors.znn"));
        assert_eq!(rewrite(&compressed, Direction::Decompress, |_, _| false).unwrap(), None);
        let back = rewrite(&compressed, Direction::Decompress, |_, _| true).unwrap().unwrap();
        assert_eq!(back, INDEX);
        assert_eq!(rewrite(INDEX, Direction::Decompress, |_, _| true).unwrap(), None);
    }

    #[test]
    fn files_with_compressed_tensors() {
        let has = |_: &str, name: &str| name == "w1.znn.safetensors";
        let compressed = rewrite(INDEX, Direction::Compress, has).unwrap().unwrap();
        assert!(compressed.contains(r#""w1.safetensors": "w1.znn.safetensors""#), "{compressed}");
        assert_eq!(compressed.len(), INDEX.len() + 4);
        let back = rewrite(&compressed, Direction::Decompress, |_, name| name == "w1.safetensors");
        assert_eq!(back.unwrap().unwrap(), INDEX);
    }

    #[test]
    fn what_is_no_index_is_left_alone() {
        for text in ["{}", "[]", "{\"weight_map\": []}", "{\"weight_map\": {\"a\": [\"b\"]}}"] {
            assert_eq!(rewrite(text, Direction::Compress, |_, _| true).unwrap(), None, "{text}");
        }
        assert!(rewrite("{", Direction::Compress, |_, _| true).is_err());
    }
}
