//! Outputs of a writer.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::vec::Vec;

/// Output of a [`TensorWriter`] that can be read again and truncated.
///
/// The writer needs this for large tensors, which it assembles in the output.
///
/// [`TensorWriter`]: crate::tensor::inside::TensorWriter
pub trait TensorTarget: Read + Write + Seek {
    /// Truncates the output to `len` bytes, or extends it with zeros.
    ///
    /// # Errors
    ///
    /// Returns errors of the output.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
}

impl TensorTarget for File {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }
}

impl TensorTarget for Cursor<Vec<u8>> {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.get_mut().resize(len, 0);
        Ok(())
    }
}

impl<T: TensorTarget + ?Sized> TensorTarget for &mut T {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        (**self).set_len(len)
    }
}
