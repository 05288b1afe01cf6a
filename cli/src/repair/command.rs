//! `zipnn repair`.

use std::io::{self, StdoutLock, Write};

use zipnn::tensor::inside::{StoredTensor, TensorError};
use zipnn::tensor::safetensors::Oddity;
use zipnn::tensor::{Examination, Verdict};
use zipnn::{Limits, tensor};

use crate::args::Repair;
use crate::content::tensor_source::Source;
use crate::fs::endpoint::Place;
use crate::fs::output::Output;
use crate::fs::snapshot::Snapshot;
use crate::fs::target::{self, Target};
use crate::job::commit;
use crate::report::failure::Failure;
use crate::report::table::{self, Column};
use crate::report::units;

/// Exit statuses: there is nothing to do any more, or there is.
const DONE: u8 = 0;
const TO_DO: u8 = 1;

/// Examines a file, reports damage, and repairs it with `--write` or `--output`.
pub fn run(arguments: &Repair) -> Result<u8, Failure> {
    let place = Place::new(&arguments.file);
    let destination = match &arguments.output {
        Some(output) => Some(Place::new(output)),
        None => arguments.write.then(|| place.clone()),
    };
    check(&place, destination.as_ref(), arguments)?;
    let mut source = Source::open(&place, Limits::default())?;
    let mut found = tensor::examine(&mut source.reader).map_err(|error| source.failure(error))?;
    override_verdicts(&mut found, source.reader.tensors(), arguments)
        .map_err(|name| no_such_tensor(&place, name))?;
    let report = Report::new(&mut source, &found);
    let show = |text: &dyn Fn(&mut StdoutLock) -> io::Result<()>| match arguments.quiet {
        true => Ok(()),
        false => text(&mut io::stdout().lock()).map_err(|error| Failure::writing("-", error)),
    };
    show(&|out| report.show_table(out, arguments.all))?;
    let Some(destination) = destination else {
        show(&|out| report.show_findings(out, &place))?;
        return Ok(if report.is_damaged() { TO_DO } else { DONE });
    };
    if report.is_damaged() || destination != place {
        write(source, &report, &destination, arguments)?;
    }
    show(&|out| report.show_repairs(out, &place))?;
    Ok(DONE)
}

