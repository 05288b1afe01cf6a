//! `zipnn repair`.

use std::io::{self, StdoutLock, Write};

use zipnn::Limits;
use zipnn::tensor::Oddity;
use zipnn::tensor::inside::{StoredTensor, TensorError};

use crate::args::Repair;
use crate::content::tensor_source::{self, TensorSource};
use crate::fs::endpoint::Endpoint;
use crate::fs::output::Output;
use crate::fs::snapshot::Snapshot;
use crate::fs::target::{self, Target};
use crate::job::commit;
use crate::repair::diagnosis::Verdict;
use crate::repair::examination::{Examination, examine};
use crate::repair::rewrite::rewrite;
use crate::report::failure::Failure;
use crate::report::table::{self, Column};
use crate::report::units;

/// Exit statuses: the file is sound or was repaired, or it needs repair.
const SOUND: u8 = 0;
const NEEDS_REPAIR: u8 = 1;

/// Examines a file, reports damage, and repairs it with `--write` or `--output`. Returns the exit
/// status.
pub fn run(arguments: &Repair) -> u8 {
    examine_file(arguments).unwrap_or_else(|failure| failure.report())
}

fn examine_file(arguments: &Repair) -> Result<u8, Failure> {
    let endpoint = Endpoint::new(&arguments.file);
    let destination = match &arguments.output {
        Some(output) => Some(Endpoint::new(output)),
        None => arguments.write.then(|| endpoint.clone()),
    };
    check(&endpoint, destination.as_ref(), arguments)?;
    let mut source = TensorSource::open(&endpoint, Limits::default())?;
    let mut found = examine(&mut source.reader).map_err(|error| source.failure(error))?;
    override_verdicts(&mut found, source.reader.tensors(), arguments)
        .map_err(|name| no_such_tensor(&endpoint, name))?;
    let report = Findings::new(&mut source, &found);
    let show = |text: &dyn Fn(&mut StdoutLock) -> io::Result<()>| match arguments.quiet {
        true => Ok(()),
        false => text(&mut io::stdout().lock()).map_err(|error| Failure::writing("-", error)),
    };
    show(&|out| report.show_table(out, arguments.all))?;
    let Some(destination) = destination else {
        show(&|out| report.show_findings(out, &endpoint))?;
        return Ok(if report.is_damaged() { NEEDS_REPAIR } else { SOUND });
    };
    if report.is_damaged() || destination != endpoint {
        write(source, &report, &destination, arguments)?;
    }
    show(&|out| report.show_repairs(out, &endpoint))?;
    Ok(SOUND)
}

fn check(
    endpoint: &Endpoint,
    destination: Option<&Endpoint>,
    arguments: &Repair,
) -> Result<(), Failure> {
    match destination {
        Some(destination) if !arguments.write && target::is_source(endpoint, destination) => {
            Err(commit::would_be_read_and_written(destination)
                .hint("use --write to replace it, or name another file with --output"))
        }
        _ if arguments.write
            && matches!(Target::of(endpoint), Ok(Target::Standard | Target::Stream(_))) =>
        {
            Err(Failure::usage(endpoint, "cannot be replaced")
                .hint("name the result with --output"))
        }
        Some(destination)
            if !arguments.quiet && matches!(Target::of(destination), Ok(Target::Standard)) =>
        {
            Err(Failure::usage(destination, "cannot take both the table and the file")
                .hint("add --quiet, or name a file with --output"))
        }
        _ => Ok(()),
    }
}

/// Applies `--rotated` and `--sound`. Returns a name as an error if no examined tensor has it.
fn override_verdicts<'a>(
    found: &mut [Examination],
    tensors: &[StoredTensor],
    arguments: &'a Repair,
) -> Result<(), &'a str> {
    let given = |names: &'a [String], verdict, rotated| {
        names.iter().map(move |name| (&**name, verdict, rotated))
    };
    let rotated = given(&arguments.rotated, Verdict::Rotated, 1.0);
    for (name, verdict, rotated) in rotated.chain(given(&arguments.sound, Verdict::Sound, 0.0)) {
        let one = found.iter_mut().find(|one| tensors[one.tensor].name == name).ok_or(name)?;
        *one = Examination { verdict, rotated, by_neighbours: false, ..*one };
    }
    Ok(())
}

fn no_such_tensor(endpoint: &Endpoint, name: &str) -> Failure {
    Failure::usage(endpoint, format_args!("has no tensor {name:?} that may be rotated"))
        .hint("name an uncompressed bfloat16 or float32 tensor: --all lists them")
}

/// What is wrong with a file.
struct Findings {
    rotated: Vec<usize>,
    judged: usize,
    unknown: usize,
    is_list_lost: bool,
    /// Why the metadata belong to another file; `None` if they do not.
    stale: Option<String>,
    compressed: usize,
    /// Properties that the reference library does not accept.
    oddities: Vec<Oddity>,
    lines: Vec<Line>,
}

