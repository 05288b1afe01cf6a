//! The header of a file in which tensors are compressed, and what each tensor costs there.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::String;
use std::vec::Vec;

use crate::checksum::checksum;
use crate::dtype::DType;
use crate::frame::write::geometry::Geometry;
use crate::tensor::inside::list::{self, CHECKSUMS, LIST, SOURCE_HEADER};
use crate::tensor::inside::usual::Usual;
use crate::tensor::metadata::{Metadata, TensorInfo};
use crate::tensor::write_header::{self, Entry, Escaped, Text, len_of};

/// Tensors from here on are stored as they are: the original cannot keep the index of a longer one.
const MAX_COMPRESSED_LEN: u64 = 8 << 30;

/// What has become of a tensor.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) len: u64,
    /// The type of a tensor that is compressed.
    pub(crate) compressed: Option<DType>,
    /// The checksum of a tensor that is not.
    pub(crate) checksum: Option<u64>,
}

/// What the header says, beside what has become of the tensors.
#[derive(Debug)]
pub(crate) struct HeaderText {
    pub(crate) layout: Metadata,
    /// The text of the source's header, or its description.
    source: String,
    source_checksum: u64,
    pub(crate) has_checksums: bool,
    /// Whether it has been made shorter than usual.
    pub(crate) is_short: bool,
}

impl HeaderText {
    /// Begins with the header of the source, and what it says.
    pub(crate) fn new(layout: Metadata, source: &[u8]) -> Self {
        let source = write_header::text(source);
        let source_checksum = checksum(source.as_bytes());
        Self { layout, source, source_checksum, has_checksums: true, is_short: false }
    }

    /// Returns whether the source's header is so large a part of the file that a copy would use up
    /// much of what compressing saves.
    pub(crate) fn is_heavy(&self) -> bool {
        const SHORTEST: u64 = 16 << 10;
        const PART: u64 = 16;
        let tensors = self.layout.tensors();
        let data_len = tensors.last().map_or(0, |last| last.range.end - self.layout.data_start());
        let len = self.source.len() as u64;
        len >= SHORTEST && len > data_len / PART
    }

    /// Makes the header shorter: leaves out the text of the source's header if that is in a usual
    /// form, and the names of checksums.
    pub(crate) fn shorten(&mut self) {
        self.is_short = true;
        let layout = &self.layout;
        let entries = || {
            // As the reader has it, which knows no more than the lengths.
            let mut at = 0;
            layout.tensors().iter().map(move |tensor| {
                let start = at;
                at += tensor.len();
                let TensorInfo { name, dtype, shape, .. } = tensor;
                Entry { name, dtype, shape, data_offsets: [start, at] }
            })
        };
        // Texts like ours do not come through, so that the header could not be made from the
        // others.
        if [SOURCE_HEADER, CHECKSUMS].iter().any(|&key| layout.metadata().contains_key(key)) {
            return;
        }
        if let Some(form) = Usual::of(&self.source, layout.metadata(), entries) {
            self.source = form.describe();
        }
    }

    /// Returns the most bytes that the header can take: each tensor has its entries in the form
    /// that takes more, of the forms that it can have.
    pub(crate) fn longest(&self) -> u64 {
        let fixed = len_of(|out| self.write(out, &[]));
        let tensors = self.layout.tensors().iter().map(|tensor| {
            let costs = Costs::of(tensor, self.has_checksums, self.is_short);
            match costs.can_be_worth(tensor, self.has_checksums) {
                true => costs.plain.max(costs.compressed),
                false => costs.plain,
            }
        });
        fixed + tensors.sum::<u64>()
    }

