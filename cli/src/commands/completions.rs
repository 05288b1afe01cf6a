//! `zipnn completions`.

use std::io::{self, Write};

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::report::failure::{self, Failure};

/// Prints the script for a shell, and returns the exit status.
pub fn run(arguments: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "zipnn", &mut script);
    failure::status(io::stdout().write_all(&script).map_err(|error| Failure::writing("-", error)))
}
