//! The outside of a Zstandard frame (RFC 8878, section 3.1.1), as far as it has to fit a plane.

/// What a frame begins with.
pub(super) const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// Bits of the frame header descriptor.
pub(super) mod descriptor {
    /// Two bits: how long the identifier of a dictionary is.
    pub(in super::super) const DICTIONARY: u8 = 0b11;
    /// A checksum follows the blocks.
    pub(in super::super) const CHECKSUM: u8 = 1 << 2;
    pub(in super::super) const RESERVED: u8 = 1 << 3;
    /// The window is the content, and not described.
    pub(in super::super) const SINGLE_SEGMENT: u8 = 1 << 5;
    /// Where the two bits begin that say how long the content size is.
    pub(in super::super) const CONTENT_SIZE_SHIFT: u32 = 6;
}

/// Kinds of blocks.
pub(super) mod block {
    /// Bytes of a block's header.
    pub(in super::super) const HEADER_LEN: usize = 3;
    /// Most bytes that a block may hold, and decode to.
    pub(in super::super) const MOST: usize = 128 * 1024;
    pub(in super::super) const RAW: u32 = 0;
    pub(in super::super) const REPEAT: u32 = 1;
    pub(in super::super) const COMPRESSED: u32 = 2;
}

/// Bytes of the checksum behind the blocks.
const CHECKSUM_LEN: usize = 4;
/// A window that a frame may always ask for, however short its content: what the format wants
/// every decoder to support.
const LEAST_WINDOW: u64 = 8 << 20;

/// Checks that `src` is one frame and nothing else, and that what its header says fits a plane of
/// this length: no dictionary, the content size (if it is there) that of the plane, no unusual
/// window. What is in the blocks remains to be seen.
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

fn window_size(described: u8) -> u64 {
    let base = 1_u64 << (10 + (described >> 3));
    base + base / 8 * u64::from(described & 7)
}

/// The size in a field of 1, 2, 4 or 8 bytes.
fn content_size(field: &[u8]) -> u64 {
    /// What a field of two bytes begins to count from.
    const TWO_BYTES_FROM: u64 = 256;
    let mut bytes = [0; 8];
    bytes[..field.len()].copy_from_slice(field);
    let size = u64::from_le_bytes(bytes);
    if field.len() == 2 { size + TWO_BYTES_FROM } else { size }
}

/// What follows the last block.
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
