//! `zipnn diff`.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};
use zipnn::{Options, Profile, delta};

use crate::args::Diff;
use crate::content::any_tensors::{AnyTensors, TensorHead};
use crate::content::numbers::Number;
use crate::fs::endpoint::Endpoint;
use crate::report::failure::{self, Failure};
use crate::report::table::{self, Column};
use crate::report::units;

/// Compares two files, and returns the exit status.
pub fn run(arguments: &Diff) -> u8 {
    failure::status(compare(arguments))
}

fn compare(arguments: &Diff) -> Result<(), Failure> {
    let (old, new) = (Endpoint::new(&arguments.old), Endpoint::new(&arguments.new));
    let rows = compare_tensors(&mut AnyTensors::open(&old)?, &mut AnyTensors::open(&new)?)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.json {
        true => write_json(&mut out, &old, &new, &rows),
        false => write_text(&mut out, &old, &new, &rows, arguments.all),
    }
    .and_then(|()| out.flush())
    .map_err(|error| Failure::writing("-", error))
}

/// A tensor of one file or of both.
struct Row {
    tensor: TensorHead,
    state: State,
}

/// What happened to a tensor.
enum State {
    Added,
    Removed,
    /// It has another type or shape.
    Replaced,
    Equal,
    Changed(Changes),
}

/// The changes of a tensor of the same type and shape.
struct Changes {
    rows: u64,
    all_rows: u64,
    elements: u64,
    /// The largest absolute difference of two elements; `None` for types without simple values.
    largest: Option<f64>,
    /// The length of the compressed difference in bytes.
    stored: u64,
}

/// Compares the tensors of two files by name, in the order of the new file, removed ones last.
fn compare_tensors(old: &mut AnyTensors, new: &mut AnyTensors) -> Result<Vec<Row>, Failure> {
    let heads = old.heads().to_vec();
    let mut missing: BTreeMap<&str, usize> =
        heads.iter().enumerate().map(|(number, head)| (&*head.name, number)).collect();
    let mut rows = Vec::new();
    let (mut old_data, mut new_data) = (Vec::new(), Vec::new());
    for (number, tensor) in new.heads().to_vec().into_iter().enumerate() {
        let state = match missing.remove(&*tensor.name) {
            None => State::Added,
            Some(before) if heads[before] != tensor => State::Replaced,
            Some(before) => {
                old.read(before, &mut old_data)?;
                new.read(number, &mut new_data)?;
                changes(&tensor, &old_data, &new_data)?
            }
        };
        rows.push(Row { tensor, state });
    }
    let removed = missing.into_values().map(|number| heads[number].clone());
    rows.extend(removed.map(|tensor| Row { tensor, state: State::Removed }));
    Ok(rows)
}

/// Compares the data of two tensors of the same type and shape.
fn changes(tensor: &TensorHead, old: &[u8], new: &[u8]) -> Result<State, Failure> {
    if old == new {
        return Ok(State::Equal);
    }
    let number = Number::of(&tensor.dtype);
    let element_len = number.map_or(1, Number::len);
    let all_rows = tensor.shape.first().copied().unwrap_or(1).max(1);
    let row_len = (new.len() as u64 / all_rows).max(1) as usize;
    let rows = old.chunks(row_len).zip(new.chunks(row_len)).filter(|(old, new)| old != new);
    let mut largest = 0_f64;
    let mut elements = 0;
    for (old, new) in old.chunks(element_len).zip(new.chunks(element_len)) {
        if old == new {
            continue;
        }
        elements += 1;
        if let Some(number) = number {
            let change = (number.value(new) - number.value(old)).abs();
            largest = largest.max(if change.is_nan() { f64::INFINITY } else { change });
        }
    }
    let dtype = tensor.dtype.parse().map_or(Options::auto(), Options::new);
    let options = dtype.plain().profile(Profile::Extended);
    let stored = delta::compress(new, old, &options)
        .map_err(|error| Failure::new(&Endpoint::Standard, error))?
        .len() as u64;
    let rows = rows.count() as u64;
    let largest = number.map(|_| largest);
    Ok(State::Changed(Changes { rows, all_rows, elements, largest, stored }))
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::Equal => "equal",
            Self::Changed(_) => "changed",
        }
    }
}

