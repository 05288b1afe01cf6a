//! What `zipnn info` says of a tensor.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::report::{table, units};

/// Tensors that are listed one by one for people.
const LISTED: usize = 16;

/// Describes a tensor, compressed inside a safetensors file or in a `.znn` file.
pub struct TensorRow<'t> {
    pub name: &'t str,
    /// As the file calls it.
    pub dtype: &'t str,
    pub shape: &'t [u64],
    pub original: u64,
    pub compressed: u64,
}

impl TensorRow<'_> {
    /// Returns an entry of a list for programs; the caller adds what only its form has.
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

    /// Returns a line for people that ends with `more`.
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

/// Writes lines about the first tensors, each with what `describe` adds, and how many more there
/// are.
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