/// A line of the table.
struct Line {
    cells: [String; 4],
    is_sound: bool,
}

impl Findings {
    /// Maximum number of oddities to list.
    const MAX_ODDITIES: usize = 5;

    fn new(source: &mut TensorSource, found: &[Examination]) -> Self {
        let reader = &mut source.reader;
        let with = |verdict| found.iter().filter(move |one| one.verdict == verdict);
        let stale = reader.has_foreign_metadata().then(|| match reader.list_problem() {
            Some(problem) => problem.to_string(),
            None => "the stored header of its source is stale: it belongs to other tensors".into(),
        });
        Self {
            rotated: with(Verdict::Rotated).map(|one| one.tensor).collect(),
            judged: found.len(),
            unknown: with(Verdict::Unknown).count(),
            is_list_lost: reader.is_list_lost(),
            stale,
            compressed: reader.tensors().iter().filter(|tensor| tensor.is_compressed).count(),
            oddities: reader.metadata().oddities().take(Self::MAX_ODDITIES + 1).collect(),
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

    /// Prints what is wrong with a file that stays unchanged.
    fn show_findings(&self, out: &mut impl Write, endpoint: &Endpoint) -> io::Result<()> {
        self.show_oddities(out, endpoint)?;
        self.show_count(out, endpoint, "are rotated")?;
        if self.is_list_lost {
            writeln!(out, "{endpoint}: the list of its {} is missing", self.compressed_tensors())?;
        } else if let Some(stale) = &self.stale {
            writeln!(out, "{endpoint}: {stale}")?;
        } else if self.compressed > 0 {
            writeln!(out, "{endpoint}: the list of its {} is complete", self.compressed_tensors())?;
        }
        if self.is_damaged() {
            writeln!(
                out,
                "nothing was changed: use --output to write a repaired file, or --write to replace this one"
            )?;
        }
        Ok(())
    }

    /// Prints what was repaired.
    fn show_repairs(&self, out: &mut impl Write, endpoint: &Endpoint) -> io::Result<()> {
        self.show_oddities(out, endpoint)?;
        if self.stale.is_some() {
            writeln!(out, "{endpoint}: stale metadata removed")?;
        }
        if self.compressed > 0 && (self.is_list_lost || self.stale.is_some()) {
            writeln!(out, "{endpoint}: list of {} written", self.compressed_tensors())?;
        }
        self.show_count(out, endpoint, "repaired")
    }

    fn show_count(&self, out: &mut impl Write, endpoint: &Endpoint, what: &str) -> io::Result<()> {
        writeln!(
            out,
            "{endpoint}: {} of {} uncompressed bfloat16 and float32 tensors {what}, {} unclear",
            self.rotated.len(),
            self.judged,
            self.unknown
        )
    }

    fn show_oddities(&self, out: &mut impl Write, endpoint: &Endpoint) -> io::Result<()> {
        if self.oddities.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "{endpoint}: some programs do not read this file, which `repair` does not change:"
        )?;
        for oddity in self.oddities.iter().take(Self::MAX_ODDITIES) {
            writeln!(out, "  {oddity}")?;
        }
        if self.oddities.len() > Self::MAX_ODDITIES {
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
        let neighbours = if one.by_neighbours { ", by the other tensors in the file" } else { "" };
        let verdict = match one.verdict {
            Verdict::Rotated => format!("rotated ({certainty}{neighbours})"),
            Verdict::Sound => format!("sound ({certainty}{neighbours})"),
            Verdict::Unknown => format!("unclear (rotated: {certainty}{neighbours})"),
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

/// Formats the certainty of a verdict. The model of weights is not precise enough for more digits.
fn certainty(probability: f64) -> String {
    match probability {
        0.9999.. => "over 99.99 %".to_owned(),
        // Rounded down, so as not to overstate it.
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
    source: TensorSource,
    findings: &Findings,
    destination: &Endpoint,
    arguments: &Repair,
) -> Result<(), Failure> {
    let mut output = Output::create(destination, arguments.force || arguments.write)?;
    let endpoint = source.endpoint().clone();
    let metadata = source.metadata().cloned();
    // Rewriting closes the source: Windows does not replace an open file.
    output.fill(|file| {
        rewrite(source.reader, &findings.rotated, file).map_err(|error| match error {
            TensorError::Io(error) => Failure::writing(destination, error),
            TensorError::NotAFrame { .. } => Failure::new(&endpoint, error)
                .hint("the tensor is damaged: fetch or copy the file once more"),
            error => tensor_source::failure(&endpoint, error),
        })
    })?;
    Snapshot::new(&endpoint, metadata.as_ref()).iter().try_for_each(Snapshot::check)?;
    output.finish(metadata.as_ref())
}
