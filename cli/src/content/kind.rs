//! What kind of file it is, going by its contents.

use zipnn::Limits;

use crate::content::beginning::{self, MAGIC};
use crate::content::tensor_source::TensorSource;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::report::failure::Failure;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a whole.
    Whole,
    /// The tensors inside it, or at least some of them.
    Inside,
    /// Not compressed.
    Plain,
}

impl Kind {
    /// Detects the kind of a file. Pipes and devices cannot be read twice, and count as compressed
    /// as a whole.
    pub fn of(endpoint: &Endpoint) -> Result<Self, Failure> {
        if endpoint.path().is_none_or(|path| path.exists() && !path.is_file()) {
            return Ok(Self::Whole);
        }
        if beginning::is_safetensors(endpoint) {
            let is_compressed =
                TensorSource::open(endpoint, Limits::default())?.reader.is_compressed();
            return Ok(if is_compressed { Self::Inside } else { Self::Plain });
        }
        let mut input = Input::open(endpoint)?;
        let mut beginning = Vec::new();
        let read = input.read_up_to(MAGIC.len() as u64, &mut beginning);
        read.map_err(|error| input.failure(error))?;
        Ok(if beginning == MAGIC { Self::Whole } else { Self::Plain })
    }
}