impl Row {
    fn json(&self) -> Value {
        let TensorHead { name, dtype, shape, len } = &self.tensor;
        let mut object = json!({
            "name": name, "dtype": dtype, "shape": shape, "bytes": len, "state": self.state.name(),
        });
        if let State::Changed(changes) = &self.state {
            object["rows"] = changes.all_rows.into();
            object["changed_rows"] = changes.rows.into();
            object["changed_elements"] = changes.elements.into();
            object["change"] = json!(changes.largest.filter(|change| change.is_finite()));
            object["difference_bytes"] = changes.stored.into();
        }
        object
    }

    fn cells(&self) -> [String; 7] {
        let TensorHead { name, dtype, shape, len } = &self.tensor;
        let state = self.state.name().to_owned();
        let [mut rows, mut largest, mut stored] = [const { String::new() }; 3];
        if let State::Changed(changes) = &self.state {
            rows = format!("{} of {} rows", changes.rows, changes.all_rows);
            largest = changes.largest.map_or(String::new(), |largest| format!("by {largest:.2e}"));
            stored = format!("{} ({})", changes.stored, units::percent(changes.stored, *len));
        }
        [name.clone(), dtype.clone(), format!("{shape:?}"), state, rows, largest, stored]
    }
}

/// Sums over all tensors.
#[derive(Default)]
struct Totals {
    equal: u64,
    changed: u64,
    added: u64,
    removed: u64,
    replaced: u64,
    changed_bytes: u64,
    stored: u64,
}

impl Totals {
    fn of(rows: &[Row]) -> Self {
        let mut totals = Self::default();
        for row in rows {
            match &row.state {
                State::Added => totals.added += 1,
                State::Removed => totals.removed += 1,
                State::Replaced => totals.replaced += 1,
                State::Equal => totals.equal += 1,
                State::Changed(changes) => {
                    totals.changed += 1;
                    totals.changed_bytes += row.tensor.len;
                    totals.stored += changes.stored;
                }
            }
        }
        totals
    }
}

fn write_json(
    out: &mut impl Write,
    old: &Endpoint,
    new: &Endpoint,
    rows: &[Row],
) -> io::Result<()> {
    let totals = Totals::of(rows);
    let head = json!({
        "old": old.exact(),
        "new": new.exact(),
        "equal": totals.equal,
        "changed": totals.changed,
        "added": totals.added,
        "removed": totals.removed,
        "replaced": totals.replaced,
        "changed_bytes": totals.changed_bytes,
        "difference_bytes": totals.stored,
    });
    units::write_json(out, &head, &mut [("tensors", &mut rows.iter().map(Row::json))])
}

fn write_text(
    out: &mut impl Write,
    old: &Endpoint,
    new: &Endpoint,
    rows: &[Row],
    all: bool,
) -> io::Result<()> {
    const COLUMNS: [Column; 7] = [
        Column::text(60),
        Column::text(table::TYPE),
        Column::text(table::SHAPE),
        Column::text(8),
        Column::number(),
        Column::number(),
        Column::number(),
    ];
    let totals = Totals::of(rows);
    writeln!(
        out,
        "{old} -> {new}: {} equal, {} changed, {} added, {} removed, {} replaced",
        units::count(totals.equal, "tensor"),
        totals.changed,
        totals.added,
        totals.removed,
        totals.replaced,
    )?;
    let listed = rows.iter().filter(|row| all || !matches!(row.state, State::Equal));
    table::write(out, &COLUMNS, "  ", listed.map(Row::cells))?;
    if totals.changed > 0 {
        writeln!(
            out,
            "  the difference of changed tensors takes {} of {} bytes ({})",
            totals.stored,
            totals.changed_bytes,
            units::percent(totals.stored, totals.changed_bytes),
        )?;
    }
    Ok(())
}
