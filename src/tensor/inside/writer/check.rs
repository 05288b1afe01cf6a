//! Checks and completes the options of a tensor.

use crate::base::Delta;
use crate::dtype::DType;
use crate::error::EncodeError;
use crate::frame::header::Form;
use crate::frame::write::envelope::Envelope;
use crate::options::Options;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::costs::is_candidate;
use crate::tensor::inside::error::TensorError;

/// Returns the options for compressing a tensor, or `None` if it is to be stored uncompressed.
pub(super) fn options_for<'o>(
    tensor: &TensorInfo,
    options: Option<&'o Options>,
    has_checksums: bool,
) -> Result<Option<&'o Options>, TensorError> {
    let dtype = tensor.dtype().filter(|_| is_candidate(tensor));
    let Some((options, dtype)) = options.zip(dtype) else { return Ok(None) };
    check_options(options, dtype, has_checksums)
        .map_err(|error| TensorError::Encode { name: tensor.name.clone(), error })?;
    Ok(Some(options))
}

/// Checks that the options suit a tensor of this type, and a file with or without checksums.
fn check_options(
    options: &Options,
    expected: DType,
    has_checksums: bool,
) -> Result<(), EncodeError> {
    let found = options.dtype();
    if found != Some(expected) {
        return Err(EncodeError::WrongDType { expected, found });
    }
    if options.delta != Delta::None {
        return Err(EncodeError::UnexpectedDelta);
    }
    if options.checksums != has_checksums {
        return Err(EncodeError::ChecksumsDiffer);
    }
    Ok(())
}

/// Returns the envelope of a tensor's frame.
pub(super) fn envelope(tensor: &TensorInfo) -> Envelope<'_> {
    Envelope { form: Form::Torch, shape: &tensor.shape, is_aligned: true, ..Envelope::BYTES }
}
