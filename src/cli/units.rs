//! Numbers and names for people.

use std::time::Duration;

/// Bytes with three digits: `7.05 MB`.
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

/// Bytes in a time: `1.20 GB/s`.
pub fn rate(count: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(1e-9);
    format!("{}/s", bytes((count as f64 / seconds) as u64))
}

/// What is said of bytes behind the only frame of a file.
pub fn trailing(count: u64) -> String {
    match count {
        1 => "1 byte follows the only frame".to_owned(),
        _ => format!("{count} bytes follow the only frame"),
    }
}

/// Returns what to say of the data of a `.safetensors` file that lacks so many bytes at its end.
pub fn shortage(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("the data ends {count} byte{plural} before its last tensor does")
}

/// A name from a file, which may hold anything: what would move the cursor or change colours is
/// shown as it is written in Rust.
pub fn name(name: &str) -> String {
    name.chars()
        .map(|char| if char.is_control() { char.escape_debug().to_string() } else { char.into() })
        .collect()
}

/// A part of a whole: `66.7 %`. Nothing of nothing is all of it; something of nothing is no number.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 && part > 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", 100.0 * ratio(part, whole))
}

/// A part of a whole, 1 for nothing of nothing. Something of nothing is infinite: `null` in JSON.
pub fn ratio(part: u64, whole: u64) -> f64 {
    if part == whole { 1.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
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
    fn names_keep_to_their_line() {
        assert_eq!(name("layers.0.größe \"x\""), "layers.0.größe \"x\"");
        assert_eq!(name("a\nb\u{1b}[31m\u{9b}"), r"a\nb\u{1b}[31m\u{9b}");
    }
}
