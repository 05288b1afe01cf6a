//! Writes JSON objects.

use std::io::{self, Write};

use serde::Serialize;

/// Writes an object with `members`.
pub(crate) fn write_object<'a, V: Serialize>(
    out: &mut dyn Write,
    members: impl Iterator<Item = (&'a str, V)>,
) -> io::Result<()> {
    let mut separator: &[u8] = b"{";
    for (name, value) in members {
        out.write_all(separator)?;
        write_member(out, name, &value)?;
        separator = b",";
    }
    out.write_all(if separator == b"{" { b"{}" } else { b"}" })
}

/// Writes one member of an object.
pub(crate) fn write_member(
    out: &mut dyn Write,
    name: &str,
    value: &impl Serialize,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, name)?;
    out.write_all(b":")?;
    Ok(serde_json::to_writer(out, value)?)
}
