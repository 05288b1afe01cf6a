//! Describing files of old layouts.

use std::fmt::Write as _;

use serde_json::{Value, json};
use zipnn::legacy;

use crate::commands::info::file_info::version;
use crate::fs::endpoint::Endpoint;
use crate::report::{terminal, units};

/// Returns a JSON object.
pub fn json(source: &Endpoint, old: &legacy::Summary, file: &[u8]) -> Value {
    let trailing = legacy::trailing_len(file);
    let compressed = file.len() as u64 - trailing;
    json!({
        "file": source.exact(),
        "old_layout": true,
        "delta": old.delta,
        "dtypes": [old.dtype],
        "versions": [version(old.version)],
        "original_bytes": old.decoded_len,
        "lost_bytes": old.lost,
        "compressed_bytes": compressed,
        "ratio": units::ratio(compressed, old.decoded_len),
        "methods": old.methods,
        "trailing_bytes": trailing,
        "frame_count": old.frames,
    })
}

/// Returns lines of text.
pub fn text(source: &Endpoint, old: &legacy::Summary, file: &[u8]) -> String {
    let trailing = legacy::trailing_len(file);
    let compressed = file.len() as u64 - trailing;
    let mut text = format!(
        "{source}: ZipNN {}, an old layout{}\n  {}, {}, {}\n",
        version(old.version),
        if old.delta { ", a difference to a base" } else { "" },
        terminal::lens(old.decoded_len, compressed),
        old.dtype,
        units::count(old.frames, "frame"),
    );
    let _ = writeln!(text, "  stored as {}", old.methods.join(" and "));
    if trailing > 0 {
        let _ = writeln!(text, "  {}", units::trailing(trailing));
    }
    if old.lost > 0 {
        let _ = writeln!(
            text,
            "  not in the file, because its writer left them out: {}",
            units::count(old.lost, "byte")
        );
    }
    text
}
