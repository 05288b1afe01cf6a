//! Messages that update weights from one step to the next.

use alloc::vec::Vec;

use crate::base::varint;
use crate::base::{self, BaseId};
use crate::checksum::{self, checksum};
use crate::chunk::decode::DecodeScratch;
use crate::delta::oneshot;
use crate::dtype::DType;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::format::{UPDATE_CHECKSUM_LEN, UPDATE_MAGIC};
use crate::frame::whole::{Frame, stored};
use crate::options::Options;
use crate::profile::Profile;

/// Creates a message that updates weights, for example on servers while a model is trained.
///
/// The message contains the differences of all tensors that changed, and identifies the weights to
/// which it can be applied. [`Update`] reads it.
///
/// ```
/// use zipnn::delta::{Update, UpdateEncoder};
/// use zipnn::frame::DecodeScratch;
/// use zipnn::{DType, Profile};
///
/// let before = vec![0x3f; 10_000];
/// let mut after = before.clone();
/// after[1234] = 0x3e;
///
/// let mut encoder = UpdateEncoder::new(7, Profile::default());
/// encoder.add("layer", DType::BF16, &before, &after)?;
/// let message = encoder.finish();
/// assert!(message.len() < 1000);
///
/// let mut served = before.clone();
/// let update = Update::parse(&message)?;
/// assert_eq!(update.step(), 7);
/// for tensor in update.tensors() {
///     assert_eq!(tensor.name(), "layer");
///     tensor.apply(&mut served, &mut DecodeScratch::new())?;
/// }
/// assert_eq!(served, after);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct UpdateEncoder {
    step: u64,
    profile: Profile,
    count: u64,
    tensors: Vec<u8>,
}

impl UpdateEncoder {
    /// Begins the update to a step. Messages of the extended profile are the smallest.
    pub fn new(step: u64, profile: Profile) -> Self {
        Self { step, profile, count: 0, tensors: Vec::new() }
    }

    /// Adds a tensor with its bytes before and after the step. Ignores a tensor that is unchanged.
    ///
    /// # Errors
    ///
    /// `BaseLength` if both have different lengths, and `OutOfMemory`.
    pub fn add(
        &mut self,
        name: &str,
        dtype: DType,
        before: &[u8],
        after: &[u8],
    ) -> Result<(), EncodeError> {
        if before == after {
            return Ok(());
        }
        let frame = oneshot::compress(after, before, &Options::new(dtype).profile(self.profile))?;
        varint::write(name.len() as u64, &mut self.tensors);
        self.tensors.extend_from_slice(name.as_bytes());
        varint::write(frame.len() as u64, &mut self.tensors);
        self.tensors.extend_from_slice(&frame);
        self.count += 1;
        Ok(())
    }

    /// Returns the message.
    pub fn finish(self) -> Vec<u8> {
        let mut message = UPDATE_MAGIC.to_vec();
        varint::write(self.step, &mut message);
        varint::write(self.count, &mut message);
        message.extend_from_slice(&self.tensors);
        message.extend_from_slice(&checksum(&message).to_le_bytes());
        message
    }
}

/// A message of an [`UpdateEncoder`], whose checksum has been verified.
#[derive(Debug, Clone)]
pub struct Update<'m> {
    step: u64,
    tensors: Vec<UpdatedTensor<'m>>,
}

impl<'m> Update<'m> {
    /// Parses a message.
    ///
    /// # Errors
    ///
    /// `BadMagic` if the bytes are no update, `ChecksumMismatch` if the message is damaged or
    /// incomplete, `InvalidLength` if it contradicts itself, and the errors of [`Frame::parse`]
    /// with the number of the tensor as the number of the frame.
    pub fn parse(message: &'m [u8]) -> Result<Self, DecodeError> {
        let start = message.strip_prefix(&UPDATE_MAGIC).ok_or(DecodeErrorKind::BadMagic)?;
        let mismatch = DecodeErrorKind::ChecksumMismatch;
        let (_, expected) = start.split_last_chunk::<UPDATE_CHECKSUM_LEN>().ok_or(mismatch)?;
        let content = &message[..message.len() - UPDATE_CHECKSUM_LEN];
        if !checksum::matches(content, u64::from_le_bytes(*expected)) {
            return Err(mismatch.into());
        }
        Self::parse_content(&content[UPDATE_MAGIC.len()..])
    }

    fn parse_content(mut rest: &'m [u8]) -> Result<Self, DecodeError> {
        let invalid = DecodeErrorKind::InvalidLength;
        let step = varint::read(&mut rest).ok_or(invalid)?;
        let count = varint::read(&mut rest).ok_or(invalid)?;
        let mut tensors = Vec::new();
        for number in 0..count {
            let name = take(&mut rest).and_then(|name| core::str::from_utf8(name).ok());
            let (name, frame) = name.zip(take(&mut rest)).ok_or(invalid)?;
            let frame = Frame::parse(frame).map_err(|error| error.in_frame(number))?;
            let base = frame.annex().base().ok_or(DecodeErrorKind::NotADelta)?;
            tensors.push(UpdatedTensor { name, frame, base });
        }
        if rest.is_empty() { Ok(Self { step, tensors }) } else { Err(invalid.into()) }
    }

    /// Returns the number of the step after the update.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Returns the tensors that change.
    ///
    /// To apply either all of an update or nothing, call [`UpdatedTensor::check`] for all tensors
    /// first.
    pub fn tensors(&self) -> &[UpdatedTensor<'m>] {
        &self.tensors
    }
}

