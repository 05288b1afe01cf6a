//! The command line.

mod args;
mod bench;
mod cat;
mod compress;
mod decode;
mod decompress;
mod dtype;
mod failure;
mod frames;
mod info;
mod input;
mod interrupt;
mod ls;
mod names;
mod npy;
mod output;
mod pipeline;
mod progress;
mod tensors;
mod transfer;
mod units;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use names::Place;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::clean_up_on_signals();
    match &cli.command {
        Command::Compress(compress) => match names::check(&compress.files) {
            Ok(()) => for_each(&compress.files.inputs, |file| compress::run(file, compress)),
            Err(failure) => failure.report().into(),
        },
        Command::Decompress(decompress) => match names::check(&decompress.files) {
            Ok(()) => for_each(&decompress.files.inputs, |file| decompress::run(file, decompress)),
            Err(failure) => failure.report().into(),
        },
        Command::Info(info) => for_each(&info.files, |file| info::run(file, info)),
        Command::Verify(verify) => for_each(&verify.files, |file| verify::run(file, verify)),
        Command::Ls(ls) => for_each(&ls.files, |file| ls::run(file, ls)),
        Command::Cat(cat) => status(cat::run(cat)),
        Command::Bench(bench) => status(bench::run(bench)),
    }
}

fn status(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report().into(),
    }
}

/// Carries on after a failure, and remembers the worst.
fn for_each(files: &[PathBuf], mut run: impl FnMut(&Place) -> Result<(), Failure>) -> ExitCode {
    let statuses = files.iter().map(|file| match run(&Place::new(file)) {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    });
    statuses.max().unwrap_or_default().into()
}
