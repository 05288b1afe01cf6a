//! Examining files that are not compressed by zipnn.

use std::ops::Range;

use zipnn::Limits;
use zipnn::tensor::{Metadata, Oddity};

use crate::commands::doctor::kind;
use crate::commands::doctor::report::Report;
use crate::commands::doctor::rotated::{self, Rotated};
use crate::commands::doctor::shell;
use crate::commands::doctor::similar::{self, Similar};
use crate::commands::doctor::subject::Subject;
use crate::commands::doctor::trial::{self, BetterType, Data, LEVELS, Trial, is_worth_saving};
use crate::content::reasons::{Reasons, TINY};
use crate::content::tensor_source::TensorSource;
use crate::content::{beginning, data_header, layout};
use crate::fs::input::Input;
use crate::fs::names;
use crate::report::failure::Failure;
use crate::report::{table, units};

/// Share of its length to which a file has to shrink for compressing to be worth the time.
const WORTH_COMPRESSING: f64 = 0.98;

/// Maximum number of unusual places in a file that are named.
const MAX_ODDITIES: usize = 4;

impl Data for Input {
    fn read(&mut self, range: &Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let read = self
            .go_to(range.start)
            .and_then(|_| self.read_up_to(range.end - range.start, bytes))
            .map_err(|error| self.failure(error))?;
        match read == range.end - range.start {
            true => Ok(()),
            false => Err(self.failure(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// Reports on a Git LFS pointer.
pub fn pointer(input: &mut Input) -> Result<Report, Failure> {
    let mut bytes = Vec::new();
    input.read_up_to(kind::BEGINNING, &mut bytes).map_err(|error| input.failure(error))?;
    let text = String::from_utf8_lossy(&bytes);
    let size = text.lines().find_map(|line| line.strip_prefix("size ")?.trim().parse().ok());
    let of_len = size.map(|len| format!(" of {}", units::bytes(len))).unwrap_or_default();
    let mut report = Report::new("a Git LFS pointer".to_owned(), bytes.len() as u64);
    report.find(
        "lfs_pointer",
        format!("is a placeholder for a file{of_len} that has not been downloaded"),
    );
    report.suggest(vec!["git lfs pull".to_owned()], "downloads the file itself");
    Ok(report)
}

/// Reports on a file.
pub fn examine(subject: &Subject, mut input: Input) -> Result<Report, Failure> {
    let len = input.len().unwrap_or_default();
    if len == 0 {
        return Ok(empty(subject));
    }
    let layout = layout::read(&mut input).map_err(|error| input.failure(error))?;
    let mut first = Vec::new();
    Data::read(&mut input, &(0..len.min(kind::BEGINNING)), &mut first)?;
    let mut report = Report::new(kind::describe(&first, layout.as_ref(), subject.path()), len);
    find_oddities(&mut report, subject, &mut input, layout.as_ref())?;
    let trial = trial::run(&mut input, len, layout.as_ref(), &subject.shown)?;
    advise(&mut report, &trial, subject);
    report.trial = Some(trial);
    Ok(report)
}

fn empty(subject: &Subject) -> Report {
    let mut report = Report::new("an empty file".to_owned(), 0);
    let has_content = |path| names::is_compressed(path) || names::is_tensors(path);
    match subject.shown.path().is_some_and(has_content) {
        true => {
            report.find("damaged", "is empty, as no file of this extension is");
            report.fetch_again();
        }
        false => report.find("empty", "holds no data, so there is nothing to compress"),
    }
    report
}

/// Finds what is unusual about a file, besides its data.
fn find_oddities(
    report: &mut Report,
    subject: &Subject,
    input: &mut Input,
    layout: Option<&Metadata>,
) -> Result<(), Failure> {
    if report.kind == kind::HTML {
        report.find("web_page", "is a web page: a failed download often leaves one");
    }
    if let Some(path) = subject.path()
        && names::is_compressed(path)
    {
        report.find("not_compressed", "has the name of a compressed file, but is not compressed");
    }
    let is_safetensors = beginning::is_safetensors(&subject.local);
    let Some(layout) = layout else {
        if is_safetensors && let Err(failure) = TensorSource::open_partial(&subject.local) {
            report.find("invalid_header", failure.message());
            report.fetch_again();
        }
        return Ok(());
    };
    let end = data_header::end_of(layout);
    if end > report.len {
        let missing = units::count(end - report.len, "byte");
        report.find("incomplete", format!("is cut off: its last tensor lacks {missing}"));
        report.fetch_again();
    } else if is_safetensors {
        let mut header = Vec::new();
        Data::read(input, &(0..layout.data_start()), &mut header)?;
        if let Ok(metadata) = Metadata::parse(&header, report.len) {
            let mut oddities = metadata.oddities();
            for oddity in oddities.by_ref().take(MAX_ODDITIES) {
                report.find(oddity_name(&oddity), explain_oddity(&oddity));
            }
            match oddities.count() as u64 {
                0 => {}
                more => {
                    report.find("more_oddities", units::count(more, "more place") + " of this kind")
                }
            }
        }
        // The original may have decompressed it.
        if let Ok(mut source) = TensorSource::open(&subject.local, Limits::default())
            && rotated::find(report, &mut source)? == Rotated::Some
        {
            rotated::suggest_repair(report, subject);
        }
    }
    Ok(())
}

fn oddity_name(oddity: &Oddity) -> &'static str {
    match oddity {
        Oddity::ZeroPadding { .. } => "padded_header",
        Oddity::SharedBytes { .. } => "shared_bytes",
        _ => "unused_bytes",
    }
}

fn explain_oddity(oddity: &Oddity) -> String {
    let inside = match oddity {
        Oddity::SharedBytes { .. } => "; it cannot be compressed with --inside-safetensors",
        _ => "",
    };
    format!(
        "{oddity}: the safetensors library refuses such a file; zipnn restores every byte of it\
         {inside}"
    )
}

/// Adds what to do about a file.
fn advise(report: &mut Report, trial: &Trial, subject: &Subject) {
    if report.is_broken {
        return;
    }
    if trial.original < TINY {
        report.find(
            "tiny",
            "is so small that index and checksums take about as much as compressing saves",
        );
        return;
    }
    find_reasons(report, trial);
    if let Some(similar) = subject.path().and_then(similar::find) {
        suggest_difference(report, &similar, trial.original, subject);
    }
    let least = trial.lens.into_iter().min().unwrap_or_default();
    match least as f64 >= WORTH_COMPRESSING * trial.original as f64 {
        true => report.find("nothing_to_gain", "no level saves more than 2 % of it"),
        false => suggest_levels(report, trial, subject),
    }
    let result = subject.compressed();
    if !report.next.is_empty() && result.exists() {
        let result = result.display();
        report.find("result_exists", format!("{result} exists: only --force replaces it"));
    }
}

/// Adds what to do about each type that hardly shrinks.
fn find_reasons(report: &mut Report, trial: &Trial) {
    for of_type in &trial.types {
        let is_large = Reasons::is_worth_naming(of_type.original, trial.original);
        if let Some(reason) = of_type.reasons.first().filter(|_| is_large)
            && let (_, Some(suggestion)) = reason.explanation()
        {
            let name = units::short_name(&of_type.name, table::TYPE);
            report.find(reason.name(), format!("{name}: {suggestion}"));
        }
    }
}

fn suggest_difference(report: &mut Report, similar: &Similar, original: u64, subject: &Subject) {
    let Similar { path, difference_len } = similar;
    let about = units::bytes(*difference_len);
    let ratio = units::percent(*difference_len, original);
    report.find("similar_file", format!("resembles {}", path.display()));
    report.suggest(
        vec![subject.compress(&format!(" --base {}", shell::quoted(path.as_os_str())))],
        format!("as a difference: about {about} ({ratio}); needs {}", path.display()),
    );
}

fn suggest_levels(report: &mut Report, trial: &Trial, subject: &Subject) {
    if let Some(better) = &trial.better_type {
        suggest_type(report, better, subject);
    }
    let [plain, extended, max] = trial.lens;
    let (level, result) = match is_worth_saving(extended, plain) {
        false => (0, "the default: fast, and the original reads the file"),
        true => {
            (1, "smaller than the default, and faster to decompress; the original cannot read it")
        }
    };
    report.suggest(vec![subject.compress(LEVELS[level].0)], result);
    if is_worth_saving(max, trial.lens[level]) {
        report.suggest(
            vec![subject.compress(LEVELS[2].0)],
            "the smallest file, which takes longer; the original cannot read it",
        );
    }
}

fn suggest_type(report: &mut Report, better: &BetterType, subject: &Subject) {
    let dtype = better.choice.name();
    report.find("better_type", "becomes smaller if all data has one type");
    let condition = match better.is_certain {
        true => "",
        false => ", if the rest of the file is like its beginning",
    };
    report.suggest(
        vec![subject.compress(&format!(" --dtype {dtype}"))],
        format!("smaller than with the types that zipnn detects{condition}"),
    );
}
