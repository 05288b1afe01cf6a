//! `zipnn man`.

use std::fs;

use clap::CommandFactory;

use crate::args::{Cli, Man};
use crate::fs::endpoint::{DASH, Endpoint};
use crate::fs::output::Output;
use crate::report::failure::{self, Failure};

/// Writes the pages, and returns the exit status.
pub fn run(arguments: &Man) -> u8 {
    failure::status(write_pages(arguments))
}

fn write_pages(arguments: &Man) -> Result<(), Failure> {
    let directory = &arguments.directory;
    if Endpoint::new(directory) == Endpoint::Standard {
        return Err(Failure::usage(DASH, "cannot receive several pages")
            .hint("name a directory; `man -l DIR/zipnn.1` then shows a page"));
    }
    fs::create_dir_all(directory)
        .map_err(|error| Failure::writing(Endpoint::new(directory), error))?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let version = format!("zipnn {}", env!("CARGO_PKG_VERSION"));
    for command in program.get_subcommands().chain([&program]) {
        let page = clap_mangen::Man::new(command.clone()).source(&*version).manual("zipnn");
        let destination = Endpoint::new(&directory.join(page.get_filename()));
        let mut bytes = Vec::new();
        page.render(&mut bytes).map_err(|error| Failure::writing(&destination, error))?;
        let mut output = Output::create(&destination, true)?;
        output.write(&bytes)?;
        output.finish(None)?;
    }
    Ok(())
}
