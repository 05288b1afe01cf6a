//! Examining files that zipnn or the original has compressed.

use std::ops::Range;

use zipnn::delta::Delta;
use zipnn::tensor::Metadata;
use zipnn::{Limits, legacy};

use crate::base::content::Bases;
use crate::commands::doctor::report::Report;
use crate::commands::doctor::rotated::{self, Rotated};
use crate::commands::doctor::subject::Subject;
use crate::commands::doctor::trial::{self, Data, LEVELS, is_worth_saving};
use crate::commands::info::file_info::{FileInfo, version};
use crate::content::data_header;
use crate::content::inside_view::InsideView;
use crate::content::tensor_source::TensorSource;
use crate::content::tensors::{AnyArchive, failure_or_base, open_archive};
use crate::content::types;
use crate::fs::input::Input;
use crate::job::frames::Opened;
use crate::report::failure::Failure;
use crate::report::units;

/// A file that is compressed as a whole.
struct WholeData<'s> {
    archive: Box<dyn AnyArchive>,
    subject: &'s Subject,
}

impl Data for WholeData<'_> {
    fn read(&mut self, range: &Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        bytes.resize((range.end - range.start) as usize, 0);
        let read = self.archive.read_into(range.start, bytes);
        read.map_err(|error| failure_or_base(&self.subject.local, Bases::default(), error))
    }
}

/// A file with compressed tensors.
struct InsideData {
    view: InsideView,
    layout: Metadata,
}

impl Data for InsideData {
    fn read(&mut self, range: &Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        bytes.resize((range.end - range.start) as usize, 0);
        self.view.read_into(range.start, bytes)
    }

    fn can_read(&self, range: &Range<u64>) -> bool {
        types::tensor_at(self.layout.tensors(), range.start)
            .is_some_and(|tensor| range.end <= tensor.range.end)
    }
}

/// Reports on a file that is compressed as a whole.
pub fn whole(subject: &Subject) -> Result<Report, Failure> {
    let input = Input::open(&subject.local)?;
    let len = input.len().unwrap_or_default();
    let frames = match Opened::new(input, Limits::default()) {
        Ok(Opened::Frames(frames)) => frames,
        Ok(Opened::Whole(file)) => return old(subject, &file),
        Err(failure) => return Ok(unreadable(&failure, len)),
    };
    let mut info = FileInfo::read(*frames, &subject.local)?;
    let mut report = Report::new(kind_of(&info), len);
    report.original = Some(info.original());
    if let Some(failure) = info.failure.take() {
        damaged(&mut report, &failure, subject);
        return Ok(report);
    }
    find_in_whole(&mut report, &info);
    if info.original() == 0 {
        report.find("empty", "holds no data");
        return Ok(report);
    }
    if info.first.delta != Delta::None && info.bases.is_empty() {
        report.find(
            "difference",
            "is a difference to another file, but does not name it: every command needs --delta BASE",
        );
        return Ok(report);
    }
    if !info.bases.is_empty() && subject.path().is_none() {
        report.find("pipe", "is not compared with its base, as a pipe has no directory");
        return Ok(report);
    }
    let archive = match open_archive(&subject.local, Bases::default()) {
        Ok(archive) => archive,
        Err(failure) => {
            without_base(&mut report, &failure, subject);
            return Ok(report);
        }
    };
    let layout = archive.layout().ok().cloned();
    let mut data = WholeData { archive, subject };
    match trial::run(&mut data, info.original(), layout.as_ref(), &subject.shown) {
        Ok(trial) => {
            advise_whole(&mut report, &trial.lens, &info, subject);
            report.trial = Some(trial);
        }
        Err(failure) => without_base(&mut report, &failure, subject),
    }
    Ok(report)
}

/// Reports on a file of whose data nothing can be recovered.
fn unreadable(failure: &Failure, len: u64) -> Report {
    let mut report = Report::new("a damaged .znn file".to_owned(), len);
    report.find("damaged", format!("is damaged or incomplete: {}", failure.message()));
    report.fetch_again();
    report
}

fn kind_of(info: &FileInfo) -> String {
    let with = match (level_of(info), info.has_checksums) {
        (0, false) => "written by the original ZipNN, or with --plain".to_owned(),
        (0, true) => "compressed with the default level".to_owned(),
        (1, _) => "compressed with --extended or --max".to_owned(),
        (level, _) => format!("compressed with{}", LEVELS[level].0),
    };
    let tensors = match info.tensors().len() as u64 {
        0 => String::new(),
        count => format!(" with {}", units::count(count, "tensor")),
    };
    format!("a .znn file{tensors}, {with}")
}