    /// Writes the JSON of the header with the first tensors, those that have been written.
    pub(crate) fn write(&self, out: &mut dyn Write, written: &[Written]) -> io::Result<()> {
        let tensors = || self.layout.tensors().iter().zip(written);
        let mut by_name: Vec<(&TensorInfo, &Written)> = tensors().collect();
        by_name.sort_unstable_by_key(|(tensor, _)| &tensor.name);
        let listed = |out: &mut dyn Write| {
            let listed = by_name.iter().filter_map(|(tensor, written)| {
                Some((&*tensor.name, written.compressed?, &*tensor.shape))
            });
            list::write(out, listed)
        };
        let checksums = |out: &mut dyn Write| {
            if self.is_short {
                let tensors = written.iter().filter_map(|written| written.checksum);
                return list::write_checksums_in_order(out, self.source_checksum, tensors);
            }
            let tensors = by_name
                .iter()
                .filter_map(|(tensor, written)| Some((&*tensor.name, written.checksum?)));
            list::write_checksums(out, self.source_checksum, tensors)
        };
        let metadata = self.layout.metadata().iter();
        let mut metadata: BTreeMap<&str, Text<'_>> =
            metadata.map(|(key, text)| (&**key, Text::Plain(text))).collect();
        // Readers of release 0.5.1 and 0.5.2 need metadata of some kind, and others this one.
        metadata.entry("format").or_insert(Text::Plain("pt"));
        metadata.insert(SOURCE_HEADER, Text::Plain(&self.source));
        metadata.insert(LIST, Text::Json(&listed));
        // The checksums of another file are kept in the source's header.
        metadata.remove(CHECKSUMS);
        if self.has_checksums {
            metadata.insert(CHECKSUMS, Text::Json(&checksums));
        }
        let mut at = 0;
        let entries = tensors().map(|(tensor, written)| {
            let start = at;
            at += written.len;
            let dtype = if written.compressed.is_some() { "U8" } else { &*tensor.dtype };
            let shape = match written.compressed {
                Some(_) => core::slice::from_ref(&written.len),
                None => &*tensor.shape,
            };
            Entry { name: &tensor.name, dtype, shape, data_offsets: [start, at] }
        });
        write_header::write(out, &metadata, entries)
    }
}

/// Bytes of the header that a tensor takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// As it is, with a checksum.
    plain: u64,
    /// As a frame, with an entry in the list.
    compressed: u64,
}

impl Costs {
    /// Returns the most that a tensor can cost. Its place in the result is no further back than in
    /// the source, and its frame no longer than its data.
    pub(crate) fn of(tensor: &TensorInfo, has_checksums: bool, is_short: bool) -> Self {
        let end = tensor.range.end;
        let (len, data_offsets) = ([tensor.len()], [tensor.range.start, end]);
        let entry = |dtype, shape| Entry { name: &tensor.name, dtype, shape, data_offsets };
        let with_comma = |len: u64| len + 1;
        let entry_len =
            |entry: Entry<'_>| with_comma(len_of(|out| write_header::write_entry(out, &entry)));
        let mut plain = entry_len(entry(&tensor.dtype, &tensor.shape));
        if has_checksums && is_short {
            plain += list::HEX_LEN as u64;
        } else if has_checksums {
            let checksum =
                len_of(|out| list::write_checksum(&mut Escaped(out), &tensor.name, u64::MAX));
            plain += with_comma(checksum);
        }
        let mut compressed = entry_len(entry("U8", &len));
        if let Some(dtype) = tensor.dtype() {
            let listed = len_of(|out| {
                list::write_listed(&mut Escaped(out), &tensor.name, dtype, &tensor.shape)
            });
            compressed += with_comma(listed);
        }
        Self { plain, compressed }
    }

    /// Returns whether a frame of this length makes the file smaller.
    pub(crate) fn is_worth(&self, data_len: u64, frame_len: u64) -> bool {
        frame_len < data_len && frame_len + self.compressed < data_len + self.plain
    }

    /// Returns whether any frame of the tensor can make the file smaller.
    fn can_be_worth(&self, tensor: &TensorInfo, has_checksums: bool) -> bool {
        is_candidate(tensor)
            && self.is_worth(tensor.len(), Geometry::shortest(&tensor.shape, has_checksums) as u64)
    }
}

/// Returns whether a tensor may be compressed. The original reads dimensions of 2^32 and more from
/// the wrong place, and no more than 255 of any size fit into a frame.
pub(crate) fn is_candidate(tensor: &TensorInfo) -> bool {
    tensor.dtype().is_some()
        && tensor.len() > 0
        && tensor.len() <= MAX_COMPRESSED_LEN
        && tensor.shape.len() <= usize::from(u8::MAX)
        && tensor.shape.iter().all(|&dimension| u32::try_from(dimension).is_ok())
}
