//! The command line.

mod args;
mod batch;
mod bench;
mod cat;
mod comparison;
mod compress;
mod decode;
mod decompress;
mod directory;
mod failure;
mod frames;
mod hub;
mod index_file;
mod info;
mod input;
mod inside;
mod interrupt;
mod json_strings;
mod links;
mod ls;
mod names;
mod npy;
mod output;
mod pieces;
mod pipeline;
mod progress;
mod repair;
mod restored;
mod rights;
mod selection;
mod snapshot;
mod sparse;
mod standard;
mod target;
mod tensors;
mod transfer;
mod tree;
mod units;
mod verify;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;
use std::slice;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use names::Place;
use standard::Stream;
use way::Way;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::clean_up_on_signals();
    match &cli.command {
        Command::Compress(arguments) => {
            for_each_or_model(Way::Compress(arguments), |file| compress::run(file, arguments))
        }
        Command::Decompress(arguments) => {
            for_each_or_model(Way::Decompress(arguments), |file| decompress::run(file, arguments))
        }
        Command::Info(info) => for_each_text(&info.files, |file| status(info::run(file, info))),
        Command::Verify(verify) => {
            for_each(&verify.files, false, |file| status(verify::run(file, verify)))
        }
        Command::Ls(ls) => for_each_text(&ls.files, |file| status(ls::run(file, ls))),
        Command::Cat(cat) => for_one(&cat.file, cat.force, |_| status(cat::run(cat))),
        Command::Repair(repair) => for_one(&repair.file, repair.force, |_| {
            repair::run(repair).unwrap_or_else(|failure| failure.report())
        }),
        Command::Bench(bench) => {
            for_each_text(slice::from_ref(&bench.file), |_| status(bench::run(bench)))
        }
    }
}

/// Runs a command whose product is the text that it writes to standard output.
fn for_each_text(inputs: &[PathBuf], run: impl Fn(&Place) -> u8) -> ExitCode {
    match Stream::Output.check() {
        Ok(()) => for_each(inputs, false, run),
        Err(failure) => failure.report().into(),
    }
}

fn for_one(input: &PathBuf, force: bool, run: impl Fn(&Place) -> u8) -> ExitCode {
    for_each(slice::from_ref(input), force, run)
}

/// Works on a cached model, or on files and whole directories, one after the other.
fn for_each_or_model(way: Way<'_>, run: impl Fn(&Place) -> Result<(), Failure>) -> ExitCode {
    let files = way.files();
    if let Some(model) = &files.many.hub {
        return hub::run(way, model).into();
    }
    if let Err(failure) = names::check(files) {
        return failure.report().into();
    }
    for_each(&files.inputs, files.force, |input| match input.path() {
        Some(path) if path.is_dir() && way.is_inside() => {
            let failure = Failure::usage(path.display(), "is a directory");
            failure.hint("--inside-safetensors takes files: name those in it").report()
        }
        Some(path) if path.is_dir() => directory::run(way, path),
        _ => status(run(input)),
    })
}

/// Carries on after a failure, and remembers the worst. Reads from a terminal only if `force` is
/// set.
fn for_each(inputs: &[PathBuf], force: bool, run: impl Fn(&Place) -> u8) -> ExitCode {
    let run = |input: &PathBuf| {
        let input = Place::new(input);
        match input::refuse_terminal(&input) {
            Err(failure) if !force => failure.report(),
            _ => run(&input),
        }
    };
    inputs.iter().map(run).max().unwrap_or_default().into()
}

/// Says what went wrong, if anything did, and returns the exit status.
fn status(result: Result<(), Failure>) -> u8 {
    result.map_or_else(|failure| failure.report(), |()| 0)
}
