//! `zipnn repair`.

use std::io::{self, Write};

use zipnn::Limits;
use zipnn::safetensors::{self, Examination, StoredTensor, TensorError, Verdict};

use super::args::Repair;
use super::failure::Failure;
use super::inside::Source;
use super::names::{self, Place};
use super::output::Output;
use super::table::{self, Column};
use super::units;

/// Exit statuses: there is nothing to do any more, or there is.
const DONE: u8 = 0;
const TO_DO: u8 = 1;

/// Examines a file, says what is wrong with it, and mends it if told to.
pub fn run(arguments: &Repair) -> Result<u8, Failure> {
    let place = Place::new(&arguments.file);
    let destination = match &arguments.output {
        Some(output) => Some(Place::new(output)),
        None => arguments.write.then(|| place.clone()),
    };
    check(&place, destination.as_ref(), arguments)?;
    let mut source = Source::open(&place, Limits::default())?;
    let mut found = safetensors::examine(source.reader()).map_err(|error| source.failure(error))?;
    override_verdicts(&mut found, source.reader().tensors(), arguments)
        .map_err(|name| no_such_tensor(&place, name))?;
    let report = Report::new(&mut source, &found);
    if !arguments.quiet {
        report.show(&place, &found, arguments).map_err(|error| Failure::writing("-", error))?;
    }
    let Some(destination) = destination else {
        return Ok(if report.is_damaged() { TO_DO } else { DONE });
    };
    if report.is_damaged() || destination != place {
        write(&mut source, &report, &destination, arguments)?;
    }
    Ok(DONE)
}

fn check(place: &Place, destination: Option<&Place>, arguments: &Repair) -> Result<(), Failure> {
    match (place.path(), destination.and_then(Place::path)) {
        (Some(source), Some(destination))
            if !arguments.write && names::is_same_file(source, destination) =>
        {
            Err(Failure::usage(destination.display(), "would be read and written at once")
                .hint("use --write to replace it, or name another place with --output"))
        }
        (None, _) if arguments.write => {
            Err(Failure::usage(place, "cannot be replaced").hint("name the result with --output"))
        }
        _ if destination == Some(&Place::Standard) && !arguments.quiet => {
            Err(Failure::usage("-", "cannot take both the table and the file").hint("add --quiet"))
        }
        _ => Ok(()),
    }
}

/// Does as the user knows better. On an error, the name that no tensor has about which there could
/// be a question.
fn override_verdicts<'a>(
    found: &mut [Examination],
    tensors: &[StoredTensor],
    arguments: &'a Repair,
) -> Result<(), &'a str> {
    let told = |names: &'a [String], verdict, rotated| {
        names.iter().map(move |name| (&**name, verdict, rotated))
    };
    let rotated = told(&arguments.rotated, Verdict::Rotated, 1.0);
    for (name, verdict, rotated) in rotated.chain(told(&arguments.sound, Verdict::Sound, 0.0)) {
        let one = found.iter_mut().find(|one| tensors[one.tensor].name == name).ok_or(name)?;
        *one = Examination { verdict, rotated, by_neighbours: false, ..*one };
    }
    Ok(())
}

fn no_such_tensor(place: &Place, name: &str) -> Failure {
    Failure::usage(place, format_args!("has no tensor {name:?} that could be rotated"))
        .hint("only bfloat16 and float32 tensors that are not compressed can be; --all lists them")
}

/// What is to be done about a file.
struct Report {
    rotated: Vec<usize>,
    unknown: usize,
    is_list_lost: bool,
    compressed: usize,
    lines: Vec<Line>,
}

/// A line of the table.
struct Line {
    cells: [String; 4],
    is_sound: bool,
}

impl Report {
    fn new(source: &mut Source, found: &[Examination]) -> Self {
        let reader = source.reader();
        let with = |verdict| found.iter().filter(move |one| one.verdict == verdict);
        Self {
            rotated: with(Verdict::Rotated).map(|one| one.tensor).collect(),
            unknown: with(Verdict::Unknown).count(),
            is_list_lost: reader.is_list_lost(),
            compressed: reader.tensors().iter().filter(|tensor| tensor.is_compressed).count(),
            lines: found.iter().map(|one| Line::new(one, &reader.tensors()[one.tensor])).collect(),
        }
    }