fn check(place: &Place, destination: Option<&Place>, arguments: &Repair) -> Result<(), Failure> {
    match destination {
        Some(destination) if !arguments.write && target::is_source(place, destination) => {
            Err(commit::would_be_read_and_written(destination)
                .hint("use --write to replace it, or name another place with --output"))
        }
        _ if arguments.write
            && matches!(Target::of(place), Ok(Target::Standard | Target::Stream(_))) =>
        {
            Err(Failure::usage(place, "cannot be replaced").hint("name the result with --output"))
        }
        Some(destination)
            if !arguments.quiet && matches!(Target::of(destination), Ok(Target::Standard)) =>
        {
            Err(Failure::usage(destination, "cannot take both the table and the file")
                .hint("add --quiet"))
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
    judged: usize,
    unknown: usize,
    is_list_lost: bool,
    /// Why the metadata belong to another file, if they do.
    stale: Option<String>,
    compressed: usize,
    /// What the reference library does not accept.
    oddities: Vec<Oddity>,
    lines: Vec<Line>,
}

/// A line of the table.
struct Line {
    cells: [String; 4],
    is_sound: bool,
}

impl Report {
    /// Most oddities that are listed.
    const MOST_ODDITIES: usize = 5;

    fn new(source: &mut Source, found: &[Examination]) -> Self {
        let reader = &mut source.reader;
        let with = |verdict| found.iter().filter(move |one| one.verdict == verdict);
        let stale = reader.has_foreign_metadata().then(|| match reader.list_problem() {
            Some(problem) => problem.to_string(),
            None => "the header of its source is stale: it does not belong to these tensors".into(),
        });
        Self {
            rotated: with(Verdict::Rotated).map(|one| one.tensor).collect(),
            judged: found.len(),
            unknown: with(Verdict::Unknown).count(),
            is_list_lost: reader.is_list_lost(),
            stale,
            compressed: reader.tensors().iter().filter(|tensor| tensor.is_compressed).count(),
            oddities: reader.metadata().oddities().take(Self::MOST_ODDITIES + 1).collect(),
            lines: found.iter().map(|one| Line::new(one, &reader.tensors()[one.tensor])).collect(),
        }
    }

    fn compressed_tensors(&self) -> String {
        units::count(self.compressed as u64, "compressed tensor")
    }

    fn is_damaged(&self) -> bool {
        self.is_list_lost || self.stale.is_some() || !self.rotated.is_empty()
    }

    fn show_table(&self, out: &mut impl Write, all: bool) -> io::Result<()> {
        let lines = self.lines.iter().filter(|line| all || !line.is_sound);
        let lines: Vec<&[String; 4]> = lines.map(|line| &line.cells).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let head = ["tensor", "type", "shape", "verdict"].map(str::to_owned);
        write_table(out, std::iter::once(&head).chain(lines))?;
        writeln!(out)
    }

    /// Shows what was found in a file that stays as it is.
    fn show_findings(&self, out: &mut impl Write, place: &Place) -> io::Result<()> {
        self.show_oddities(out, place)?;
        self.show_count(out, place, "are rotated")?;
        if self.is_list_lost {
            writeln!(out, "{place}: the list of its {} is lost", self.compressed_tensors())?;
        } else if let Some(stale) = &self.stale {
            writeln!(out, "{place}: {stale}")?;
        } else if self.compressed > 0 {
            writeln!(out, "{place}: the list of its {} is complete", self.compressed_tensors())?;
        }
        if self.is_damaged() {
            writeln!(
                out,
                "nothing has been changed: name a file for the repaired one with --output, or use --write"
            )?;
        }
        Ok(())
    }

    /// Shows what was repaired.
    fn show_repairs(&self, out: &mut impl Write, place: &Place) -> io::Result<()> {
        self.show_oddities(out, place)?;
        if self.stale.is_some() {
            writeln!(out, "{place}: stale metadata dropped")?;
        }
        if self.compressed > 0 && (self.is_list_lost || self.stale.is_some()) {
            writeln!(out, "{place}: list of {} written", self.compressed_tensors())?;
        }
        self.show_count(out, place, "repaired")
    }

    fn show_count(&self, out: &mut impl Write, place: &Place, what: &str) -> io::Result<()> {
        writeln!(
            out,
            "{place}: {} of {} uncompressed bfloat16 and float32 tensors {what}, {} unclear",
            self.rotated.len(),
            self.judged,
            self.unknown
        )
    }

    fn show_oddities(&self, out: &mut impl Write, place: &Place) -> io::Result<()> {
        if self.oddities.is_empty() {
            return Ok(());
        }
        writeln!(out, "{place}: not all programs read this file, and `repair` leaves it so:")?;
        for oddity in self.oddities.iter().take(Self::MOST_ODDITIES) {
            writeln!(out, "  {oddity}")?;
        }
        if self.oddities.len() > Self::MOST_ODDITIES {
            writeln!(out, "  and more")?;
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
        let cells = [
            units::short_name(&tensor.name, units::NAME),
            units::short_name(&tensor.dtype, table::TYPE),
            units::short_name(&format!("{:?}", tensor.shape), table::SHAPE),
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
        Column::text(units::NAME),
        Column::text(table::TYPE),
        Column::text(table::SHAPE),
        Column::text(units::NAME),
    ];
    let mut out = io::BufWriter::new(out);
    table::write(&mut out, &COLUMNS, "", lines.cloned())?;
    out.flush()
}

fn write(
    mut source: Source,
    report: &Report,
    destination: &Place,
    arguments: &Repair,
) -> Result<(), Failure> {
    let mut output = Output::create(destination, arguments.force || arguments.write)?;
    let place = source.place().clone();
    let metadata = source.metadata().cloned();
    output.fill(|file| {
        tensor::repair(&mut source.reader, &report.rotated, file).map_err(|error| match error {
            TensorError::Io(error) => Failure::writing(destination, error),
            TensorError::NotAFrame { .. } => Failure::new(&place, error)
                .hint("the tensor is damaged: fetch or copy the file once more"),
            error => source.failure(error),
        })
    })?;
    // Windows does not replace a file that is open.
    drop(source);
    Snapshot::new(&place, metadata.as_ref()).iter().try_for_each(Snapshot::check)?;
    output.finish(metadata.as_ref())
}
