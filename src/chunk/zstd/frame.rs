//! Checks the headers of Zstandard frames (RFC 8878, section 3.1.1).

/// Magic number of a frame.
pub(super) const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// Bits of the frame header descriptor.
pub(super) mod descriptor {
    /// Two bits: the length of the dictionary identifier.
    pub(in super::super) const DICTIONARY: u8 = 0b11;
    /// Set if a checksum follows the blocks.
    pub(in super::super) const CHECKSUM: u8 = 1 << 2;
    pub(in super::super) const RESERVED: u8 = 1 << 3;
    /// Set if the window is as long as the content, and has no descriptor.
    pub(in super::super) const SINGLE_SEGMENT: u8 = 1 << 5;
    /// Offset of two bits that give the length of the content size.
    pub(in super::super) const CONTENT_SIZE_SHIFT: u32 = 6;
}

/// Kinds of blocks.
pub(super) mod block {
    /// Length of a block's header in bytes.
    pub(in super::super) const HEADER_LEN: usize = 3;
    /// Maximum length of a block in bytes, both stored and decoded.
    pub(in super::super) const MOST: usize = 128 * 1024;
    pub(in super::super) const RAW: u32 = 0;
    pub(in super::super) const REPEAT: u32 = 1;
    pub(in super::super) const COMPRESSED: u32 = 2;
}

/// Length in bytes of the checksum after the blocks.
const CHECKSUM_LEN: usize = 4;
/// Window size in bytes that every frame may require: RFC 8878 recommends that decoders support it.
const LEAST_WINDOW: u64 = 8 << 20;

/// Checks that `src` is exactly one frame whose header permits a plane of this length.
///
/// The frame must have no dictionary, either no content size or the length of the plane, and no
/// window larger than the plane or [`LEAST_WINDOW`]. The content of the blocks is not checked.
pub(super) fn check(src: &[u8], plane_len: u64) -> Option<()> {
    let rest = src.strip_prefix(&MAGIC)?;
    let (&descriptor, rest) = rest.split_first()?;
    if descriptor & (descriptor::DICTIONARY | descriptor::RESERVED) != 0 {
        return None;
    }
    let is_single_segment = descriptor & descriptor::SINGLE_SEGMENT != 0;
    let (window, rest) = match is_single_segment {
        true => (None, rest),
        false => rest.split_first().map(|(&window, rest)| (Some(window), rest))?,
    };
    if window.is_some_and(|window| window_size(window) > plane_len.max(LEAST_WINDOW)) {
        return None;
    }
    let size_len = match descriptor >> descriptor::CONTENT_SIZE_SHIFT {
        0 => usize::from(is_single_segment),
        shift => 1 << shift,
    };
    let (size, rest) = rest.split_at_checked(size_len)?;
    if size_len > 0 && content_size(size) != plane_len {
        return None;
    }
    let behind = skip_blocks(rest)?;
    let checksum_len = if descriptor & descriptor::CHECKSUM != 0 { CHECKSUM_LEN } else { 0 };
    (behind.len() == checksum_len).then_some(())
}

/// Returns the window size, in bytes, that a window descriptor encodes.
fn window_size(described: u8) -> u64 {
    let base = 1_u64 << (10 + (described >> 3));
    base + base / 8 * u64::from(described & 7)
}

/// Returns the content size that a field of 0, 1, 2, 4 or 8 bytes encodes.
fn content_size(field: &[u8]) -> u64 {
    /// Number added to the value of a field of two bytes.
    const TWO_BYTES_FROM: u64 = 256;
    let mut bytes = [0; 8];
    bytes[..field.len()].copy_from_slice(field);
    let size = u64::from_le_bytes(bytes);
    if field.len() == 2 { size + TWO_BYTES_FROM } else { size }
}

/// Returns the bytes after the last block.
fn skip_blocks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (&[low, middle, high], behind) = rest.split_first_chunk::<{ block::HEADER_LEN }>()?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let size = (header >> 3) as usize;
        let stored = match header >> 1 & 3 {
            _ if size > block::MOST => return None,
            block::REPEAT => 1,
            block::RAW | block::COMPRESSED => size,
            _ => return None,
        };
        rest = behind.split_at_checked(stored)?.1;
        if header & 1 != 0 {
            return Some(rest);
        }
    }
}
