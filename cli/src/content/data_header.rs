//! Collects the header of a `.safetensors` file while its data is decoded.

use zipnn::tensor::safetensors::Metadata;

use crate::content::beginning::may_begin_json;

/// Returns the offset at which the last tensor ends.
pub fn end_of(layout: &Metadata) -> u64 {
    let ends = layout.tensors().iter().map(|tensor| tensor.range.end);
    ends.max().unwrap_or(layout.data_start())
}

/// The header of decoded data, if the data begins like a `.safetensors` file.
#[derive(Debug, Default)]
pub struct DataHeader(Vec<u8>);

impl DataHeader {
    const LENGTH_LEN: usize = Metadata::PREFIX_LEN as usize;

    /// Adds the next bytes of the data. Keeps only those that belong to the header.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        // First the length of the header, then the header.
        while let Some(missing) = self.missing().filter(|&missing| missing > 0) {
            let (part, behind) = rest.split_at(missing.min(rest.len()));
            self.0.extend_from_slice(part);
            rest = behind;
            if part.is_empty() {
                return;
            }
        }
    }

    /// Returns the number of missing bytes; `None` if the data has no header.
    fn missing(&self) -> Option<usize> {
        let Some(len) = self.0.first_chunk().copied().map(u64::from_le_bytes) else {
            return Some(Self::LENGTH_LEN - self.0.len());
        };
        let is_header = len <= Metadata::MAX_HEADER_LEN
            && self.0.get(Self::LENGTH_LEN).is_none_or(|&byte| may_begin_json(byte));
        let len = usize::try_from(len).ok().filter(|_| is_header)?;
        Some((Self::LENGTH_LEN + len).saturating_sub(self.0.len()))
    }

    /// Returns the number of bytes missing between the end of data of this length and the end of
    /// its last tensor, or `None` if none are missing.
    pub fn shortage(&self, data_len: u64) -> Option<u64> {
        let end = end_of(&self.layout()?);
        end.checked_sub(data_len).filter(|&shortage| shortage > 0)
    }

    /// Returns the metadata in the header, if the header is complete.
    pub fn layout(&self) -> Option<Metadata> {
        Metadata::parse_header(&self.0).ok()
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
