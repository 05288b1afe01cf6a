//! Parses a map.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::base::map::{BaseMap, Conversion, MapSegment, MapSource, MapTensor};
use crate::base::varint::{read, unzigzag};

impl BaseMap {
    /// Parses the body of the record that stores a map; `None` if it is malformed.
    ///
    /// The memory for the result is proportional to the length of `bytes`.
    pub(crate) fn parse(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let len = read(bytes)?;
        let mut map = Self::new(len, Vec::new());
        for _ in 0..read(bytes)? {
            map.sources.push(parse_source(bytes)?);
        }
        let (mut end, mut source_end) = (0_u64, 0_u64);
        for _ in 0..read(bytes)? {
            let start = end.checked_add(read(bytes)?)?;
            end = start.checked_add(read(bytes)?)?;
            let source = usize::try_from(read(bytes)?).ok()?;
            let offset = source_end.wrapping_add(unzigzag(read(bytes)?) as u64);
            let (&code, rest) = bytes.split_first()?;
            *bytes = rest;
            let conversion = Conversion::from_code(code)?;
            let segment = MapSegment { range: start..end, source, offset, conversion };
            source_end = segment.source_range()?.end;
            map.push(segment)?;
        }
        let mut end = 0_u64;
        for _ in 0..read(bytes)? {
            let start = end.checked_add(read(bytes)?)?;
            end = start.checked_add(read(bytes)?)?;
            map.push_tensor(MapTensor { range: start..end, name: parse_text(bytes)? })?;
        }
        bytes.is_empty().then_some(map)
    }
}

fn parse_source(bytes: &mut &[u8]) -> Option<MapSource> {
    let len = read(bytes)?;
    let (&hash, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(MapSource { path: parse_text(bytes)?, len, hash })
}

fn parse_text(bytes: &mut &[u8]) -> Option<String> {
    let len = usize::try_from(read(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(core::str::from_utf8(text).ok()?.to_string())
}
