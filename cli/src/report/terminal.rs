//! What the terminal, or whatever else receives the output, can show.

use std::env;
use std::io::{self, IsTerminal, StdoutLock};

use anstream::{AutoStream, ColorChoice};
use terminal_size::{Width, terminal_size_of};

use crate::report::units;

/// Number of characters of a line if the output is no terminal.
const WIDTH: usize = 80;
/// Variables that name the encoding of text, the most important first.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

/// Returns the number of characters of a line of standard output.
pub fn width() -> usize {
    let of_variable = || env::var("COLUMNS").ok()?.parse().ok();
    match terminal_size_of(io::stdout()) {
        Some((Width(width), _)) if width > 0 => width.into(),
        _ => of_variable().unwrap_or(WIDTH),
    }
}

/// Returns whether standard output shows colours.
///
/// It does on a terminal, unless `NO_COLOR` is set, `CLICOLOR` is 0 or `TERM` is `dumb`, and
/// elsewhere if `CLICOLOR_FORCE` is set.
pub fn has_colours() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Returns whether `TERM` says that the terminal can only append text.
pub fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Returns whether standard error is a terminal that can replace what it shows.
pub fn can_show_progress() -> bool {
    io::stderr().is_terminal() && !is_dumb()
}

/// Returns whether the locale shows characters outside ASCII. Without a locale, Windows does.
pub fn is_unicode() -> bool {
    if is_dumb() {
        return false;
    }
    let locale = LOCALE.iter().filter_map(env::var_os).find(|locale| !locale.is_empty());
    locale.map_or(cfg!(windows), |locale| is_utf8(&locale.to_string_lossy()))
}

fn is_utf8(locale: &str) -> bool {
    let encoding = locale.split_once('.').map_or(locale, |(_, encoding)| encoding);
    let encoding = encoding.split('@').next().unwrap_or_default();
    ["UTF-8", "UTF8"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}

/// Returns an arrow between a length and the length that it becomes.
pub fn arrow() -> &'static str {
    if is_unicode() { "→" } else { "->" }
}

/// Describes how a length became another: `24.1 MB → 16.1 MB (66.7 %)`.
pub fn lens(original: u64, compressed: u64) -> String {
    let [before, after] = [original, compressed].map(units::bytes);
    format!("{before} {} {after} ({})", arrow(), units::percent(compressed, original))
}

/// Returns standard output for text with or without colours.
pub fn output() -> AutoStream<StdoutLock<'static>> {
    let output = io::stdout().lock();
    match has_colours() {
        true => AutoStream::auto(output),
        // Without colours, there is nothing to remove.
        false => AutoStream::always_ansi(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_follows_the_language() {
        for locale in ["C.UTF-8", "de_DE.utf8", "en_US.UTF-8@posix", "UTF-8"] {
            assert!(is_utf8(locale), "{locale}");
        }
        for locale in ["C", "POSIX", "de_DE.ISO-8859-1", "de_DE@euro", ""] {
            assert!(!is_utf8(locale), "{locale}");
        }
    }
}
