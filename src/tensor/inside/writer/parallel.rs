//! Writes tensors on all threads of the current `rayon` pool.

use std::io::{Read, Seek, Write};

use crate::options::Options;
use crate::tensor::inside::error::TensorError;
use crate::tensor::inside::pool::Pool;
use crate::tensor::inside::target::TensorTarget;
use crate::tensor::inside::writer::TensorWriter;

impl<W: Write + Seek> TensorWriter<W> {
    /// Writes the next tensor on all threads of the current `rayon` pool, as [`Self::write`] does.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::write`].
    pub fn par_write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, &Pool)
    }

    /// Writes the next tensor from a reader on all threads of the current `rayon` pool.
    ///
    /// Works as [`Self::write_from`] does.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::write_from`].
    pub fn par_write_from(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
    ) -> Result<(), TensorError>
    where
        W: TensorTarget,
    {
        self.write_from_with(source, options, &Pool)
    }
}
