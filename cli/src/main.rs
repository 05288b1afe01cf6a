//! The `zipnn` program: compresses and decompresses files of AI model weights.

#![forbid(unsafe_code)]

mod args;
mod base;
mod commands;
#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod common;
mod content;
mod fs;
mod hub;
mod job;
mod repair;
mod report;
mod set;

use std::process::ExitCode;

use args::Cli;
use clap::Parser;
use fs::{target, temp};
use report::failure::say;

fn main() -> ExitCode {
    target::note_descriptors();
    let cli = Cli::try_parse().unwrap_or_else(|error| exit_with(&error));
    temp::clean_up_on_signals();
    commands::run(&cli.command).into()
}

/// Prints an error in the arguments, or the requested help, and ends the process.
///
/// Arguments may be file names, so the text may contain control characters.
fn exit_with(error: &clap::Error) -> ! {
    let text = error.render().to_string();
    if !error.use_stderr() || !text.contains(|char: char| char.is_control() && char != '\n') {
        error.exit();
    }
    for line in text.lines() {
        say(line);
    }
    std::process::exit(error.exit_code());
}