/// Returns the level with which a file was compressed.
fn level_of(info: &FileInfo) -> usize {
    match (info.methods.scales > 0, info.is_extended) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// Adds what the headers of a file show.
fn find_in_whole(report: &mut Report, info: &FileInfo) {
    if !info.has_checksums && info.original() > 0 {
        report.find(
            "no_checksums",
            "has no checksums, so damage to it may go unnoticed; the original and --plain write none",
        );
    }
    if info.has_checksums && info.is_sealed == Some(false) {
        report.find("unsealed", "has no index at its end, so missing frames may go unnoticed");
    }
    if info.trailing > 0 {
        report.find("trailing_bytes", units::trailing(info.trailing));
    }
    for base in &info.bases {
        report.find(
            "difference",
            format!(
                "is a difference to {}, which must be kept; `zipnn flatten` makes it independent",
                units::name(&base.path)
            ),
        );
    }
}

/// Adds what to do about a sound file.
fn advise_whole(
    report: &mut Report,
    lens: &[u64; LEVELS.len()],
    info: &FileInfo,
    subject: &Subject,
) {
    let (current, level) = (report.len, level_of(info));
    if info.first.delta != Delta::None {
        let alone = units::bytes(lens[0]);
        report.find("difference_gain", format!("compressed alone, it would take about {alone}"));
        return;
    }
    if level == 0 && is_worth_saving(lens[0], current) {
        report.find(
            "worse_layout",
            format!(
                "has a layout that compresses less than the current default, which takes about {}",
                units::bytes(lens[0])
            ),
        );
    }
    let mut least = current;
    for (level, &(option, _)) in LEVELS.iter().enumerate().skip(level) {
        if !is_worth_saving(lens[level], least) {
            continue;
        }
        least = lens[level];
        let cost = match level {
            0 => "",
            1 => "; the original cannot read it",
            _ => "; compressing and decompressing take longer, and the original cannot read it",
        };
        let about = units::bytes(lens[level]);
        report.suggest(
            subject.compress_again(option),
            format!("about {about} instead of {}{cost}", units::bytes(current)),
        );
    }
    if !info.has_checksums && report.next.is_empty() {
        report.suggest(subject.compress_again(""), "adds checksums and an index");
    }
}

/// Adds the damage of a file, and what can be done.
fn damaged(report: &mut Report, failure: &Failure, subject: &Subject) {
    report.is_broken = true;
    report.find("damaged", format!("is damaged or incomplete: {}", failure.message()));
    report.suggest(
        vec![subject.decompress(" --no-verify")],
        "recovers the intact parts, if you cannot fetch or copy the file once more",
    );
}

/// Adds that the base of a difference is missing or was changed, or that the file is damaged.
fn without_base(report: &mut Report, failure: &Failure, subject: &Subject) {
    if !failure.is_of_base() {
        return damaged(report, failure, subject);
    }
    report.is_broken = true;
    report.find("unusable_base", failure.message());
    let name = subject.quoted();
    report.suggest(
        vec![format!("zipnn verify --base DIRECTORY {name}")],
        "verifies the file with bases in another directory",
    );
}

/// Reports on a file of an old layout.
fn old(subject: &Subject, file: &[u8]) -> Result<Report, Failure> {
    let summary = match legacy::summary(file, &Limits::default()) {
        Ok(summary) => summary,
        Err(error) => {
            return Ok(unreadable(&Failure::decoding(&subject.shown, error), file.len() as u64));
        }
    };
    let kind = format!("a .znn file in an old layout, of ZipNN {}", version(summary.version));
    let mut report = Report::new(kind, file.len() as u64);
    report.original = Some(summary.decoded_len);
    report.find(
        "old_layout",
        "has neither checksums nor an index, and has to be decoded as a whole; few programs read it",
    );
    if summary.delta {
        report.find("difference", "is a difference: every command needs --delta BASE");
    } else {
        report.suggest(subject.compress_again(""), "stores the data in the current layout");
    }
    Ok(report)
}

/// Reports on a file with compressed tensors.
pub fn inside(subject: &Subject, mut source: TensorSource) -> Result<Report, Failure> {
    let by = if source.reader.is_ours() { "zipnn" } else { "the original ZipNN" };
    let kind = format!("a safetensors file with tensors that {by} has compressed inside");
    let mut report = Report::new(kind, source.file_len());
    find_in_inside(&mut report, &mut source, subject)?;
    if report.is_broken {
        return Ok(report);
    }
    let view = InsideView::open(&subject.local)?;
    let layout = view.layout().clone();
    let original = data_header::end_of(&layout);
    report.original = Some(original);
    let mut data = InsideData { view, layout: layout.clone() };
    let trial = match trial::run(&mut data, original, Some(&layout), &subject.shown) {
        Ok(trial) => trial,
        Err(failure) => {
            damaged(&mut report, &failure, subject);
            return Ok(report);
        }
    };
    let mut least = report.len;
    for (&len, (option, _)) in trial.lens.iter().zip(&LEVELS) {
        if is_worth_saving(len, least) {
            least = len;
            report.suggest(
                subject.compress_again(option),
                format!(
                    "about {} as a .znn file, which has to be decompressed before it is loaded",
                    units::bytes(len)
                ),
            );
        }
    }
    report.trial = Some(trial);
    Ok(report)
}

/// Adds what is wrong with a file with compressed tensors.
fn find_in_inside(
    report: &mut Report,
    source: &mut TensorSource,
    subject: &Subject,
) -> Result<(), Failure> {
    let reader = &source.reader;
    if reader.is_list_lost() {
        report.find("list_lost", "lacks its list of compressed tensors");
    }
    if let Some(problem) = reader.list_problem() {
        report.find("stale_list", problem.to_string());
    }
    let needs_list = reader.is_list_lost() || reader.list_problem().is_some();
    if !reader.has_checksums() {
        report.find("no_checksums", "has no checksums, so damage to it may go unnoticed");
    }
    let rotated = match reader.is_ours() {
        true => Rotated::None,
        false => rotated::find(report, source)?,
    };
    if rotated == Rotated::Some || needs_list {
        rotated::suggest_repair(report, subject);
    } else if rotated == Rotated::Unknown {
        report.suggest(
            vec![format!("zipnn repair {}", subject.quoted())],
            "checks whether the original stored tensors with rotated bits",
        );
    }
    Ok(())
}
