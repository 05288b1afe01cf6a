//! Collects the header of a `.safetensors` or GGUF file while its data is decoded.

use zipnn::tensor::{Metadata, MetadataError};

use crate::content::beginning::{PEEK_LEN, may_list_tensors};

/// Returns the offset at which the last tensor ends.
pub fn end_of(layout: &Metadata) -> u64 {
    let ends = layout.tensors().iter().map(|tensor| tensor.range.end);
    ends.max().unwrap_or(layout.data_start())
}

/// The header of decoded data, if the data begins like a `.safetensors` or GGUF file.
#[derive(Debug, Default)]
pub struct DataHeader {
    bytes: Vec<u8>,
    /// Number of bytes after which the header can be examined.
    needed: usize,
    /// Whether the header is complete, or cannot be one.
    is_finished: bool,
    layout: Option<Metadata>,
}

impl DataHeader {
    /// Adds the next bytes of the data. Keeps only those that belong to the header.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_finished {
            let missing = self.needed.saturating_sub(self.bytes.len());
            let (part, after) = rest.split_at(missing.min(rest.len()));
            self.bytes.extend_from_slice(part);
            rest = after;
            if part.len() == missing {
                self.examine();
            }
        }
    }

    /// Determines how many bytes the header needs, and its metadata once it is complete.
    fn examine(&mut self) {
        match Metadata::parse_header(&self.bytes) {
            Err(MetadataError::Truncated { needed, .. }) if may_list_tensors(&self.bytes) => {
                self.needed = usize::try_from(needed).unwrap_or(usize::MAX).max(PEEK_LEN);
            }
            parsed => {
                self.layout = parsed.ok();
                self.is_finished = true;
            }
        }
    }

    /// Returns whether more bytes can change the result.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Returns the number of bytes missing between the end of data of this length and the end of
    /// its last tensor, or `None` if none are missing.
    pub fn shortage(&self, data_len: u64) -> Option<u64> {
        let end = end_of(self.layout()?);
        end.checked_sub(data_len).filter(|&shortage| shortage > 0)
    }

    /// Returns the metadata in the header, if the header is complete.
    pub fn layout(&self) -> Option<&Metadata> {
        self.layout.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_exactly_the_bytes_of_the_header() {
        let json = br#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
        let file = [&(json.len() as u64).to_le_bytes()[..], json, &[7; 1000]].concat();
        for step in [1, 7, 5000] {
            let mut header = DataHeader::default();
            file.chunks(step).for_each(|part| header.push(part));
            assert_eq!(header.bytes.len(), 8 + json.len());
            let end = header.bytes.len() as u64 + 4;
            assert_eq!(end_of(header.layout().unwrap()), end);
            assert_eq!(
                [end - 3, end, end + 1].map(|len| header.shortage(len)),
                [Some(3), None, None]
            );
        }
        let mut header = DataHeader::default();
        header.push(&[b'x'; 5000]);
        assert_eq!(header.bytes.len(), PEEK_LEN);
        assert_eq!(header.shortage(0), None);
        let mut header = DataHeader::default();
        header.push(&[0xff; 5000]);
        assert_eq!(header.bytes.len(), PEEK_LEN);
    }
}
