//! The commands, one file each.

mod bench;
mod cat;
mod completions;
mod compress;
mod decompress;
mod diff;
mod doctor;
mod flatten;
mod info;
mod inputs;
mod ls;
mod man;
mod repair;
mod streams;
mod verify;

use zipnn::simd;

use crate::args::Command;
use crate::report::failure::Failure;

/// Runs a command, and returns the exit status.
pub fn run(command: &Command) -> u8 {
    if let Err(failure) = streams::check(command).and_then(|()| check_level()) {
        return failure.report();
    }
    match command {
        Command::Compress(arguments) => compress::run(arguments),
        Command::Decompress(arguments) => decompress::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Info(arguments) => info::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Ls(arguments) => ls::run(arguments),
        Command::Cat(arguments) => cat::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Flatten(arguments) => flatten::run(arguments),
        Command::Repair(arguments) => repair::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
        Command::Man(arguments) => man::run(arguments),
    }
}

/// Returns an error if the environment forces vector instructions that do not exist here.
fn check_level() -> Result<(), Failure> {
    simd::from_environment().map(drop).map_err(|error| Failure::usage("ZIPNN_SIMD", error))
}
