//! Writing names as arguments for a shell.

use std::ffi::OsStr;

use crate::fs::endpoint::DASH;
use crate::report::units;

/// Characters besides letters and digits that no shell interprets.
const SAFE: &[u8] = b"-_./+,:@%";

/// Returns a name as an argument that stays as it is when it is shown and pasted.
pub fn quoted(name: &OsStr) -> String {
    let bytes = name.as_encoded_bytes();
    let is_option = bytes.starts_with(b"-") && name != DASH;
    let prefix = if is_option { "./" } else { "" };
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || SAFE.contains(byte);
    match name.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(is_safe) => format!("{prefix}{text}"),
        Some(text) if units::name(text) == text => {
            format!("'{prefix}{}'", text.replace('\'', r"'\''"))
        }
        _ => format!("$'{prefix}{}'", bytes.iter().map(escaped).collect::<String>()),
    }
}

/// Returns a byte of a string with escapes, which bash, ksh, zsh and POSIX define.
fn escaped(byte: &u8) -> String {
    match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_arguments() {
        for (name, argument) in [
            ("a/b-c.znn", "a/b-c.znn"),
            ("-", "-"),
            ("-f", "./-f"),
            ("-f 1", "'./-f 1'"),
            ("=ls", "'=ls'"),
            ("my model", "'my model'"),
            ("größe", "'größe'"),
            ("it's", r"'it'\''s'"),
            ("it's\n\\", r"$'it\'s\012\\'"),
            ("-\u{1b}[31m", r"$'./-\033[31m'"),
            ("\u{202e}a", r"$'\342\200\256a'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(OsStr::new(name)), argument);
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_unicode_become_arguments() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(quoted(OsStr::from_bytes(b"a\xff1")), r"$'a\3771'");
    }
}
