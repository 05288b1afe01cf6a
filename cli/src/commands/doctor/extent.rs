//! How much of a pipe has to be read to examine its data.

use zipnn::frame::{HEADER_LEN, Header, MAGIC};
use zipnn::legacy;
use zipnn::tensor::safetensors::MAX_HEADER_LEN;

use crate::content::beginning;
use crate::content::data_header::{DataHeader, end_of};

/// Maximum number of bytes to read that no header announces. Their parts are probably alike.
const MAX_UNANNOUNCED: u64 = 64 << 20;

/// How far the headers in data announce what follows, so that endless data is not read forever.
pub struct Extent {
    kind: Kind,
    /// Number of bytes that were pushed.
    len: u64,
}

enum Kind {
    /// Nothing was read yet.
    Empty,
    Unannounced,
    /// The header of each frame announces its length.
    Frames(Frames),
    /// The header announces the tensors.
    Tensors(DataHeader),
    /// A file in an old layout, which has to be decoded as a whole.
    Old,
}

/// The frames of a compressed file.
#[derive(Default)]
struct Frames {
    /// The offset of the next frame.
    next: u64,
    /// The first bytes of its header.
    header: Vec<u8>,
    /// Whether what is at this offset is no frame.
    has_ended: bool,
}

impl Extent {
    pub fn new() -> Self {
        Self { kind: Kind::Empty, len: 0 }
    }

    /// Adds the next bytes, of which the first must be enough to detect the kind of the data.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Kind::Empty = self.kind {
            self.kind = Kind::of(bytes);
        }
        match &mut self.kind {
            Kind::Frames(frames) => frames.push(self.len, bytes),
            Kind::Tensors(header) => header.push(bytes),
            Kind::Empty | Kind::Unannounced | Kind::Old => {}
        }
        self.len += bytes.len() as u64;
    }

    /// Returns whether the bytes are enough to examine the data.
    pub fn is_enough(&self) -> bool {
        let announced = match &self.kind {
            Kind::Empty | Kind::Unannounced => 0,
            Kind::Frames(frames) => frames.next,
            Kind::Tensors(header) if !header.is_finished() => MAX_HEADER_LEN,
            Kind::Tensors(header) => header.layout().map_or(0, end_of),
            Kind::Old => return false,
        };
        self.len >= announced.saturating_add(MAX_UNANNOUNCED)
    }
}

impl Kind {
    fn of(beginning: &[u8]) -> Self {
        if beginning::lists_tensors(beginning) {
            return Self::Tensors(DataHeader::default());
        }
        if !beginning.starts_with(&MAGIC) {
            return Self::Unannounced;
        }
        let is_old = legacy::is_legacy(beginning)
            || Header::parse(beginning).is_ok_and(|first| legacy::may_be_legacy(&first));
        if is_old { Self::Old } else { Self::Frames(Frames::default()) }
    }
}

impl Frames {
    /// Adds the bytes from an offset on.
    fn push(&mut self, offset: u64, bytes: &[u8]) {
        while !self.has_ended {
            let missing_from = self.next + self.header.len() as u64 - offset;
            let rest = usize::try_from(missing_from).ok().and_then(|from| bytes.get(from..));
            let Some(rest) = rest.filter(|rest| !rest.is_empty()) else { return };
            let missing = HEADER_LEN - self.header.len();
            self.header.extend_from_slice(&rest[..missing.min(rest.len())]);
            if self.header.len() < HEADER_LEN {
                return;
            }
            let next = match Header::parse_following(&self.header) {
                Ok(header) => self.next.checked_add(header.frame_len),
                Err(_) => None,
            };
            self.header.clear();
            match next {
                Some(next) => self.next = next,
                None => self.has_ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use zipnn::{DType, Options};

    use super::*;

    /// Pushes `beginning` in parts and then zeros, and returns after how many bytes it is enough.
    fn enough(beginning: &[u8], step: usize) -> Option<u64> {
        let mut extent = Extent::new();
        beginning.chunks(step).for_each(|part| extent.push(part));
        let zeros = vec![0; 1 << 20];
        while !extent.is_enough() {
            if extent.len > 300 << 20 {
                return None;
            }
            extent.push(&zeros);
        }
        Some(extent.len)
    }

    #[test]
    fn announced_bytes_are_read() {
        let frame = zipnn::compress(&[7; 5000], &Options::new(DType::BF16)).unwrap();
        let file = frame.repeat(3);
        for step in [64, 100, 1 << 20] {
            let len = enough(&file, step).unwrap();
            assert_eq!(len, file.len() as u64 + MAX_UNANNOUNCED, "{step}");
        }
        // The second frame is longer than what follows.
        let mut long = frame.repeat(2);
        long[frame.len() + 24..][..8].copy_from_slice(&(90_u64 << 20).to_le_bytes());
        let len = enough(&long, 100).unwrap();
        assert!(((90 + 64) << 20..(92 + 64) << 20).contains(&len), "{len}");
        let json = br#"{"a":{"dtype":"U8","shape":[94371840],"data_offsets":[0,94371840]}}"#;
        let tensors = [&(json.len() as u64).to_le_bytes()[..], json].concat();
        let len = enough(&tensors, 1 << 20).unwrap();
        assert!(((90 + 64) << 20..(92 + 64) << 20).contains(&len), "{len}");
    }

    #[test]
    fn other_bytes_are_sampled() {
        assert_eq!(enough(&[], 1), Some(MAX_UNANNOUNCED));
        assert_eq!(enough(&[1; 1 << 20], 1 << 20), Some(MAX_UNANNOUNCED));
        assert_eq!(enough(&[b"ZN", &[0xff; 98][..]].concat(), 100), Some(MAX_UNANNOUNCED + 100));
        // A header that never ends.
        let endless = [&99_999_999_u64.to_le_bytes()[..], b"{"].concat();
        assert!(enough(&endless, 100).unwrap() < 200 << 20);
    }
}
