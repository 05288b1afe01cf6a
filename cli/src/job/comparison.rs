//! Comparing decoded data with a file while it is being decoded.

use std::path::Path;

use crate::fs::input::Input;
use crate::report::failure::Failure;

/// A file that is read in step with the data that another file decodes to.
pub struct Comparison<'p> {
    compressed: &'p Path,
    input: Input,
    expected: Vec<u8>,
}

impl<'p> Comparison<'p> {
    /// Starts to compare the decoded data of `compressed` with the file `plain`.
    pub fn open(compressed: &'p Path, plain: &Path) -> Result<Self, Failure> {
        Ok(Self { compressed, input: Input::open_path(plain)?, expected: Vec::new() })
    }

    /// Compares the next decoded bytes.
    pub fn push(&mut self, decoded: &[u8]) -> Result<(), Failure> {
        self.read(decoded.len() as u64)?;
        if self.expected == decoded { Ok(()) } else { Err(self.different()) }
    }

    /// Returns an error unless the file ends here.
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
        Failure::new(self.compressed.display(), "decodes to other data than its source holds")
    }
}
