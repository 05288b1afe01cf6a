//! Replaces single strings of a JSON text, and keeps everything else: order, white space and the
//! escapes of other strings.

use std::ops::Range;

use serde::de::IgnoredAny;

/// A string of a JSON text.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonString {
    /// The range in the text, without the quotes.
    pub span: Range<usize>,
    /// Whether it is the key of an entry.
    pub is_key: bool,
    /// The keys that lead to the string, outermost first. The last key of a value is its own. An
    /// array counts as an empty key.
    pub path: Vec<String>,
}

/// Returns all strings of a JSON text, in order.
pub fn find(text: &str) -> Result<Vec<JsonString>, serde_json::Error> {
    // This checks that the text is well-formed.
    serde_json::from_str::<IgnoredAny>(text)?;
    let mut strings = Vec::new();
    let mut levels: Vec<Level> = Vec::new();
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'{' => levels.push(Level { is_object: true, awaits_key: true, key: String::new() }),
            b'[' => levels.push(Level { is_object: false, awaits_key: false, key: String::new() }),
            b'}' | b']' => drop(levels.pop()),
            b',' => {
                if let Some(level) = levels.last_mut() {
                    level.awaits_key = level.is_object;
                }
            }
            b'"' => {
                let span = at + 1..end_of_string(&mut bytes);
                let is_key = levels.last().is_some_and(|level| level.awaits_key);
                let above = levels.len() - usize::from(is_key);
                let path = levels[..above].iter().map(|level| level.key.clone()).collect();
                if let (Some(level), true) = (levels.last_mut(), is_key) {
                    level.awaits_key = false;
                    level.key = decode(&text[span.clone()])?;
                }
                strings.push(JsonString { span, is_key, path });
            }
            _ => {}
        }
    }
    Ok(strings)
}

/// An open object or array.
struct Level {
    is_object: bool,
    awaits_key: bool,
    key: String,
}

/// Returns the offset of the quote that ends a string.
fn end_of_string(bytes: &mut impl Iterator<Item = (usize, u8)>) -> usize {
    let mut end = 0;
    while let Some((at, byte)) = bytes.next() {
        end = at;
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => break,
            _ => {}
        }
    }
    end
}

/// Decodes the text between the quotes of a string.
pub fn decode(raw: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str(&format!("\"{raw}\""))
}

/// Replaces ranges of a text, which must be in order.
pub fn replace(text: &str, changes: &[(Range<usize>, String)]) -> String {
    let mut changed = String::with_capacity(text.len() + changes.len() * 8);
    let mut copied = 0;
    for (span, new) in changes {
        changed.push_str(&text[copied..span.start]);
        changed.push_str(new);
        copied = span.end;
    }
    changed.push_str(&text[copied..]);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_strings_with_their_keys() {
        let text = r#" {"a": ["x", {"b\"{": "y\\"}, "z"], "\u0063": {"d":1,"e":"ü"}, "":"w"} "#;
        let found: Vec<_> = find(text)
            .unwrap()
            .into_iter()
            .map(|string| (text[string.span].to_owned(), string.is_key, string.path.join("/")))
            .collect();
        let expected = [
            ("a", true, ""),
            ("x", false, "a/"),
            (r#"b\"{"#, true, "a/"),
            (r"y\\", false, "a//b\"{"),
            ("z", false, "a/"),
            (r"\u0063", true, ""),
            ("d", true, "c"),
            ("e", true, "c"),
            ("ü", false, "c/e"),
            ("", true, ""),
            ("w", false, ""),
        ];
        assert_eq!(found, expected.map(|(raw, key, path)| (raw.into(), key, path.into())));
        assert!(find("{\"a\": }").is_err());
        assert!(find("\"only a string\"").unwrap()[0].path.is_empty());
    }

    #[test]
    fn replaces_only_the_given_ranges() {
        let text = "{ \"a\":\"b\",\n\"c\" : \"b\" }";
        let strings = find(text).unwrap();
        let changes = [(strings[3].span.clone(), "new".to_owned())];
        assert_eq!(replace(text, &changes), "{ \"a\":\"b\",\n\"c\" : \"new\" }");
        assert_eq!(replace(text, &[]), text);
    }
}
