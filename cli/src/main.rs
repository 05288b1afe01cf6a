//! The `zipnn` program: compresses files of model weights, and restores them.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod content;
mod fs;
mod hub;
mod job;
mod repair;
mod report;
mod set;

use std::path::PathBuf;
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use commands::direction::Job;
use commands::look::Look;
use commands::{bench, cat, compress, decompress, directory, info, ls, verify};
use fs::endpoint::Endpoint;
use fs::selection::{Purpose, Selection};
use fs::{names, streams, target, temp};
use report::failure::{Failure, say};
use set::shards::Indexes;

/// Does what the command line says.
fn main() -> ExitCode {
    target::note_descriptors();
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    temp::clean_up_on_signals();
    if let Err(failure) = streams::check(&cli.command) {
        return failure.report().into();
    }
    match &cli.command {
        Command::Compress(arguments) => {
            for_each_or_model(Job::Compress(arguments), |file| compress::run(file, arguments))
        }
        Command::Decompress(arguments) => {
            for_each_or_model(Job::Decompress(arguments), |file| decompress::run(file, arguments))
        }
        Command::Info(info) => {
            let participle = (!info.json).then_some("shown");
            Look { purpose: Purpose::Read, search: &info.search, participle }
                .at_each(&info.files, |file| info::run(file, info))
                .into()
        }
        Command::Verify(verify) => {
            if let Err(failure) = names::check_base(&verify.files, verify.delta.as_deref()) {
                return failure.report().into();
            }
            let participle = (!verify.quiet).then_some("sound");
            Look { purpose: Purpose::Read, search: &verify.search, participle }
                .at_each(&verify.files, |file| verify::run(file, verify))
                .into()
        }
        Command::Ls(ls) => {
            if let Err(failure) = names::check_base(&ls.files, ls.delta.as_deref()) {
                return failure.report().into();
            }
            let participle = (!ls.json).then_some("listed");
            Look { purpose: Purpose::ReadTensors, search: &ls.search, participle }
                .at_each(&ls.files, |file| ls::run(file, ls))
                .into()
        }
        Command::Cat(cat) => status(cat::run(cat)).into(),
        Command::Repair(repair) => {
            repair::command::run(repair).unwrap_or_else(|failure| failure.report()).into()
        }
        Command::Bench(bench) => status(bench::run(bench)).into(),
    }
}

/// Ends the process with an error of the command line, or with the requested help.
/// Arguments may be names of files, and so hold anything.
fn refuse(error: &clap::Error) -> ! {
    let text = error.render().to_string();
    if !error.use_stderr() || !text.contains(|char: char| char.is_control() && char != '\n') {
        error.exit();
    }
    for line in text.lines() {
        say(line);
    }
    std::process::exit(error.exit_code());
}

/// Works on a cached model, or on files and whole directories, one after the other.
fn for_each_or_model(job: Job<'_>, run: impl Fn(&Endpoint) -> Result<(), Failure>) -> ExitCode {
    let files = job.files();
    if let Some(model) = &files.many.hub {
        return hub::run(job, model).into();
    }
    let status = names::check(files, job.direction())
        .and_then(|()| Selection::new(job.purpose(), &files.many.patterns, files.many.hidden));
    match status {
        Ok(selection) => for_each_with_indexes(job, &selection, run).into(),
        Err(failure) => failure.report().into(),
    }
}

/// Works on files and directories, and lets indexes follow.
fn for_each_with_indexes(
    job: Job<'_>,
    selection: &Selection,
    run: impl Fn(&Endpoint) -> Result<(), Failure>,
) -> u8 {
    let files = job.files();
    let indexes = match files.many.rewrite_index {
        true => match Indexes::find(job, selection) {
            Ok(indexes) => indexes,
            Err(failures) => return report_all(failures),
        },
        false => Indexes::default(),
    };
    let run = |input: &PathBuf| match Endpoint::new(input) {
        Endpoint::Path(path) if path.is_dir() => directory::run(job, &path, selection),
        endpoint => status(run(&endpoint)),
    };
    // Carries on after a failure, and remembers the worst.
    let worst = files.inputs.iter().map(run).max().unwrap_or_default();
    worst
        .max(report_all(indexes.rewrite(job, worst == 0)))
        .max(report_unmatched(selection, &files.inputs))
}

/// Reports patterns that have matched nothing in the directories that were looked into.
fn report_unmatched(selection: &Selection, inputs: &[PathBuf]) -> u8 {
    match inputs.iter().any(|input| input.is_dir()) {
        true => report_all(selection.unmatched()),
        false => 0,
    }
}

/// Reports failures, and returns the worst exit status.
fn report_all(failures: impl IntoIterator<Item = Failure>) -> u8 {
    failures.into_iter().map(|failure| failure.report()).max().unwrap_or_default()
}

/// Says what went wrong, if anything did, and returns the exit status.
fn status(result: Result<(), Failure>) -> u8 {
    result.map_or_else(|failure| failure.report(), |()| 0)
}
