//! The header of a file that a writer creates.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::string::String;
use std::vec::Vec;

use crate::checksum::checksum;
use crate::dtype::DType;
use crate::tensor::info::TensorInfo;
use crate::tensor::inside::checksums::{self, CHECKSUMS};
use crate::tensor::inside::costs::{ChecksumForm, Costs};
use crate::tensor::inside::header_form::{HeaderForm, SOURCE_HEADER};
use crate::tensor::inside::list::{self, LIST};
use crate::tensor::metadata::Metadata;
use crate::tensor::safetensors::write::{self, Entry, Text, len_of};

/// A tensor that has been written.
#[derive(Debug)]
pub(crate) struct Written {
    /// Length as stored.
    pub(crate) len: u64,
    /// Type of a compressed tensor.
    pub(crate) compressed: Option<DType>,
    /// Checksum of an uncompressed tensor.
    pub(crate) checksum: Option<u64>,
}

/// Contents of the header except for what depends on how tensors are stored.
#[derive(Debug)]
pub(crate) struct ResultHeader {
    /// Header of the source with a tensor for each gap.
    pub(crate) metadata: Metadata,
    /// Text of the source's header, or the description of its form.
    source: String,
    source_checksum: u64,
    pub(crate) has_checksums: bool,
    /// Whether the source's header is described and checksums have no names.
    is_short: bool,
}

impl ResultHeader {
    /// Begins with the parsed header of the source, and the bytes of that header with its length.
    pub(crate) fn new(metadata: Metadata, source: &[u8]) -> Self {
        let source = write::text(source);
        let source_checksum = checksum(source.as_bytes());
        Self { metadata, source, source_checksum, has_checksums: true, is_short: false }
    }

    /// Returns whether the source's header is so large a part of the file that a copy would cost
    /// much of what compression saves.
    pub(crate) fn is_heavy(&self) -> bool {
        const SHORTEST: u64 = 16 << 10;
        const PART: u64 = 16;
        let tensors = self.metadata.tensors();
        let data_len = tensors.last().map_or(0, |last| last.range.end - self.metadata.data_start());
        let len = self.source.len() as u64;
        len >= SHORTEST && len > data_len / PART
    }

    /// Shortens the header: replaces the text of the source's header with a description if it has a
    /// common form, and omits the names of checksums.
    pub(crate) fn shorten(&mut self) {
        self.is_short = true;
        let metadata = &self.metadata;
        // The result replaces values under these keys, so that readers could not restore them.
        if [SOURCE_HEADER, CHECKSUMS].iter().any(|&key| metadata.metadata().contains_key(key)) {
            return;
        }
        let form = HeaderForm::detect(&self.source, metadata.metadata(), || packed(metadata));
        if let Some(form) = form {
            self.source = form.describe();
        }
    }

    /// Returns the form of the checksums.
    pub(crate) fn checksum_form(&self) -> ChecksumForm {
        match (self.has_checksums, self.is_short) {
            (false, _) => ChecksumForm::None,
            (true, false) => ChecksumForm::Named,
            (true, true) => ChecksumForm::InOrder,
        }
    }

    /// Returns the costs of a tensor.
    pub(crate) fn costs(&self, tensor: &TensorInfo) -> Costs {
        Costs::of(tensor, self.checksum_form())
    }

    /// Returns the maximum length of the header's JSON in bytes.
    pub(crate) fn longest(&self) -> u64 {
        let fixed = len_of(|out| self.write(out, &[]));
        let most = |tensor| self.costs(tensor).most(tensor, self.checksum_form());
        fixed + self.metadata.tensors().iter().map(most).sum::<u64>()
    }

    /// Writes the JSON of the header with the first `written.len()` tensors.
    pub(crate) fn write(&self, out: &mut dyn Write, written: &[Written]) -> io::Result<()> {
        let mut by_name: Vec<(&TensorInfo, &Written)> =
            self.metadata.tensors().iter().zip(written).collect();
        by_name.sort_unstable_by_key(|(tensor, _)| &tensor.name);
        let list = |out: &mut dyn Write| write_list(out, &by_name);
        let checksums = |out: &mut dyn Write| self.write_checksums(out, written, &by_name);
        let metadata = self.metadata.metadata().iter();
        let mut metadata: BTreeMap<&str, Text<'_>> =
            metadata.map(|(key, text)| (&**key, Text::Plain(text))).collect();
        // Releases 0.5.1 and 0.5.2 of the original fail without metadata, other readers without
        // this key.
        metadata.entry("format").or_insert(Text::Plain("pt"));
        metadata.insert(SOURCE_HEADER, Text::Plain(&self.source));
        metadata.insert(LIST, Text::Json(&list));
        // The source's own checksums remain in its header.
        metadata.remove(CHECKSUMS);
        if self.has_checksums {
            metadata.insert(CHECKSUMS, Text::Json(&checksums));
        }
        write::write(out, &metadata, self.entries(written))
    }

    fn write_checksums(
        &self,
        out: &mut dyn Write,
        written: &[Written],
        by_name: &[(&TensorInfo, &Written)],
    ) -> io::Result<()> {
        if self.is_short {
            let tensors = written.iter().filter_map(|written| written.checksum);
            return checksums::write_in_order(out, self.source_checksum, tensors);
        }
        let tensors =
            by_name.iter().filter_map(|(tensor, written)| Some((&*tensor.name, written.checksum?)));
        checksums::write_named(out, self.source_checksum, tensors)
    }

    /// Returns the entries of the tensors as stored.
    fn entries<'a>(&'a self, written: &'a [Written]) -> impl Iterator<Item = Entry<'a>> {
        let mut at = 0;
        self.metadata.tensors().iter().zip(written).map(move |(tensor, written)| {
            let start = at;
            at += written.len;
            let (dtype, shape) = match written.compressed {
                Some(_) => ("U8", core::slice::from_ref(&written.len)),
                None => (&*tensor.dtype, &*tensor.shape),
            };
            Entry { name: &tensor.name, dtype, shape, data_offsets: [start, at] }
        })
    }
}

/// Returns the entries of the source's tensors as readers decode them, with no gaps between them.
fn packed(metadata: &Metadata) -> impl Iterator<Item = Entry<'_>> {
    let mut at = 0;
    metadata.tensors().iter().map(move |tensor| {
        let start = at;
        at += tensor.len();
        let TensorInfo { name, dtype, shape, .. } = tensor;
        Entry { name, dtype, shape, data_offsets: [start, at] }
    })
}

fn write_list(out: &mut dyn Write, by_name: &[(&TensorInfo, &Written)]) -> io::Result<()> {
    let compressed = by_name
        .iter()
        .filter_map(|(tensor, written)| Some((&*tensor.name, written.compressed?, &*tensor.shape)));
    list::write(out, compressed)
}
