//! The file that is examined.

use std::io::Write;
use std::path::Path;

use zipnn::frame::MAGIC;

use crate::content::beginning;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::fs::names;
use crate::fs::temp::Unfinished;
use crate::report::failure::Failure;

/// Maximum number of bytes to read of a pipe with data whose parts are alike.
const MAX_OF_PIPE: u64 = 64 << 20;
/// Number of bytes to read at a time.
const STEP: u64 = 1 << 20;

/// A file that can be read in parts. The data of a pipe is copied to a temporary file.
pub struct Subject {
    /// The file as the user names it.
    pub shown: Endpoint,
    /// The file to read.
    pub local: Endpoint,
    /// Whether only the beginning of a pipe was read.
    pub is_beginning: bool,
    _copy: Option<Unfinished>,
}

impl Subject {
    /// Opens a file. Reads a pipe to its end if that is needed to examine it.
    pub fn open(shown: &Endpoint) -> Result<Self, Failure> {
        let mut input = Input::open_any(shown)?;
        if input.is_seekable() {
            let (shown, local) = (shown.clone(), shown.clone());
            return Ok(Self { shown, local, is_beginning: false, _copy: None });
        }
        let failure = |error| Failure::writing(std::env::temp_dir().display(), error);
        let mut copy = Unfinished::create(&std::env::temp_dir().join("pipe")).map_err(failure)?;
        let mut part = Vec::new();
        let (mut len, mut is_whole) = (0, false);
        let is_beginning = loop {
            part.clear();
            let read = input.read_up_to(STEP, &mut part).map_err(|error| input.failure(error))?;
            if len == 0 {
                // These state the lengths of their parts.
                is_whole = part.starts_with(&MAGIC) || beginning::lists_tensors(&part);
            }
            copy.file().write_all(&part).map_err(failure)?;
            len += read;
            match read {
                ..STEP => break false,
                _ if !is_whole && len >= MAX_OF_PIPE => break true,
                _ => {}
            }
        };
        let local = Endpoint::Path(copy.path().to_owned());
        Ok(Self { shown: shown.clone(), local, is_beginning, _copy: Some(copy) })
    }

    /// Returns the path of a file that is not a copy.
    pub fn path(&self) -> Option<&Path> {
        self.shown.path().filter(|_| self._copy.is_none())
    }

    /// Returns the name for a command in a shell.
    pub fn quoted(&self) -> String {
        quoted(&self.shown.exact())
    }

    /// Returns the uncompressed name for a command in a shell.
    pub fn uncompressed(&self) -> String {
        match self.shown.path() {
            None => "data".to_owned(),
            Some(path) => quoted(&match names::uncompressed(path) {
                Some(name) => name.to_string_lossy().into_owned(),
                None => format!("{}.data", path.display()),
            }),
        }
    }

    /// Returns a command that decompresses the file, also if its name does not say that it is
    /// compressed.
    pub fn decompress(&self, options: &str) -> String {
        let is_named = self.shown.path().is_some_and(|path| names::uncompressed(path).is_some());
        match is_named {
            true => format!("zipnn decompress{options} {}", self.quoted()),
            false => {
                format!("zipnn decompress{options} {} -o {}", self.quoted(), self.uncompressed())
            }
        }
    }
}

/// Returns a name as an argument for a shell.
pub fn quoted(name: &str) -> String {
    const SAFE: &[u8] = b"-_./+=,:@%";
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || SAFE.contains(&byte);
    match !name.is_empty() && (name == "-" || !name.starts_with('-')) && name.bytes().all(is_safe) {
        true => name.to_owned(),
        false if name.starts_with('-') => quoted(&format!("./{name}")),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_arguments() {
        for (name, argument) in [
            ("a/b-c.znn", "a/b-c.znn"),
            ("-", "-"),
            ("-f", "./-f"),
            ("my model", "'my model'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(name), argument);
        }
    }
}