/// Takes bytes with their length from the beginning of `rest`.
fn take<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
    let len = usize::try_from(varint::read(rest)?).ok()?;
    let (bytes, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(bytes)
}

/// The difference of a tensor in an [`Update`].
#[derive(Debug, Clone, Copy)]
pub struct UpdatedTensor<'m> {
    name: &'m str,
    frame: Frame<'m>,
    base: BaseId,
}

impl UpdatedTensor<'_> {
    /// Returns the name of the tensor.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Returns the length of the tensor in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a changed tensor is never empty")]
    pub fn len(&self) -> u64 {
        self.frame.decoded_len()
    }

    /// Checks that `weights` are the bytes of the tensor before the step.
    ///
    /// # Errors
    ///
    /// `BaseLength` or `WrongBase` if they are not.
    pub fn check(&self, weights: &[u8]) -> Result<(), DecodeError> {
        base::check(self.base, BaseId::of(weights))?;
        base::check_len(self.len(), weights.len() as u64)?;
        Ok(())
    }

    /// Replaces the bytes of the tensor before the step with the bytes after it.
    ///
    /// `scratch` has room for one chunk afterwards.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::check`], after which `weights` are unchanged. Other errors, of
    /// decoding, are impossible for messages of an [`UpdateEncoder`]; `weights` may then have
    /// changed in part.
    pub fn apply(
        &self,
        weights: &mut [u8],
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        self.check(weights)?;
        let mut decoded = core::mem::take(&mut scratch.chunk);
        let result = self.apply_chunks(weights, &mut decoded, scratch);
        scratch.chunk = decoded;
        result
    }

    fn apply_chunks(
        &self,
        mut weights: &mut [u8],
        decoded: &mut Vec<u8>,
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        for (number, chunk) in self.frame.index().chunks().enumerate() {
            let chunk = chunk.with_checksum(self.frame.annex().checksum(number));
            let part = weights.split_off_mut(..chunk.len() as usize);
            let part = part.ok_or(DecodeErrorKind::InvalidLength)?;
            let decoded = crate::try_alloc::at_least(decoded, chunk.len())?;
            let decoded = &mut decoded[..part.len()];
            let mut scratch = scratch.with_len(chunk.scratch_len())?;
            chunk
                .decode_delta(&stored(&chunk, self.frame.bytes()), part, decoded, &mut scratch)
                .map_err(|error| error.in_chunk(number as u64))?;
            part.copy_from_slice(decoded);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(seed: u8) -> Vec<u8> {
        (0..600_000_u32).map(|i| (i.wrapping_mul(i) >> 9) as u8 & 0x3f ^ seed).collect()
    }

    /// Returns tensors before and after a step, and the message.
    fn message() -> ([Vec<u8>; 3], [Vec<u8>; 3], Vec<u8>) {
        let before = [weights(1), weights(2), weights(3)];
        let mut after = before.clone();
        after[0].iter_mut().step_by(1000).for_each(|byte| *byte ^= 1);
        after[2][599_999] ^= 0x80;
        let mut encoder = UpdateEncoder::new(1 << 40, Profile::default());
        for (name, (before, after)) in ["a", "b", "c"].into_iter().zip(before.iter().zip(&after)) {
            encoder.add(name, DType::BF16, before, after).unwrap();
        }
        let message = encoder.finish();
        (before, after, message)
    }

    #[test]
    fn updates_are_applied_in_place() {
        let (before, after, message) = message();
        let update = Update::parse(&message).unwrap();
        let names: Vec<_> = update.tensors().iter().map(UpdatedTensor::name).collect();
        assert_eq!((update.step(), &names[..]), (1 << 40, &["a", "c"][..]));
        let mut scratch = DecodeScratch::new();
        for (tensor, index) in update.tensors().iter().zip([0, 2]) {
            let mut weights = before[index].clone();
            tensor.check(&weights).unwrap();
            tensor.apply(&mut weights, &mut scratch).unwrap();
            assert!(weights == after[index]);
            let twice = tensor.apply(&mut weights, &mut scratch).unwrap_err();
            assert_eq!(twice.kind(), DecodeErrorKind::WrongBase);
            assert!(weights == after[index]);
            assert!(tensor.apply(&mut weights[1..], &mut scratch).is_err());
        }
    }

    #[test]
    fn damaged_messages_are_errors() {
        let (.., message) = message();
        for len in (0..message.len()).step_by(7) {
            assert!(Update::parse(&message[..len]).is_err(), "{len}");
        }
        for at in (0..message.len()).step_by(5) {
            let mut bad = message.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(Update::parse(&bad).is_err(), "{at}");
        }
    }

    #[test]
    fn contradictions_with_a_right_checksum_are_errors() {
        let with_checksum = |content: &[u8]| {
            let mut message = [&UPDATE_MAGIC[..], content].concat();
            message.extend(checksum(&message).to_le_bytes());
            message
        };
        let frame = crate::compress(&[1; 100], &Options::new(DType::F32)).unwrap();
        let mut plain = alloc::vec![0, 1, 1, b'x'];
        varint::write(frame.len() as u64, &mut plain);
        plain.extend(frame);
        for content in [&[][..], &[0], &[0, 1], &[0, 0, 0], &[0, 2, 1, b'x'], &plain] {
            assert!(Update::parse(&with_checksum(content)).is_err(), "{content:?}");
        }
        assert!(Update::parse(&with_checksum(&[0, 0])).unwrap().tensors().is_empty());
        assert_eq!(Update::parse(b"Not found").unwrap_err().kind(), DecodeErrorKind::BadMagic);
    }
}
