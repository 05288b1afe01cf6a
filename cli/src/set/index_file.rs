//! Index files such as `model.safetensors.index.json`, which map the tensors of a model to its
//! shards. When shards are renamed, their names in the index must change.
//!
//! The existing files determine the new names: a shard that could not be compressed keeps its name,
//! and the next run completes the work of a killed run.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::content::json_strings::{self, JsonString};
use crate::fs::names::{Direction, SUFFIX, Scope};
use crate::fs::output;
use crate::report::failure::Failure;

/// The entry that maps tensors to files.
const WEIGHT_MAP: &str = "weight_map";
/// The end of safetensors names. Files with compressed tensors inside are `NAME.znn.safetensors`.
const SAFETENSORS: &str = ".safetensors";
/// The mark that some editors write before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Updates the names in the index at `source` to the files beside `destination`, and writes it to
/// `destination`: the same path, or a path beside the results. `scope` is the scope of the results.
///
/// If a file exists under both names, the index gets the new name only if `all_done`: after a
/// failure, the file with the new name may be another one.
pub fn rewrite_file(
    source: &Path,
    destination: &Path,
    direction: Direction,
    scope: Scope,
    all_done: bool,
) -> Result<(), Failure> {
    let directory = destination.parent().unwrap_or(Path::new(""));
    let is_result =
        |new: &str| scope == Scope::File || direction == Direction::Decompress || is_inside(new);
    let text = read(source)?;
    let is_there = |name: &str| directory.join(name).is_file();
    let is_renamed =
        |old: &str, new: &str| is_result(new) && is_there(new) && (all_done || !is_there(old));
    let rewritten =
        rewrite(&text, direction, is_renamed).map_err(|error| not_an_index(source, error))?;
    match rewritten {
        Some(rewritten) => write(destination, &rewritten, source),
        // The index may name results already.
        None if destination != source && check(source)?.iter().any(|name| is_there(name)) => {
            write(destination, &text, source)
        }
        None => Ok(()),
    }
}

/// Returns an error if the destination exists, unless it is the same index with other names
/// updated.
pub fn check_destination(
    source: &Path,
    destination: &Path,
    direction: Direction,
) -> Result<(), Failure> {
    if fs::symlink_metadata(destination).is_err() {
        return Ok(());
    }
    let renamed = |path: &Path| {
        let text = read(path).ok()?;
        Some(rewrite(&text, direction, |_, _| true).ok()?.unwrap_or(text))
    };
    if renamed(destination) == renamed(source) {
        return Ok(());
    }
    Err(Failure::new(destination.display(), "already exists, and is another index")
        .hint("use --force to overwrite it"))
}

/// Returns the target of a link, or the path itself.
fn target(path: &Path) -> Result<PathBuf, Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            fs::canonicalize(path).map_err(|error| Failure::writing(path.display(), error))
        }
        _ => Ok(path.to_owned()),
    }
}

/// Writes an index with the permissions of `like`. Keeps a link and writes its target.
fn write(path: &Path, text: &str, like: &Path) -> Result<(), Failure> {
    let like = fs::metadata(like).map_err(|error| Failure::reading(like.display(), error))?;
    output::replace(&target(path)?, text.as_bytes(), &like)
}

/// Reads the text of an index.
pub fn read(path: &Path) -> Result<String, Failure> {
    let metadata = fs::metadata(path).map_err(|error| Failure::reading(path.display(), error))?;
    if !metadata.is_file() {
        return Err(Failure::new(path.display(), "has the name of an index, but is not a file")
            .hint("rename it, or leave out --rewrite-index"));
    }
    fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => {
            Failure::new(path.display(), "is not UTF-8 text, as an index must be")
                .hint("save it as UTF-8, or leave out --rewrite-index")
        }
        _ => Failure::reading(path.display(), error),
    })
}

/// Reads an index, and returns the names of files in it.
pub fn check(path: &Path) -> Result<Vec<String>, Failure> {
    named(&read(path)?).map_err(|error| not_an_index(path, error))
}

fn named(text: &str) -> Result<Vec<String>, serde_json::Error> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let strings = json_strings::find(text)?.into_iter().filter(is_file_name);
    strings.map(|string| json_strings::decode(&text[string.span])).collect()
}

/// Returns the failure for a file that is not a valid index.
pub fn not_an_index(path: &Path, error: serde_json::Error) -> Failure {
    Failure::new(path.display(), format_args!("is not a valid index: {error}"))
        .hint("correct or remove it, or leave out --rewrite-index")
}

/// Updates the names in an index after compressing or decompressing, or returns `None` if nothing
/// changes. `is_renamed(old, new)` returns whether a file has its new name.
pub fn rewrite(
    text: &str,
    direction: Direction,
    is_renamed: impl Fn(&str, &str) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    rewrite_where(text, direction, is_renamed, is_file_name)
}

/// Returns whether a string of an index is the name of a file.
fn is_file_name(string: &JsonString) -> bool {
    !string.is_key && string.path.len() == 2 && string.path[0] == WEIGHT_MAP
}

/// Updates names as [`rewrite`] does, in all strings that are names by `is_name`.
pub fn rewrite_where(
    text: &str,
    direction: Direction,
    is_renamed: impl Fn(&str, &str) -> bool,
    is_name: impl Fn(&JsonString) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    let Some(text) = text.strip_prefix(BYTE_ORDER_MARK) else {
        return rewrite_bare(text, direction, is_renamed, is_name);
    };
    let rewritten = rewrite_bare(text, direction, is_renamed, is_name)?;
    Ok(rewritten.map(|rewritten| format!("{BYTE_ORDER_MARK}{rewritten}")))
}

fn rewrite_bare(
    text: &str,
    direction: Direction,
    is_renamed: impl Fn(&str, &str) -> bool,
    is_name: impl Fn(&JsonString) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    let mut changes = Vec::new();
    for string in json_strings::find(text)?.into_iter().filter(is_name) {
        let raw = &text[string.span.clone()];
        let old = json_strings::decode(raw)?;
        for new in renamed(raw, direction) {
            if is_renamed(&old, &json_strings::decode(&new)?) {
                changes.push((string.span, new));
                break;
            }
        }
    }
    Ok((!changes.is_empty()).then(|| json_strings::replace(text, &changes)))
}

/// Returns whether a name belongs to a file with compressed tensors inside.
fn is_inside(name: &str) -> bool {
    name.strip_suffix(SAFETENSORS)
        .and_then(|name| name.strip_suffix(SUFFIX))
        .is_some_and(|name| name.ends_with('.'))
}

/// Returns the possible new names of a file. All names are JSON, and keep their escapes.
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
    fn renames_only_existing_files_and_back() {
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
    fn renames_files_with_compressed_tensors() {
        let has = |_: &str, name: &str| name == "w1.znn.safetensors";
        let compressed = rewrite(INDEX, Direction::Compress, has).unwrap().unwrap();
        assert!(compressed.contains(r#""w1.safetensors": "w1.znn.safetensors""#), "{compressed}");
        assert_eq!(compressed.len(), INDEX.len() + 4);
        let back = rewrite(&compressed, Direction::Decompress, |_, name| name == "w1.safetensors");
        assert_eq!(back.unwrap().unwrap(), INDEX);
    }

    #[test]
    fn leaves_other_json_unchanged() {
        for text in ["{}", "[]", "{\"weight_map\": []}", "{\"weight_map\": {\"a\": [\"b\"]}}"] {
            assert_eq!(rewrite(text, Direction::Compress, |_, _| true).unwrap(), None, "{text}");
        }
        assert!(rewrite("{", Direction::Compress, |_, _| true).is_err());
    }
}
