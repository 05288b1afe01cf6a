//! Where files in which tensors are compressed are written.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::vec::Vec;

/// Output of a [`TensorWriter`](crate::tensor::TensorWriter) that can be read again and cut off: large
/// tensors are put together there.
pub trait TensorTarget: Read + Write + Seek {
    /// Sets the length of the output, which is cut off or filled up with zeros.
    ///
    /// # Errors
    ///
    /// Errors of the output.
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
