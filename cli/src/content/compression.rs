//! Detecting how a file is compressed, by its contents.

use zipnn::Limits;
use zipnn::frame::MAGIC;

use crate::content::beginning;
use crate::content::tensor_source::TensorSource;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::fs::names::Scope;
use crate::report::failure::Failure;

/// Returns whether a file is compressed as a whole or inside, or `None` if it is uncompressed.
///
/// Pipes and devices cannot be read twice, and count as compressed as a whole.
pub fn detect(endpoint: &Endpoint) -> Result<Option<Scope>, Failure> {
    if endpoint.path().is_none_or(|path| path.exists() && !path.is_file()) {
        return Ok(Some(Scope::File));
    }
    if beginning::is_safetensors(endpoint) {
        let source = TensorSource::open(endpoint, Limits::default())?;
        return Ok(source.reader.is_compressed().then_some(Scope::Tensors));
    }
    let mut input = Input::open(endpoint)?;
    let mut beginning = Vec::new();
    let read = input.read_up_to(MAGIC.len() as u64, &mut beginning);
    read.map_err(|error| input.failure(error))?;
    Ok((beginning == MAGIC).then_some(Scope::File))
}
