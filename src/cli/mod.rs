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
mod streams;
mod target;
mod tensors;
mod transfer;
mod tree;
mod units;
mod verify;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use names::Place;
use way::Way;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::clean_up_on_signals();
    if let Err(failure) = streams::check(&cli.command) {
        return failure.report().into();
    }
    match &cli.command {
        Command::Compress(arguments) => {
            for_each_or_model(Way::Compress(arguments), |file| compress::run(file, arguments))
        }
        Command::Decompress(arguments) => {
            for_each_or_model(Way::Decompress(arguments), |file| decompress::run(file, arguments))
        }
        Command::Info(info) => for_each(&info.files, |file| status(info::run(file, info))),
        Command::Verify(verify) => {
            for_each(&verify.files, |file| status(verify::run(file, verify)))
        }
        Command::Ls(ls) => for_each(&ls.files, |file| status(ls::run(file, ls))),
        Command::Cat(cat) => status(cat::run(cat)).into(),
        Command::Repair(repair) => {
            repair::run(repair).unwrap_or_else(|failure| failure.report()).into()
        }
        Command::Bench(bench) => status(bench::run(bench)).into(),
    }
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
    for_each(&files.inputs, |input| match input.path() {
        Some(path) if path.is_dir() && way.is_inside() => {
            let failure = Failure::usage(path.display(), "is a directory");
            failure.hint("--inside-safetensors takes files: name those in it").report()
        }
        Some(path) if path.is_dir() => directory::run(way, path),
        _ => status(run(input)),
    })
}

/// Carries on after a failure, and remembers the worst.
fn for_each(inputs: &[PathBuf], run: impl Fn(&Place) -> u8) -> ExitCode {
    inputs.iter().map(|input| run(&Place::new(input))).max().unwrap_or_default().into()
}

/// Says what went wrong, if anything did, and returns the exit status.
fn status(result: Result<(), Failure>) -> u8 {
    result.map_or_else(|failure| failure.report(), |()| 0)
}
