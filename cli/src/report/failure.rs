//! Errors for the user: the file, what is wrong with it, and what to do.

use std::{fmt, io};

use zipnn::{DecodeError, DecodeErrorKind, EncodeError};

use crate::report::units;

/// Describes why a file could not be processed, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// The file, as named on the command line.
    subject: String,
    message: String,
    /// Lines with more information.
    details: Vec<String>,
    hint: Option<String>,
    cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    File,
    Base,
    Usage,
    BrokenPipe,
}

impl Failure {
    /// Exit status after SIGPIPE, as shells report it when the reader closes the output.
    pub const BROKEN_PIPE: u8 = 141;

    /// Creates the failure of a file.
    pub fn new(subject: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self {
            subject: subject.to_string(),
            message: message.to_string(),
            details: Vec::new(),
            hint: None,
            cause: Cause::File,
        }
    }

    /// Creates the failure of a command whose arguments are invalid.
    pub fn usage(subject: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self { cause: Cause::Usage, ..Self::new(subject, message) }
    }

    /// Puts another subject and message before this one, which becomes the reason.
    pub fn because(self, subject: impl fmt::Display, message: impl fmt::Display) -> Self {
        let message = format!("{message}: {}", self.message);
        Self { message, subject: subject.to_string(), ..self }
    }

    /// Explains that the result of `source` failed verification for this reason.
    pub fn unverified(self, source: impl fmt::Display) -> Self {
        self.because(source, "is kept, because its result failed verification").hint(
            "try again; if it happens again, the disk or the memory of this machine is failing",
        )
    }

    /// Marks this as an error of the base, not of the file.
    pub fn of_base(self) -> Self {
        Self { cause: Cause::Base, ..self }
    }

    /// Returns whether this is an error of the base, not of the file.
    pub fn is_of_base(&self) -> bool {
        self.cause == Cause::Base
    }

    /// Names another subject instead.
    pub fn about(self, subject: impl fmt::Display) -> Self {
        Self { subject: subject.to_string(), ..self }
    }

    /// Returns what the failure is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns what is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Sets lines with more information.
    pub fn details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// Sets the advice on what to do.
    pub fn hint(self, hint: impl fmt::Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }

    /// Creates the failure of a file that cannot be opened or read. `error` may wrap the error of a
    /// decoder.
    pub fn reading(subject: impl fmt::Display, error: io::Error) -> Self {
        match error.downcast::<DecodeError>() {
            Ok(error) => Self::decoding(subject, error),
            Err(error) => Self::new(subject, format_args!("cannot be read: {error}")),
        }
    }

    /// Creates the failure of a file that cannot be written.
    pub fn writing(subject: impl fmt::Display, error: io::Error) -> Self {
        let failure = Self::new(subject, format_args!("cannot be written: {error}"));
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { cause: Cause::BrokenPipe, ..failure },
            io::ErrorKind::NotFound => failure
                .hint("its directory does not exist: create it, or name another with --output"),
            io::ErrorKind::AlreadyExists => failure.hint("use --force to overwrite it"),
            io::ErrorKind::PermissionDenied => {
                failure.hint("change the permissions, or name another file with --output")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                failure.hint("free some space, or name a file on another disk with --output")
            }
            io::ErrorKind::FileTooLarge => failure.hint(
                "the file system or `ulimit -f` limits the size of files: raise the limit, or name \
                 a file on another file system with --output",
            ),
            io::ErrorKind::InvalidFilename => failure.hint("choose a shorter name with --output"),
            _ => failure,
        }
    }

    /// Creates the failure of a compressed file that cannot be decoded.
    pub fn decoding(subject: impl fmt::Display, error: DecodeError) -> Self {
        let failure = Self::new(subject, error);
        match decoding_hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// Creates the failure of data that cannot be compressed.
    pub fn encoding(subject: impl fmt::Display, error: EncodeError) -> Self {
        Self::new(subject, error)
    }

    /// Writes the failure to standard error, and returns the exit status. Writes nothing if the
    /// reader of the output closed it.
    pub fn report(&self) -> u8 {
        let status = match self.cause {
            Cause::BrokenPipe => return Self::BROKEN_PIPE,
            Cause::File | Cause::Base => 1,
            Cause::Usage => 2,
        };
        write_line(self);
        status
    }
}

/// Reports failures, and returns the worst exit status.
pub fn report_all(failures: impl IntoIterator<Item = Failure>) -> u8 {
    failures.into_iter().map(|failure| failure.report()).max().unwrap_or_default()
}

/// Reports the failure, if there is one, and returns the exit status.
pub fn status(result: Result<(), Failure>) -> u8 {
    result.map_or_else(|failure| failure.report(), |()| 0)
}

/// Returns what to do about a file that cannot be decoded.
fn decoding_hint(error: &DecodeError) -> Option<&'static str> {
    use DecodeErrorKind as E;
    Some(match error.kind() {
        E::BadMagic if error.location().frame.unwrap_or(0) == 0 => {
            "the file is not compressed, or damaged at its beginning; zipnn doctor describes files of \
             any kind"
        }
        E::BadMagic => {
            "other data follows the frames: cut it off if the file should end there, or fetch or \
             copy the file once more"
        }
        E::Truncated { have: 0, .. } if is_in_first_header(error) => "the file is empty",
        E::Truncated { have, .. }
            if is_in_first_header(error) && have < zipnn::frame::HEADER_LEN as u64 =>
        {
            "the file is not complete: fetch or copy it once more"
        }
        E::Truncated { .. } | E::FooterMissing => {
            "the file is not complete: fetch or copy it once more, or recover the rest with \
             zipnn decompress --no-verify"
        }
        E::ChecksumMismatch
        | E::ChecksumMissing
        | E::CorruptStream
        | E::InvalidCodeLengths
        | E::InvalidIndex => {
            "the file is damaged: fetch or copy it once more, or recover the rest with \
             zipnn decompress --no-verify"
        }
        E::BaseRequired => "name the base with --delta",
        E::BaseLength { .. } | E::BaseTooShort { .. } | E::BaseTooLong { .. } | E::WrongBase => {
            "name the base that the difference was made against with --delta"
        }
        E::NotADelta => "leave out --delta",
        E::OutOfMemory { .. } => "use a machine with more memory",
        E::UnsupportedVersion(_) => return None,
        E::UnsupportedAnnex(_) | E::IndexMismatch | E::SealMissing => {
            "use zipnn decompress --no-verify to get unverified data"
        }
        _ => "the file is damaged: fetch or copy it once more",
    })
}

/// Returns whether an error is in the header of the first frame.
fn is_in_first_header(error: &DecodeError) -> bool {
    let location = error.location();
    location.frame == Some(0) && location.chunk.is_none()
}

/// Writes a line to standard error. Names of files and tensors in it are escaped.
pub fn say(line: impl fmt::Display) {
    write_line(printable(&line.to_string()));
}

/// Writes a line to standard error. Standard error may be closed, which is ignored.
fn write_line(line: impl fmt::Display) {
    use io::Write;
    let _ = writeln!(io::stderr(), "{line}");
}

/// Returns text with a bounded length and without characters that control the terminal. The text
/// may contain names of files and tensors.
fn printable(text: &str) -> String {
    /// Maximum length in characters, which leaves room for any path.
    const MAX_LEN: usize = 5000;
    units::short_name(text, MAX_LEN)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zipnn: {}: {}", printable(&self.subject), printable(&self.message))?;
        for line in self.details.iter().chain(&self.hint) {
            write!(f, "\n  {}", printable(line))?;
        }
        Ok(())
    }
}
