//! `zipnn ls`.

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};

use crate::args::Ls;
use crate::base::origin::Origin;
use crate::content::tensor_entry::TensorEntry;
use crate::content::tensors::Tensors;
use crate::fs::endpoint::Endpoint;
use crate::fs::selection::Purpose;
use crate::job::check;
use crate::job::read_only::ReadOnly;
use crate::report::failure::{self, Failure, say};
use crate::report::table::{self, Column};
use crate::report::units;

/// Lists the tensors of all files, and returns the exit status.
pub fn run(arguments: &Ls) -> u8 {
    if let Err(failure) = check::check_base(&arguments.files, arguments.delta.as_deref()) {
        return failure.report();
    }
    let participle = (!arguments.json).then_some("listed");
    ReadOnly { purpose: Purpose::ReadTensors, search: &arguments.search, participle }
        .for_each(&arguments.files, |source| failure::status(list_file(source, arguments)))
}

fn list_file(source: &Endpoint, arguments: &Ls) -> Result<(), Failure> {
    let mut tensors =
        Tensors::open(source, arguments.search_bases.with(arguments.delta.as_deref()))?;
    let listed = tensors.list()?;
    if let Some(warning) = tensors.warning() {
        say(warning);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.json {
        true => write_json(&mut out, source, &listed),
        false => write_table(&mut out, source, &listed),
    }
    .and_then(|()| out.flush())
    .map_err(|error| Failure::writing("-", error))
}

fn write_json(out: &mut impl Write, source: &Endpoint, tensors: &[TensorEntry]) -> io::Result<()> {
    let is_complete = tensors.iter().all(|tensor| tensor.is_complete);
    let head = json!({ "file": source.exact(), "complete": is_complete });
    units::write_json(out, &head, &mut [("tensors", &mut tensors.iter().map(tensor_json))])
}

fn tensor_json(tensor: &TensorEntry) -> Value {
    json!({
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "bytes": tensor.len,
        "compressed_bytes": tensor.stored_len,
        "ratio": units::ratio(tensor.stored_len, tensor.len),
        "complete": tensor.is_complete,
        "base": tensor.origin.as_ref().map(Origin::json),
    })
}

/// Writes a table of the tensors with their totals.
fn write_table(out: &mut impl Write, source: &Endpoint, tensors: &[TensorEntry]) -> io::Result<()> {
    const COLUMNS: [Column; 7] = [
        Column::text(units::NAME),
        Column::text(table::TYPE),
        Column::text(table::SHAPE),
        Column::number(),
        Column::number(),
        Column::number(),
        Column::text(units::NAME),
    ];
    let base = if tensors.iter().any(|tensor| tensor.origin.is_some()) { "base" } else { "" };
    let head = ["tensor", "type", "shape", "bytes", "compressed", "", base].map(String::from);
    let row = |tensor: &TensorEntry| {
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
            tensor.origin.as_ref().map(Origin::to_string).unwrap_or_default(),
        ]
    };
    let sum = |of: fn(&TensorEntry) -> u64| {
        tensors.iter().map(of).fold(0_u64, |sum, len| sum.saturating_add(len))
    };
    let (len, stored_len) = (sum(|tensor| tensor.len), sum(|tensor| tensor.stored_len));
    let total = [
        units::count(tensors.len() as u64, "tensor"),
        String::new(),
        String::new(),
        len.to_string(),
        stored_len.to_string(),
        units::percent(stored_len, len),
        String::new(),
    ];
    writeln!(out, "{source}")?;
    let rows = std::iter::once(head).chain(tensors.iter().map(row)).chain([total]);
    table::write(out, &COLUMNS, "  ", rows)
}
