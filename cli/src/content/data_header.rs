//! The header of a `.safetensors` file, taken from its data while that is decoded.

use zipnn::tensor::safetensors::Metadata;

use crate::content::beginning::may_begin_json;

/// Returns where the last tensor ends.
pub fn end_of(layout: &Metadata) -> u64 {
    let ends = layout.tensors().iter().map(|tensor| tensor.range.end);
    ends.max().unwrap_or(layout.data_start())
}

/// The header of the data, if that begins as a `.safetensors` file does.
#[derive(Debug, Default)]
pub struct DataHeader(Vec<u8>);

impl DataHeader {
    const LENGTH_LEN: usize = Metadata::PREFIX_LEN as usize;

    /// Takes the next bytes of the data, and keeps the part that belongs to the header.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        // First the eight bytes that hold the header's length, then the header.
        while let Some(missing) = self.missing().filter(|&missing| missing > 0) {
            let (part, behind) = rest.split_at(missing.min(rest.len()));
            self.0.extend_from_slice(part);
            rest = behind;
            if part.is_empty() {
                return;
            }
        }
    }

    /// Returns how many bytes are missing; `None` if the data has no such header.
    fn missing(&self) -> Option<usize> {
        let Some(len) = self.0.first_chunk().copied().map(u64::from_le_bytes) else {
            return Some(Self::LENGTH_LEN - self.0.len());
        };
        let is_header = len <= Metadata::MAX_HEADER_LEN
            && self.0.get(Self::LENGTH_LEN).is_none_or(|&byte| may_begin_json(byte));
        let len = usize::try_from(len).ok().filter(|_| is_header)?;
        Some((Self::LENGTH_LEN + len).saturating_sub(self.0.len()))
    }

    /// Returns by how many bytes data of this length ends before its last tensor; `None` if it does
    /// not.
    pub fn shortage(&self, data_len: u64) -> Option<u64> {
        let end = end_of(&self.layout()?);
        end.checked_sub(data_len).filter(|&shortage| shortage > 0)
    }

    /// Returns the layout of the data, once the whole header has been taken.
    pub fn layout(&self) -> Option<Metadata> {
        Metadata::parse_header(&self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_takes_no_more_than_it_has() {
        let json = br#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
        let file = [&(json.len() as u64).to_le_bytes()[..], json, &[7; 1000]].concat();
        for step in [1, 7, 5000] {
            let mut header = DataHeader::default();
            file.chunks(step).for_each(|part| header.push(part));
            assert_eq!(header.0.len(), 8 + json.len());
            let end = header.0.len() as u64 + 4;
            assert_eq!(end_of(&header.layout().unwrap()), end);
            assert_eq!(
                [end - 3, end, end + 1].map(|len| header.shortage(len)),
                [Some(3), None, None]
            );
        }
        let mut header = DataHeader::default();
        header.push(&[b'x'; 5000]);
        assert_eq!(header.0.len(), 8);
        assert_eq!(header.shortage(0), None);
        let mut header = DataHeader::default();
        header.push(&[0xff; 5000]);
        assert_eq!(header.0.len(), 8);
    }
}
