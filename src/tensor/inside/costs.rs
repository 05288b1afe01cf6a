//! Bytes that a tensor takes in the header, which decide whether it is worth compressing.

use crate::frame::write::geometry::Geometry;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::{checksums, list};
use crate::tensor::safetensors::write::{self, Entry, Escaped, len_of};

/// Longest tensor that is compressed. The original fails on the index of a longer one.
const MAX_COMPRESSED_LEN: u64 = 8 << 30;

/// Which checksums a header contains for tensors that are stored uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChecksumForm {
    None,
    /// Each with the name of its tensor.
    Named,
    /// In the order of the tensors, without names.
    InOrder,
}

/// Bytes of the header that a tensor takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// Entry and checksum of an uncompressed tensor.
    pub(crate) plain: u64,
    /// Entry and member of the list of a compressed tensor.
    pub(crate) compressed: u64,
}

impl Costs {
    /// Returns the maximum costs of a tensor.
    ///
    /// Assumes that its offset in the result is not larger than in the source, and that its frame
    /// is not longer than its data.
    pub(crate) fn of(tensor: &TensorInfo, checksums: ChecksumForm) -> Self {
        let data_offsets = [tensor.range.start, tensor.range.end];
        let entry_len = |dtype, shape| {
            let entry = Entry { name: &tensor.name, dtype, shape, data_offsets };
            member_len(len_of(|out| write::write_entry(out, &entry)))
        };
        let plain = entry_len(&*tensor.dtype, &*tensor.shape) + checksum_len(tensor, checksums);
        let compressed = entry_len("U8", &[tensor.len()]) + list_entry_len(tensor);
        Self { plain, compressed }
    }

    /// Returns whether a frame of this length makes the file smaller.
    pub(crate) fn is_worth(&self, data_len: u64, frame_len: u64) -> bool {
        frame_len < data_len && frame_len + self.compressed < data_len + self.plain
    }

    /// Returns the maximum number of header bytes for the tensor, compressed or not.
    pub(crate) fn most(&self, tensor: &TensorInfo, checksums: ChecksumForm) -> u64 {
        let has_checksums = checksums != ChecksumForm::None;
        let shortest = Geometry::shortest(&tensor.shape, has_checksums) as u64;
        match is_candidate(tensor) && self.is_worth(tensor.len(), shortest) {
            true => self.plain.max(self.compressed),
            false => self.plain,
        }
    }
}

/// Returns the length of a member of an object with the comma before or after it.
fn member_len(len: u64) -> u64 {
    len + 1
}

fn checksum_len(tensor: &TensorInfo, checksums: ChecksumForm) -> u64 {
    let named = |out: &mut dyn std::io::Write| {
        checksums::write_entry(&mut Escaped(out), &tensor.name, u64::MAX)
    };
    match checksums {
        ChecksumForm::None => 0,
        ChecksumForm::Named => member_len(len_of(named)),
        ChecksumForm::InOrder => checksums::HEX_LEN as u64,
    }
}

fn list_entry_len(tensor: &TensorInfo) -> u64 {
    let Some(dtype) = tensor.dtype() else { return 0 };
    member_len(len_of(|out| {
        list::write_entry(&mut Escaped(out), &tensor.name, dtype, &tensor.shape)
    }))
}

/// Returns whether a tensor may be compressed.
///
/// The original misreads dimensions of 2^32 or more, and a frame holds at most 255 dimensions.
pub(crate) fn is_candidate(tensor: &TensorInfo) -> bool {
    tensor.dtype().is_some()
        && tensor.len() > 0
        && tensor.len() <= MAX_COMPRESSED_LEN
        && tensor.shape.len() <= usize::from(u8::MAX)
        && tensor.shape.iter().all(|&dimension| u32::try_from(dimension).is_ok())
}
