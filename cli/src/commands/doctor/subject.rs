//! The file that is examined.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::commands::doctor::extent::Extent;
use crate::commands::doctor::shell;
use crate::fs::endpoint::{DASH, Endpoint};
use crate::fs::input::Input;
use crate::fs::temp::Unfinished;
use crate::fs::{names, target};
use crate::report::failure::Failure;

/// Number of bytes to read at a time.
const STEP: u64 = 1 << 20;
/// Name or extension of decompressed data that has no name of its own.
const DATA: &str = "data";

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
        let failure = |error| {
            Failure::writing(std::env::temp_dir().display(), error)
                .hint("set TMPDIR to a directory with free space, to which a pipe can be copied")
        };
        let mut copy = Unfinished::create(&std::env::temp_dir().join("pipe")).map_err(failure)?;
        let mut part = Vec::new();
        let mut extent = Extent::new();
        let is_beginning = loop {
            part.clear();
            let read = input.read_up_to(STEP, &mut part).map_err(|error| input.failure(error))?;
            copy.file().write_all(&part).map_err(failure)?;
            extent.push(&part);
            match read {
                ..STEP => break false,
                _ if extent.is_enough() => break true,
                _ => {}
            }
        };
        let local = Endpoint::Path(copy.path().to_owned());
        Ok(Self { shown: shown.clone(), local, is_beginning, _copy: Some(copy) })
    }

    /// Returns the path of a file that is neither a copy nor a descriptor.
    pub fn path(&self) -> Option<&Path> {
        let path = self.shown.path().filter(|_| self._copy.is_none());
        path.filter(|path| !target::is_descriptor_or_device(path))
    }

    /// Returns the name as an argument for a shell.
    pub fn quoted(&self) -> String {
        shell::quoted(self.shown.path().map_or(DASH.as_ref(), Path::as_os_str))
    }

    /// Returns the path of the compressed file that [`Self::compress`] writes.
    pub fn compressed(&self) -> PathBuf {
        names::with_suffix(self.path().unwrap_or(Path::new(DATA)), names::SUFFIX)
    }

    /// Returns a command that compresses the file, also if its name says that it is compressed, or
    /// if it is a pipe.
    pub fn compress(&self, options: &str) -> String {
        let command = format!("zipnn compress{options} {}", self.quoted());
        match self.path().is_some_and(|path| names::uncompressed(path).is_none()) {
            true => command,
            false => format!("{command} -o {}", quoted(&self.compressed())),
        }
    }

    /// Returns commands that decompress the file and compress it with other options.
    pub fn compress_again(&self, options: &str) -> Vec<String> {
        let data = self.uncompressed();
        let name = quoted(&data);
        let compress = match self.path().filter(|path| names::is_compressed(path)) {
            None => format!("zipnn compress{options} {name}"),
            Some(path) if names::with_suffix(&data, names::SUFFIX) == path => {
                format!("zipnn compress --force{options} {name}")
            }
            Some(path) => format!("zipnn compress --force{options} {name} -o {}", quoted(path)),
        };
        vec![self.decompress(""), compress]
    }

    /// Returns a command that decompresses the file to a file that does not exist.
    pub fn decompress(&self, options: &str) -> String {
        let data = self.uncompressed();
        let command = format!("zipnn decompress{options} {}", self.quoted());
        match self.path().and_then(names::uncompressed).as_ref() == Some(&data) {
            true => command,
            false => format!("{command} -o {}", quoted(&data)),
        }
    }

    /// Returns the uncompressed name, or another if the file has none or such a file exists.
    fn uncompressed(&self) -> PathBuf {
        let Some(path) = self.path() else { return DATA.into() };
        match names::uncompressed(path) {
            Some(name) if !name.exists() => name,
            name => names::with_suffix(&name.unwrap_or(path.to_owned()), DATA),
        }
    }
}

fn quoted(path: &Path) -> String {
    shell::quoted(path.as_os_str())
}
