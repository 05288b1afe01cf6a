//! `zipnn ls`.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::{Value, json};

use super::args::Ls;
use super::failure::{Failure, say};
use super::names::Place;
use super::tensors::{Listed, Tensors};
use super::units;

/// Lists the tensors of one of the files.
pub fn run(source: &Place, arguments: &Ls) -> Result<(), Failure> {
    let mut tensors = Tensors::open(source, arguments.delta.as_deref())?;
    let listed = tensors.list()?;
    if let Some(warning) = tensors.warning() {
        say(warning);
    }
    let text = if arguments.json {
        format!("{}\n", file_json(source, &listed))
    } else {
        table(source, &listed)
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::writing("-", error))
}

fn file_json(source: &Place, tensors: &[Listed]) -> Value {
    json!({
        "file": source.to_string(),
        "complete": tensors.iter().all(|tensor| tensor.is_complete),
        "tensors": tensors.iter().map(tensor_json).collect::<Vec<_>>(),
    })
}

fn tensor_json(tensor: &Listed) -> Value {
    json!({
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "bytes": tensor.len,
        "compressed_bytes": tensor.stored_len,
        "ratio": units::ratio(tensor.stored_len, tensor.len),
        "complete": tensor.is_complete,
    })
}

/// The tensors in columns, numbers to the right.
fn table(source: &Place, tensors: &[Listed]) -> String {
    let row = |tensor: &Listed| {
        [
            units::name(&tensor.name),
            units::name(&tensor.dtype),
            format!("{:?}", tensor.shape),
            tensor.len.to_string(),
            tensor.stored_len.to_string(),
            match tensor.is_complete {
                true => units::percent(tensor.stored_len, tensor.len),
                false => "incomplete".to_owned(),
            },
        ]
    };
    let mut rows = vec![["tensor", "type", "shape", "bytes", "compressed", ""].map(String::from)];
    rows.extend(tensors.iter().map(row));
    let sum = |of: fn(&Listed) -> u64| tensors.iter().map(of).sum::<u64>();
    let (len, stored_len) = (sum(|tensor| tensor.len), sum(|tensor| tensor.stored_len));
    let count = format!("{} tensors", tensors.len());
    let total = [len.to_string(), stored_len.to_string(), units::percent(stored_len, len)];
    let [len, stored_len, percent] = total;
    rows.push([count, String::new(), String::new(), len, stored_len, percent]);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 6] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut text = format!("{source}\n");
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = match column {
                0..=2 => write!(line, "  {cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
