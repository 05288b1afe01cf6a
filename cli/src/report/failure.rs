//! Why a file could not be processed, in words for whoever typed the command.

use std::{fmt, io};

use zipnn::{DecodeError, DecodeErrorKind, EncodeError};

use crate::report::units;

/// What went wrong with a file, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// The file, as it was named on the command line.
    subject: String,
    message: String,
    /// Lines that say more.
    details: Vec<String>,
    hint: Option<String>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Base,
    Usage,
    BrokenPipe,
}

impl Failure {
    /// Exit status after SIGPIPE, as shells report it: the reader of the output has closed it.
    pub const BROKEN_PIPE: u8 = 141;

    /// Something is wrong with a file.
    pub fn new(subject: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self {
            subject: subject.to_string(),
            message: message.to_string(),
            details: Vec::new(),
            hint: None,
            kind: Kind::File,
        }
    }

    /// What was asked for makes no sense.
    pub fn usage(subject: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, ..Self::new(subject, message) }
    }

    /// Something is wrong with `subject` for the reason that is given here.
    pub fn because(self, subject: impl fmt::Display, message: impl fmt::Display) -> Self {
        let message = format!("{message}: {}", self.message);
        Self { message, subject: subject.to_string(), ..self }
    }

    /// The result made of `source` did not stand the test, for the reason that is given here.
    pub fn unverified(self, source: impl fmt::Display) -> Self {
        self.because(source, "is kept, as its result cannot be trusted")
            .hint("try again; if it goes on, the disk or the memory of this machine is failing")
    }

    /// Blames the base that was given, not the file.
    pub fn of_base(self) -> Self {
        Self { kind: Kind::Base, ..self }
    }

    /// Returns whether the base that was given is to blame, not the file.
    pub fn is_of_base(&self) -> bool {
        self.kind == Kind::Base
    }

    /// Adds lines that say more.
    pub fn details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// Adds what to do.
    pub fn hint(self, hint: impl fmt::Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }

    /// A file could not be opened or read; also for decoders, which wrap their errors.
    pub fn reading(subject: impl fmt::Display, error: io::Error) -> Self {
        match error.downcast::<DecodeError>() {
            Ok(error) => Self::decoding(subject, error),
            Err(error) => Self::new(subject, format_args!("cannot be read: {error}")),
        }
    }

    /// A file could not be written.
    pub fn writing(subject: impl fmt::Display, error: io::Error) -> Self {
        let failure = Self::new(subject, format_args!("cannot be written: {error}"));
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { kind: Kind::BrokenPipe, ..failure },
            io::ErrorKind::NotFound => {
                failure.hint("its directory is not there: make it, or name another with --output")
            }
            io::ErrorKind::AlreadyExists => failure.hint("use --force to overwrite it"),
            io::ErrorKind::PermissionDenied => {
                failure.hint("name another place with --output, or change the permissions there")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                failure.hint("make room, or name another place with --output")
            }
            io::ErrorKind::FileTooLarge => failure.hint(
                "the file system or `ulimit -f` limits the size of files: name another place with \
                 --output, or raise the limit",
            ),
            io::ErrorKind::InvalidFilename => failure.hint("name a shorter one with --output"),
            _ => failure,
        }
    }

    /// A compressed file is not sound.
    pub fn decoding(subject: impl fmt::Display, error: DecodeError) -> Self {
        use DecodeErrorKind as E;
        let failure = Self::new(subject, error);
        match error.kind() {
            E::BadMagic if error.place().frame.unwrap_or(0) == 0 => {
                failure.hint("nothing to decompress here: only .znn files of ZipNN can be read")
            }
            E::BadMagic => failure.hint(
                "what follows the frames before is not one; cut it off if those are all there is",
            ),
            E::Truncated { have: 0, .. } if is_at_the_beginning(&error) => {
                failure.hint("the file is empty")
            }
            E::Truncated { have, .. }
                if is_at_the_beginning(&error) && have < zipnn::frame::HEADER_LEN as u64 =>
            {
                failure.hint("the file is not complete: fetch or copy it once more")
            }
            E::Truncated { .. } | E::FooterMissing => failure.hint(
                "the file is not complete: fetch or copy it once more, or save what is left with \
                 zipnn decompress --no-verify",
            ),
            E::ChecksumMismatch
            | E::ChecksumMissing
            | E::CorruptStream
            | E::InvalidCodeLengths
            | E::InvalidIndex => failure.hint(
                "the file is damaged: fetch or copy it once more, or save what is left with \
                     zipnn decompress --no-verify",
            ),
            E::BaseRequired => failure.hint("name that file with --delta"),
            E::BaseLength { .. } | E::BaseTooShort { .. } | E::BaseTooLong { .. } => {
                failure.hint("name the file that it was made against with --delta")
            }
            E::NotADelta => failure.hint("leave out --delta"),
            E::OutOfMemory { .. } => failure.hint("it needs a machine with more memory"),
            E::WrongBase => failure.hint("name the file that it was made against with --delta"),
            E::UnsupportedVersion(_) => failure,
            E::UnsupportedAnnex(_) | E::IndexMismatch | E::SealMissing => {
                failure.hint("decompress with --no-verify to get unverified data")
            }
            _ => failure.hint("the file is damaged: fetch or copy it once more"),
        }
    }

    /// Data could not be compressed.
    pub fn encoding(subject: impl fmt::Display, error: EncodeError) -> Self {
        Self::new(subject, error)
    }

    /// Says it on standard error, unless there is nobody to whom it would matter, and returns the
    /// exit status.
    pub fn report(&self) -> u8 {
        let status = match self.kind {
            Kind::BrokenPipe => return Self::BROKEN_PIPE,
            Kind::File | Kind::Base => 1,
            Kind::Usage => 2,
        };
        write_line(self);
        status
    }
}

/// Whether it was the header of the first frame in which something was wrong.
fn is_at_the_beginning(error: &DecodeError) -> bool {
    let location = error.place();
    location.frame == Some(0) && location.chunk.is_none()
}

/// Writes a line to standard error, where names of files and tensors may be part of it.
pub fn say(line: impl fmt::Display) {
    write_line(part(&line.to_string()));
}

/// Writes a line to standard error, and ignores that it may be closed.
fn write_line(line: impl fmt::Display) {
    use io::Write;
    let _ = writeln!(io::stderr(), "{line}");
}

/// Returns a part of a message, which names of files and tensors may be part of: bounded, and
/// without characters that control the terminal.
fn part(text: &str) -> String {
    /// Most characters, with room for any path.
    const MOST: usize = 5000;
    units::short_name(text, MOST)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zipnn: {}: {}", part(&self.subject), part(&self.message))?;
        for line in self.details.iter().chain(&self.hint) {
            write!(f, "\n  {}", part(line))?;
        }
        Ok(())
    }
}
