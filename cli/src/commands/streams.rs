//! Checks the standard streams and the terminal before a command runs.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::slice;

use crate::args::{Command, Compress, Decompress};
use crate::fs::endpoint::Endpoint;
use crate::fs::standard::{self, Stream};
use crate::fs::target::{self, Target};
use crate::report::failure::Failure;

/// Returns an error if a command would wait for data from a terminal, read a closed descriptor, or
/// write its text to a closed standard output.
pub fn check(command: &Command) -> Result<(), Failure> {
    type Inputs<'a> = (&'a [PathBuf], Option<&'a PathBuf>, bool);
    let (inputs, base, force): Inputs<'_> = match command {
        Command::Compress(Compress { files, .. })
        | Command::Decompress(Decompress { files, .. }) => {
            (&files.inputs, files.delta.as_ref(), files.force)
        }
        Command::Doctor(doctor) => (&doctor.files, None, false),
        Command::Info(info) => (&info.files, None, false),
        Command::Verify(verify) => (&verify.files, verify.delta.as_ref(), false),
        Command::Ls(ls) => (&ls.files, ls.delta.as_ref(), false),
        Command::Cat(cat) => (slice::from_ref(&cat.file), cat.delta.as_ref(), cat.force),
        Command::Flatten(flatten) => (&flatten.files, flatten.delta.as_ref(), false),
        Command::Diff(diff) => (slice::from_ref(&diff.old), Some(&diff.new), false),
        Command::Repair(repair) => (slice::from_ref(&repair.file), None, repair.force),
        Command::Bench(bench) => (slice::from_ref(&bench.file), None, false),
        Command::Completions(_) | Command::Man(_) => (&[], None, false),
    };
    if matches!(
        command,
        Command::Info(_)
            | Command::Doctor(_)
            | Command::Ls(_)
            | Command::Diff(_)
            | Command::Bench(_)
            | Command::Completions(_)
    ) {
        Stream::Output.check()?;
    }
    let inputs = || inputs.iter().chain(base).map(|input| Endpoint::new(input));
    if let Some(input) = inputs().find(|input| matches!(Target::of(input), Ok(Target::Closed))) {
        return Err(standard::closed_descriptor(&input));
    }
    match inputs().find(is_terminal) {
        Some(input) if !force => Err(Failure::usage(input, "is a terminal, not a source of data")
            .hint("redirect standard input, or name a file")),
        _ => Ok(()),
    }
}

fn is_terminal(input: &Endpoint) -> bool {
    match input {
        Endpoint::Standard => io::stdin().is_terminal(),
        // Opening another file, such as a named pipe, may block.
        Endpoint::Path(path) => {
            target::is_device(path) && File::open(path).is_ok_and(|file| file.is_terminal())
        }
    }
}
