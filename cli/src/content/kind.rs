//! What kind of file it is, going by its contents.

use zipnn::Limits;

use crate::content::beginning::{self, MAGIC};
use crate::content::tensor_source::Source;
use crate::fs::endpoint::Place;
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
    pub fn of(place: &Place) -> Result<Self, Failure> {
        if place.path().is_none_or(|path| path.exists() && !path.is_file()) {
            return Ok(Self::Whole);
        }
        if beginning::is_safetensors(place) {
            let is_compressed = Source::open(place, Limits::default())?.reader.is_compressed();
            return Ok(if is_compressed { Self::Inside } else { Self::Plain });
        }
        let mut input = Input::open(place)?;
        let mut beginning = Vec::new();
        let read = input.read_up_to(MAGIC.len() as u64, &mut beginning);
        read.map_err(|error| input.failure(error))?;
        Ok(if beginning == MAGIC { Self::Whole } else { Self::Plain })
    }
}
