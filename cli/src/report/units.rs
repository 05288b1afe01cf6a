//! Formats numbers, names and JSON.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

/// Maximum number of characters of a name in a list or table.
pub const NAME: usize = 100;

/// Formats a number of bytes with three digits: `7.05 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Formats a speed: `1.20 GB/s`.
pub fn rate(count: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(1e-9);
    format!("{}/s", bytes((count as f64 / seconds) as u64))
}

/// Formats a number with its noun: `1 tensor`, `2 tensors`.
pub fn count(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Describes bytes after the only frame of a file.
pub fn trailing(len: u64) -> String {
    let verb = if len == 1 { "follows" } else { "follow" };
    format!("{} {verb} the only frame", count(len, "byte"))
}

/// Describes the data of a `.safetensors` file whose last `len` bytes are missing.
pub fn shortage(len: u64) -> String {
    format!("the data ends {} before its last tensor does", count(len, "byte"))
}

/// Returns untrusted text, such as a name, for a terminal. Escapes characters that move the cursor,
/// change colours, break lines or change the direction of text, as Rust does.
pub fn name(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for char in name.chars() {
        if is_control(char) { shown.extend(char.escape_debug()) } else { shown.push(char) }
    }
    shown
}

/// Returns whether a character controls the display of others.
fn is_control(char: char) -> bool {
    let breaks_lines = matches!(char, '\u{2028}' | '\u{2029}');
    let turns_text = matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    char.is_control() || breaks_lines || turns_text
}

/// Returns a text of at most `max` characters, at least one. A longer text loses its middle.
pub fn clip(text: &str, max: usize) -> Cow<'_, str> {
    let Some(excess) = text.chars().count().checked_sub(max).filter(|&excess| excess > 0) else {
        return text.into();
    };
    let kept = max.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let mut chars = text.chars();
    let mut clipped: String = chars.by_ref().take(head).collect();
    clipped.push('…');
    // The ellipsis replaces one more character.
    clipped.extend(chars.skip(excess + kept + 1 - head - tail));
    clipped.into()
}

/// Returns a name as [`name`] does, with at most `max` characters.
pub fn short_name(text: &str, max: usize) -> String {
    clip(&name(text), max).into_owned()
}

/// Lists the first names, and the number of others.
pub fn list(mut names: impl Iterator<Item = impl AsRef<str>>) -> String {
    /// Maximum number of names in the list.
    const MAX_NAMES: usize = 8;
    let mut list = String::new();
    for listed in names.by_ref().take(MAX_NAMES) {
        let separator = if list.is_empty() { "" } else { ", " };
        list += separator;
        list += &short_name(listed.as_ref(), NAME);
    }
    match names.count() {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

/// Returns a value as JSON for a terminal. Escapes the same characters as [`name`], so that parsing
/// restores them.
pub fn json(value: &Value) -> String {
    let text = value.to_string();
    if !text.contains(is_control) {
        return text;
    }
    // Such characters occur only in strings, and take one unit of UTF-16.
    let escape = |char| match is_control(char) {
        true => format!("\\u{:04x}", u32::from(char)),
        false => char.into(),
    };
    text.chars().map(escape).collect()
}

/// Writes a JSON object and a line break: the entries of `head`, and then lists of any length,
/// whose items are written one by one.
pub fn write_json(
    out: &mut impl Write,
    head: &Value,
    lists: &mut [(&str, &mut dyn Iterator<Item = Value>)],
) -> io::Result<()> {
    let head = json(head);
    write!(out, "{}", head.strip_suffix('}').unwrap_or(&head))?;
    for (name, items) in lists {
        write!(out, ",\"{name}\":[")?;
        for (number, item) in items.enumerate() {
            let separator = if number == 0 { "" } else { "," };
            write!(out, "{separator}{}", json(&item))?;
        }
        out.write_all(b"]")?;
    }
    out.write_all(b"}\n")
}

/// Formats a part of a whole: `66.7 %`. Zero of zero is `100.0 %`; a part of zero is `-`.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 && part > 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", 100.0 * ratio(part, whole))
}

/// Returns the ratio of a part to a whole: 1 for zero of zero, and infinity for a part of zero,
/// which is `null` in JSON.
pub fn ratio(part: u64, whole: u64) -> f64 {
    if part == whole { 1.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_bytes_with_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_999, "10.0 kB"),
            (99_990, "100 kB"),
            (999_700, "1.00 MB"),
            (10_574_368, "10.6 MB"),
            (7_052_918, "7.05 MB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(rate(1_200_000_000, Duration::from_secs(1)), "1.20 GB/s");
        assert_eq!(percent(2, 3), "66.7 %");
        assert_eq!(percent(0, 0), "100.0 %");
        assert_eq!(percent(32, 0), "-");
    }

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(count(0, "tensor"), "0 tensors");
        assert_eq!(count(1, "more frame"), "1 more frame");
        assert_eq!(count(2, "byte"), "2 bytes");
        assert_eq!(trailing(1), "1 byte follows the only frame");
        assert_eq!(shortage(2), "the data ends 2 bytes before its last tensor does");
    }

    #[test]
    fn names_cannot_break_lines() {
        assert_eq!(name("layers.0.größe \"x\""), "layers.0.größe \"x\"");
        assert_eq!(name("a\nb\u{1b}[31m\u{9b}"), r"a\nb\u{1b}[31m\u{9b}");
    }

    #[test]
    fn names_cannot_change_the_direction_of_text() {
        assert_eq!(name("a\u{2028}b\u{202e}c\u{2066}"), r"a\u{2028}b\u{202e}c\u{2066}");
        assert_eq!(name("हिन्दी e\u{301} 👩\u{200d}🔬"), "हिन्दी e\u{301} 👩\u{200d}🔬");
    }

    #[test]
    fn long_text_loses_its_middle() {
        for (text, most, clipped) in [
            ("", 1, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "a…d"),
            ("abcdef", 4, "ab…f"),
            ("abcdef", 1, "…"),
            ("äöüß", 3, "ä…ß"),
        ] {
            assert_eq!(clip(text, most), clipped, "{text} {most}");
        }
    }

    #[test]
    fn parsing_restores_escaped_json() {
        let value = Value::from("é\u{9b}31m\u{7f}\u{1b}\u{202e}\u{2028}\"\\");
        let text = json(&value);
        assert_eq!(text, r#""é\u009b31m\u007f\u001b\u202e\u2028\"\\""#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn writes_json_with_lists() {
        let mut out = Vec::new();
        let mut items = [Value::from(1), Value::from("x")].into_iter();
        let head = serde_json::json!({ "name": "a}" });
        let lists: &mut [(&str, &mut dyn Iterator<Item = Value>)] =
            &mut [("items", &mut items), ("none", &mut std::iter::empty())];
        write_json(&mut out, &head, lists).unwrap();
        assert_eq!(out, b"{\"name\":\"a}\",\"items\":[1,\"x\"],\"none\":[]}\n");
    }

    #[test]
    fn lists_have_a_bounded_length() {
        let names = |count: usize| list((0..count).map(|number| number.to_string()));
        assert_eq!(names(0), "");
        assert_eq!(names(3), "0, 1, 2");
        assert_eq!(names(8), "0, 1, 2, 3, 4, 5, 6, 7");
        assert_eq!(names(1_000_000), "0, 1, 2, 3, 4, 5, 6, 7 and 999992 more");
        assert!(list([&*"n".repeat(70_000)].into_iter()).chars().count() <= 100);
    }
}
