//! Describing tensors.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::report::{table, units};

/// Maximum number of tensors that are listed in text.
const LISTED: usize = 16;

/// A tensor, compressed inside a safetensors file or in a `.znn` file.
pub struct TensorRow<'t> {
    pub name: &'t str,
    /// The type, as the file names it.
    pub dtype: &'t str,
    pub shape: &'t [u64],
    pub original: u64,
    pub compressed: u64,
}

impl TensorRow<'_> {
    /// Returns a JSON object, to which the caller adds more entries.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "dtype": self.dtype,
            "shape": self.shape,
            "original_bytes": self.original,
            "compressed_bytes": self.compressed,
            "ratio": units::ratio(self.compressed, self.original),
        })
    }

    /// Returns a line of text that ends with `more`.
    fn line(&self, more: &str) -> String {
        format!(
            "  tensor {}: {}, {}, {} -> {} bytes ({}), {more}",
            units::short_name(self.name, units::NAME),
            units::short_name(self.dtype, table::TYPE),
            units::short_name(&format!("{:?}", self.shape), table::SHAPE),
            self.original,
            self.compressed,
            units::percent(self.compressed, self.original),
        )
    }
}

/// Writes lines about the first tensors, each ending with text from `describe`, and a line with the
/// number of the others.
pub fn write_lines<'t, T>(
    out: &mut impl Write,
    tensors: &'t [T],
    describe: impl Fn(&'t T) -> (TensorRow<'t>, String),
) -> io::Result<()> {
    for (info, more) in tensors.iter().take(LISTED).map(describe) {
        writeln!(out, "{}", info.line(&more))?;
    }
    match tensors.len().saturating_sub(LISTED) as u64 {
        0 => Ok(()),
        more => writeln!(out, "  and {}, which --json lists", units::count(more, "more tensor")),
    }
}
