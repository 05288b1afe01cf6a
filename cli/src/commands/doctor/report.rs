//! What the doctor reports, as text and as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::commands::doctor::trial::{LEVELS, MIXED, Trial, TypeTrial};
use crate::content::planes::PlaneTotals;
use crate::content::reasons::{Reasons, TINY};
use crate::fs::endpoint::Endpoint;
use crate::report::{table, terminal, units};

/// Share of its length to which a plane shrinks at least if most of it is random.
const RANDOM: f64 = 0.95;

/// A report on a file.
pub struct Report {
    /// What the file is.
    pub kind: String,
    /// Length of the file in bytes.
    pub len: u64,
    /// The uncompressed length of a compressed file, if it is known.
    pub original: Option<u64>,
    /// Estimates, if the data can be read.
    pub trial: Option<Trial>,
    pub findings: Vec<Finding>,
    /// What to run next; nothing if there is nothing to gain.
    pub next: Vec<Step>,
    /// Whether the file needs repair, or its data cannot be read.
    pub is_broken: bool,
}

/// Something worth knowing about a file.
pub struct Finding {
    /// Name for programs.
    pub name: &'static str,
    pub text: String,
}

/// Commands to run, one after the other.
pub struct Step {
    pub commands: Vec<String>,
    /// What they achieve.
    pub result: String,
}

impl Report {
    /// Creates a report without findings.
    pub fn new(kind: String, len: u64) -> Self {
        let (findings, next) = (Vec::new(), Vec::new());
        Self { kind, len, original: None, trial: None, findings, next, is_broken: false }
    }

    /// Adds a finding.
    pub fn find(&mut self, name: &'static str, text: impl Into<String>) {
        self.findings.push(Finding { name, text: text.into() });
    }

    /// Adds commands to run.
    pub fn suggest(&mut self, commands: Vec<String>, result: impl Into<String>) {
        self.next.push(Step { commands, result: result.into() });
    }

    /// Marks the file as broken, and suggests to get it from where it came from.
    pub fn fetch_again(&mut self) {
        self.is_broken = true;
        self.suggest(Vec::new(), "fetch or copy the file once more");
    }

    /// Writes a JSON object.
    pub fn write_json(&self, out: &mut impl Write, source: &Endpoint) -> io::Result<()> {
        let trial = self.trial.as_ref();
        let levels = trial.map(|trial| {
            let level = |(level, &(option, _)): (usize, &(&str, _))| {
                json!({
                    "options": option.trim_start(),
                    "compressed_bytes": trial.lens[level],
                    "ratio": units::ratio(trial.lens[level], trial.original),
                })
            };
            LEVELS.iter().enumerate().map(level).collect::<Value>()
        });
        let types = trial.map(|trial| {
            let types = trial.types.iter().map(|of_type| type_json(of_type, trial));
            types.collect::<Value>()
        });
        let findings = self
            .findings
            .iter()
            .map(|finding| json!({ "finding": finding.name, "explanation": finding.text }));
        let next = self
            .next
            .iter()
            .map(|step| json!({ "commands": step.commands, "result": step.result }));
        let object = json!({
            "file": source.exact(),
            "kind": self.kind,
            "bytes": self.len,
            "original_bytes": self.original,
            "sampled_bytes": trial.map(|trial| trial.sampled),
            "estimates": levels,
            "types": types,
            "planes": trial.map(|trial| trial.planes.json()),
            "findings": findings.collect::<Value>(),
            "next": next.collect::<Value>(),
            "broken": self.is_broken,
        });
        writeln!(out, "{}", units::json(&object))
    }

    /// Writes text.
    pub fn write_text(&self, out: &mut impl Write, source: &Endpoint) -> io::Result<()> {
        writeln!(out, "{source}: {}", self.kind)?;
        match self.original {
            Some(original) => writeln!(out, "  {}", terminal::lens(original, self.len))?,
            None => writeln!(out, "  {}", units::bytes(self.len))?,
        }
        if let Some(trial) = &self.trial {
            write_trial(out, trial)?;
        }
        for finding in &self.findings {
            writeln!(out, "  * {}", units::name(&finding.text))?;
        }
        if self.next.is_empty() {
            writeln!(out, "  next: nothing; leave the file as it is")?;
        }
        for (number, step) in self.next.iter().enumerate() {
            let word = if number == 0 { "next" } else { "or" };
            writeln!(out, "  {word}: {}", step.result)?;
            for command in &step.commands {
                writeln!(out, "    {}", units::name(command))?;
            }
        }
        Ok(())
    }
}

fn write_trial(out: &mut impl Write, trial: &Trial) -> io::Result<()> {
    if trial.original < TINY {
        return Ok(());
    }
    let large = trial.types.iter().filter(|of_type| is_large(of_type, trial));
    for of_type in large {
        let share = units::percent(of_type.original, trial.original);
        let name = units::short_name(&of_type.name, table::TYPE);
        writeln!(out, "  {name}, {share} of the data: {}", explain(of_type, &trial.planes))?;
    }
    let is_estimate = trial.sampled < trial.original;
    if is_estimate {
        writeln!(out, "  planes of samples of {}:", units::bytes(trial.sampled))?;
    }
    trial.planes.lines("    ").iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let how = if is_estimate { ", estimated from the samples" } else { "" };
    writeln!(out, "  sizes after compressing{how}:")?;
    for ((option, _), &len) in LEVELS.iter().zip(&trial.lens) {
        writeln!(
            out,
            "    zipnn compress{option:12}{:>9}{:>9}",
            units::bytes(len),
            units::percent(len, trial.original)
        )?;
    }
    Ok(())
}

/// Returns whether a type has so much of the data that its explanation is worth reading.
fn is_large(of_type: &TypeTrial, trial: &Trial) -> bool {
    Reasons::is_worth_naming(of_type.original, trial.original) && of_type.sampled > 0
}

fn type_json(of_type: &TypeTrial, trial: &Trial) -> Value {
    json!({
        "type": of_type.name,
        "original_bytes": of_type.original,
        "compressed_bytes": of_type.len(0),
        "ratio": units::ratio(of_type.len(0), of_type.original),
        "reason": of_type.reasons.first().map(|reason| reason.name()),
        "explanation": explain(of_type, &trial.planes),
    })
}

/// Explains to what the data of a type shrinks with the default level, and why.
fn explain(of_type: &TypeTrial, planes: &PlaneTotals) -> String {
    if of_type.sampled == 0 {
        return "not sampled".to_owned();
    }
    let ratio = units::percent(of_type.len(0), of_type.original);
    if let Some(reason) = of_type.reasons.first() {
        return format!("hardly shrinks ({ratio}): {}", reason.explanation().0);
    }
    let why = match planes.shares(&of_type.name) {
        Some((content, highest, others)) => {
            let others = match others {
                RANDOM.. => "the other bits are random, and do not shrink".to_owned(),
                _ => format!("the other bits shrink to {:.1} %", 100.0 * others),
            };
            let highest = 100.0 * highest;
            format!(
                "the {content} take few different values, and shrink to {highest:.1} %; {others}"
            )
        }
        None if of_type.name == MIXED => "its parts shrink differently".to_owned(),
        None => "a few values are much more frequent than others".to_owned(),
    };
    format!("shrinks to {ratio}: {why}")
}
