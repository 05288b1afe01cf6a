//! Arbitrary bytes as a file of tensors of any format, whose headers can be anywhere.
//!
//! Only ranges of the file are wanted, and reading ends. Located tensors lie within the file, and
//! each byte is in one part of the plan.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zipnn::tensor::{Metadata, MetadataError, MetadataReader, plan};

fuzz_target!(|file: &[u8]| {
    let len = file.len() as u64;
    let mut reader = MetadataReader::new(len);
    let mut reads = 0;
    let fed = reader.feed_all::<MetadataError>(|range, bytes| {
        reads += 1;
        assert!(reads <= file.len() + 2, "reading does not end");
        assert!(range.start <= range.end && range.end <= len, "{range:?}");
        bytes.extend_from_slice(&file[range.start as usize..range.end as usize]);
        Ok(())
    });
    let external = reader.external("model.onnx.data", 1000);
    assert!(external.iter().all(|external| external.file_len() == 1000));
    let found = fed.and_then(|()| reader.finish());
    // Errors state how many bytes were read.
    assert_eq!(from_parts(file).ok(), found.clone().ok(), "in parts of equal length");
    let Ok(metadata) = found else { return };
    let _ = (metadata.main_dtype(), metadata.oddities().count());
    for tensor in metadata.tensors() {
        assert!(tensor.range.start <= tensor.range.end && tensor.range.end <= len, "{tensor:?}");
        assert!(metadata.tensor(&tensor.name).is_some());
    }
    let mut at = 0;
    for part in plan(&metadata, 100) {
        assert_eq!(part.range.start, at);
        at = part.range.end;
    }
    assert_eq!(at, len);
});

/// Finds the tensors by reading parts of equal length, as in a compressed file.
fn from_parts(file: &[u8]) -> Result<Metadata, MetadataError> {
    const PART: usize = 100;
    let mut reader = MetadataReader::new(file.len() as u64).first_read(0);
    while let Some(range) = reader.wanted() {
        let start = range.start as usize / PART * PART;
        reader.feed_at(start as u64, &file[start..file.len().min(start + PART)])?;
    }
    reader.finish()
}
