//! What a command needs of the streams and the terminal that it was started with.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::slice;

use super::args::{Command, Compress, Decompress};
use super::failure::Failure;
use super::names::Place;
use super::standard::{self, Stream};
use super::target::Target;

/// Returns an error if a command would wait for data from a terminal, which looks as if it hung, if
/// it would read a descriptor that is closed, or if its whole product is text for a standard output
/// that is closed.
pub fn check(command: &Command) -> Result<(), Failure> {
    type Inputs<'a> = (&'a [PathBuf], Option<&'a PathBuf>, bool);
    let (inputs, base, force): Inputs<'_> = match command {
        Command::Compress(Compress { files, .. })
        | Command::Decompress(Decompress { files, .. }) => {
            (&files.inputs, files.delta.as_ref(), files.force)
        }
        Command::Info(info) => (&info.files, None, false),
        Command::Verify(verify) => (&verify.files, verify.delta.as_ref(), false),
        Command::Ls(ls) => (&ls.files, ls.delta.as_ref(), false),
        Command::Cat(cat) => (slice::from_ref(&cat.file), cat.delta.as_ref(), cat.force),
        Command::Repair(repair) => (slice::from_ref(&repair.file), None, repair.force),
        Command::Bench(bench) => (slice::from_ref(&bench.file), None, false),
    };
    if matches!(command, Command::Info(_) | Command::Ls(_) | Command::Bench(_)) {
        Stream::Output.check()?;
    }
    let inputs = || inputs.iter().chain(base).map(|input| Place::new(input));
    if let Some(input) = inputs().find(|input| matches!(Target::of(input), Ok(Target::Closed))) {
        return Err(standard::closed_descriptor(&input));
    }
    match inputs().find(is_terminal) {
        Some(input) if !force => {
            Err(Failure::usage(input, "is a terminal, from which no data comes")
                .hint("redirect standard input, or name a file"))
        }
        _ => Ok(()),
    }
}

fn is_terminal(input: &Place) -> bool {
    match input {
        Place::Standard => io::stdin().is_terminal(),
        // Other things than terminals may wait when they are opened.
        Place::Path(path) => {
            is_character_device(path) && File::open(path).is_ok_and(|file| file.is_terminal())
        }
    }
}

#[cfg(unix)]
fn is_character_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device())
}

#[cfg(not(unix))]
fn is_character_device(_path: &Path) -> bool {
    false
}
