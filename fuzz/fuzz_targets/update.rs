//! Updates of weights and maps of bases: round trips, and changed or arbitrary bytes do no harm.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::delta::{BaseId, BaseMap, MapSegment, MapSource, MapTensor, Update, UpdateEncoder};
use zipnn::frame::{Annex, DecodeScratch, Frame};
use zipnn::{DType, Profile};
use zipnn_fuzz::{Data, change};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    dtype: u8,
    after: Data,
    /// Changes that make the weights before the step.
    before: Vec<(u16, u8)>,
    changes: Vec<(u16, u8)>,
    /// A message that no encoder has written.
    message: &'a [u8],
    /// Lengths of gaps and segments of a map.
    segments: Vec<(u16, u16, u16)>,
    name: &'a str,
    /// The annex of a frame.
    annex: &'a [u8],
}

/// Applies a message to copies of the weights, whatever it contains.
fn apply(message: &[u8], weights: &[u8]) -> Option<Vec<u8>> {
    let update = Update::parse(message).ok()?;
    let mut weights = weights.to_vec();
    for tensor in update.tensors() {
        tensor.apply(&mut weights, &mut DecodeScratch::new()).ok()?;
    }
    Some(weights)
}

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |input: Input<'_>| {
    let after = &input.after.0;
    let mut before = after.clone();
    change(&mut before, &input.before);
    let dtype = DType::ALL[usize::from(input.dtype) % DType::ALL.len()];
    let mut encoder = UpdateEncoder::new(input.changes.len() as u64, Profile::Extended);
    encoder.add(input.name, dtype, &before, after).unwrap();
    let mut message = encoder.finish();
    assert!(apply(&message, &before).as_ref() == Some(after));
    change(&mut message, &input.changes);
    apply(&message, &before);
    apply(input.message, &before);

    let mut map = BaseMap::new(1 << 40, vec![MapSource::new(input.name, 1 << 40, [7; 16])]);
    let mut end = 0;
    for &(gap, len, offset) in &input.segments {
        let range = end + u64::from(gap)..end + u64::from(gap) + u64::from(len);
        end = range.end;
        map.push(MapSegment::copy(range.clone(), 0, offset.into())).unwrap();
        map.push_tensor(MapTensor::new(range, input.name)).unwrap();
    }
    let mut frame = map.to_frame(BaseId::of(before.as_slice()));
    assert_eq!(Frame::parse(&frame).unwrap().annex().base_map(), Ok(Some(map)));
    change(&mut frame, &input.changes);
    if let Ok(frame) = Frame::parse(&frame) {
        let _ = frame.annex().base_map();
    }
    if let Ok(annex) = Annex::parse(input.annex) {
        let _ = annex.base_map();
    }
});