    fn is_damaged(&self) -> bool {
        self.is_list_lost || !self.rotated.is_empty()
    }

    fn show(&self, place: &Place, found: &[Examination], arguments: &Repair) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let lines = self.lines.iter().filter(|line| arguments.all || !line.is_sound);
        let lines: Vec<&[String; 4]> = lines.map(|line| &line.cells).collect();
        if !lines.is_empty() {
            let head = ["tensor", "type", "shape", "verdict"].map(str::to_owned);
            write_table(&mut out, std::iter::once(&head).chain(lines))?;
            writeln!(out)?;
        }
        writeln!(
            out,
            "{place}: {} of {} uncompressed bfloat16 and float32 tensors are rotated, {} cannot be told",
            self.rotated.len(),
            found.len(),
            self.unknown
        )?;
        match self.is_list_lost {
            true => writeln!(
                out,
                "{place}: the list of its {} compressed tensors is lost",
                self.compressed
            )?,
            false if self.compressed > 0 => {
                writeln!(
                    out,
                    "{place}: the list of its {} compressed tensors is there",
                    self.compressed
                )?;
            }
            false => {}
        }
        if self.is_damaged() && arguments.output.is_none() && !arguments.write {
            writeln!(
                out,
                "nothing has been changed: name a file for the repaired one with --output, or use --write"
            )?;
        }
        Ok(())
    }
}

impl Line {
    fn new(one: &Examination, tensor: &StoredTensor) -> Self {
        let likelihood = match one.verdict {
            Verdict::Sound => 1.0 - one.rotated,
            _ => one.rotated,
        };
        let certainty = certainty(likelihood);
        let neighbours = if one.by_neighbours { ", going by the others in the file" } else { "" };
        let verdict = match one.verdict {
            Verdict::Rotated => format!("rotated ({certainty}{neighbours})"),
            Verdict::Sound => format!("sound ({certainty}{neighbours})"),
            Verdict::Unknown => format!("cannot tell (rotated: {certainty}{neighbours})"),
        };
        let cell = |text: &str, most| units::clip(&units::name(text), most).into_owned();
        let cells = [
            cell(&tensor.name, table::NAME),
            cell(&tensor.dtype, table::TYPE),
            cell(&format!("{:?}", tensor.shape), table::SHAPE),
            verdict,
        ];
        Self { cells, is_sound: one.verdict == Verdict::Sound }
    }
}

/// How sure a verdict is. What weights look like is known only so well, whatever the numbers are.
fn certainty(probability: f64) -> String {
    match probability {
        0.9999.. => "over 99.99 %".to_owned(),
        // Rounded down: no more than it is.
        _ => format!("{:.2} %", (probability * 1e4).floor() / 100.0),
    }
}

fn write_table<'a>(
    out: &mut impl Write,
    lines: impl Iterator<Item = &'a [String; 4]> + Clone,
) -> io::Result<()> {
    const COLUMNS: [Column; 4] = [
        Column::text(table::NAME),
        Column::text(table::TYPE),
        Column::text(table::SHAPE),
        Column::text(table::NAME),
    ];
    let mut out = io::BufWriter::new(out);
    table::write(&mut out, &COLUMNS, "", lines.cloned())?;
    out.flush()
}

fn write(
    source: &mut Source,
    report: &Report,
    destination: &Place,
    arguments: &Repair,
) -> Result<(), Failure> {
    let mut output = Output::create(destination, arguments.force || arguments.write)?;
    let place = source.place().clone();
    let metadata = source.metadata().cloned();
    output.fill(|file| {
        safetensors::repair(source.reader(), &report.rotated, file).map_err(|error| match error {
            TensorError::Io(error) => Failure::writing(destination, error),
            error => Failure::new(&place, error),
        })
    })?;
    output.finish(metadata.as_ref())
}
