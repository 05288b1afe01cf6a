//! Comparing what a file decodes to with another file, while it is decoded.

use std::path::Path;

use crate::fs::input::Input;
use crate::report::failure::Failure;

/// A file that is read in lockstep with what another decodes to.
pub struct Comparison<'p> {
    compressed: &'p Path,
    input: Input,
    expected: Vec<u8>,
}

impl<'p> Comparison<'p> {
    /// Compares what `compressed` decodes to with the file at `plain`.
    pub fn open(compressed: &'p Path, plain: &Path) -> Result<Self, Failure> {
        Ok(Self { compressed, input: Input::open_path(plain)?, expected: Vec::new() })
    }

    /// Takes the next decoded bytes.
    pub fn push(&mut self, decoded: &[u8]) -> Result<(), Failure> {
        self.read(decoded.len() as u64)?;
        if self.expected == decoded { Ok(()) } else { Err(self.different()) }
    }

    /// Makes sure that the file ends with them.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.read(1)?;
        if self.expected.is_empty() { Ok(()) } else { Err(self.different()) }
    }

    fn read(&mut self, len: u64) -> Result<(), Failure> {
        self.expected.clear();
        let read = self.input.read_up_to(len, &mut self.expected);
        read.map(drop).map_err(|error| self.input.failure(error))
    }

    fn different(&self) -> Failure {
        Failure::new(self.compressed.display(), "it decodes to other data")
    }
}
