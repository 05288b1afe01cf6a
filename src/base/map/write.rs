//! Writes a map.

use alloc::vec::Vec;

use crate::base::map::BaseMap;
use crate::base::varint::{write, zigzag};

impl BaseMap {
    /// Returns the body of the record that stores the map.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(self.len, &mut bytes);
        write(self.sources.len() as u64, &mut bytes);
        for source in &self.sources {
            write(source.len, &mut bytes);
            bytes.extend_from_slice(&source.hash);
            write_text(&source.path, &mut bytes);
        }
        write(self.segments.len() as u64, &mut bytes);
        let (mut end, mut source_end) = (0, 0);
        for segment in &self.segments {
            write(segment.range.start - end, &mut bytes);
            write(segment.range.end - segment.range.start, &mut bytes);
            write(segment.source as u64, &mut bytes);
            write(zigzag(segment.offset.wrapping_sub(source_end) as i64), &mut bytes);
            bytes.push(segment.conversion.code());
            end = segment.range.end;
            source_end = segment.source_range().map_or(0, |range| range.end);
        }
        write(self.tensors.len() as u64, &mut bytes);
        let mut end = 0;
        for tensor in &self.tensors {
            write(tensor.range.start - end, &mut bytes);
            write(tensor.range.end - tensor.range.start, &mut bytes);
            write_text(&tensor.name, &mut bytes);
            end = tensor.range.end;
        }
        bytes
    }
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    write(text.len() as u64, bytes);
    bytes.extend_from_slice(text.as_bytes());
}
