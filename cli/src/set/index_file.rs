//! Files that say in which file a tensor of a large model is: `model.safetensors.index.json` and
//! its like. When shards get other names, these must follow.
//!
//! What a file is to be called is decided by what is there: a shard that could not be compressed
//! keeps its name, and whatever a killed run left undone is done by the next.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::content::json_strings::{self, JsonString};
use crate::fs::names::{Direction, SUFFIX, Scope};
use crate::fs::output;
use crate::report::failure::Failure;

/// The entry that maps tensors to files.
const WEIGHT_MAP: &str = "weight_map";
/// What files are called whose tensors are compressed one by one: `NAME.znn.safetensors`.
const SAFETENSORS: &str = ".safetensors";
/// What some editors put before the first character of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Lets the index at `source` name the files that are beside `destination`, and writes it there: the
/// same place, or one beside results. `form` is what the results are.
///
/// A file that is there under both names is called by the new one only if `all_done`: after a
/// failure, the file of the new name may be another one.
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
    let is_so =
        |old: &str, new: &str| is_result(new) && is_there(new) && (all_done || !is_there(old));
    let rewritten =
        rewrite(&text, direction, is_so).map_err(|error| not_an_index(source, error))?;
    match rewritten {
        Some(rewritten) => write(destination, &rewritten, source),
        // It may name results as it is, where it followed them before.
        None if destination != source && check(source)?.iter().any(|name| is_there(name)) => {
            write(destination, &text, source)
        }
        None => Ok(()),
    }
}

/// Refuses to write an index over another file, unless that is the same index in which more or
/// fewer files have got their new names.
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
    Err(Failure::new(destination.display(), "exists already, and is another index")
        .hint("use --force to overwrite it"))
}

/// Returns the path to which a link leads, or the path itself.
fn target(path: &Path) -> Result<PathBuf, Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            fs::canonicalize(path).map_err(|error| Failure::writing(path.display(), error))
        }
        _ => Ok(path.to_owned()),
    }
}

/// Writes an index with the permissions of another. A link stays, as the names in the file to which
/// it leads are those beside the link.
fn write(path: &Path, text: &str, like: &Path) -> Result<(), Failure> {
    let like = fs::metadata(like).map_err(|error| Failure::reading(like.display(), error))?;
    output::replace(&target(path)?, text.as_bytes(), &like)
}

/// The text of an index.
pub fn read(path: &Path) -> Result<String, Failure> {
    let metadata = fs::metadata(path).map_err(|error| Failure::reading(path.display(), error))?;
    if !metadata.is_file() {
        return Err(Failure::new(path.display(), "is an index by its name, but not a file")
            .hint("give it another name, or leave out --rewrite-index"));
    }
    fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => {
            Failure::new(path.display(), "is an index that is not UTF-8 text")
                .hint("save it as UTF-8, or leave out --rewrite-index")
        }
        _ => Failure::reading(path.display(), error),
    })
}

/// Makes sure that an index can be read. Returns the files that it names.
pub fn check(path: &Path) -> Result<Vec<String>, Failure> {
    named(&read(path)?).map_err(|error| not_an_index(path, error))
}

fn named(text: &str) -> Result<Vec<String>, serde_json::Error> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let strings = json_strings::find(text)?.into_iter().filter(is_file_name);
    strings.map(|string| json_strings::decode(&text[string.span])).collect()
}

/// What is said of a file that is none.
pub fn not_an_index(path: &Path, error: serde_json::Error) -> Failure {
    Failure::new(path.display(), format_args!("is no index of files: {error}"))
        .hint("mend or remove it, or leave out --rewrite-index")
}

/// The text with files called as they are called after going in this direction; `None` where
/// nothing changes. `is_so(old, new)` says whether a file has got its new name.
pub fn rewrite(
    text: &str,
    direction: Direction,
    is_so: impl Fn(&str, &str) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    rewrite_where(text, direction, is_so, is_file_name)
}

/// Returns whether a string of an index is the name of a file.
fn is_file_name(string: &JsonString) -> bool {
    !string.is_key && string.path.len() == 2 && string.path[0] == WEIGHT_MAP
}

/// The same for whatever strings are names of files.
pub fn rewrite_where(
    text: &str,
    direction: Direction,
    is_so: impl Fn(&str, &str) -> bool,
    is_name: impl Fn(&JsonString) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    let Some(text) = text.strip_prefix(BYTE_ORDER_MARK) else {
        return rewrite_bare(text, direction, is_so, is_name);
    };
    let rewritten = rewrite_bare(text, direction, is_so, is_name)?;
    Ok(rewritten.map(|rewritten| format!("{BYTE_ORDER_MARK}{rewritten}")))
}

fn rewrite_bare(
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

/// Returns whether this is the name of a file whose tensors are compressed one by one.
fn is_inside(name: &str) -> bool {
    name.strip_suffix(SAFETENSORS)
        .and_then(|name| name.strip_suffix(SUFFIX))
        .is_some_and(|name| name.ends_with('.'))
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
