//! Reading files in which tensors are compressed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::string::String;
use std::vec::Vec;

use crate::checksum::{self, Hasher};
use crate::chunk::decode::DecodeScratch;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::frame::Frame;
use crate::frame::annex::Annex;
use crate::limits::Limits;
use crate::oneshot::refuse_delta;
use crate::tensor::error::TensorError;
#[cfg(feature = "rayon")]
use crate::tensor::inside::frame::decode_on_pool;
use crate::tensor::inside::frame::{Decode, Fault, OpenFrame, PART_LEN, Space, decode_in_order};
use crate::tensor::inside::list::{
    self, CHECKSUMS, Checksums, Doubt, LIST, ListState, Listed, SOURCE_HEADER,
};
use crate::tensor::inside::restored::{RestoredHeader, Stored};
use crate::tensor::inside::stored::{
    StoredTensor, is_damaged_frame, read_cut_frame_prefix, read_frame_prefix,
};
use crate::tensor::metadata::{Metadata, MetadataError, TensorInfo};
use crate::tensor::ranges::{read_exact_at, read_in_parts};
use crate::tensor::section::Section;

/// A `.safetensors` file in which tensors may be compressed, read one tensor at a time.
///
/// Only the header, and the first bytes of each frame, are read to open it. In a file whose list of
/// compressed tensors is lost, as releases 0.5.3 and 0.5.4 of the original lose it, every row of
/// bytes that is a frame of a tensor and nothing else counts as one. The same holds for a stale
/// list, which tools leave that save other tensors with the metadata of a compressed file.
///
/// ```
/// use std::io::Cursor;
/// use zipnn::tensor::{TensorReader, TensorWriter};
/// use zipnn::{DType, Limits, Options};
///
/// let header = br#"{"a":{"dtype":"BF16","shape":[40,50],"data_offsets":[0,4000]}}"#;
/// let mut source = (header.len() as u64).to_le_bytes().to_vec();
/// source.extend_from_slice(header);
/// let weights = [0x80, 0x3f].repeat(2000);
/// let mut writer = TensorWriter::new(Cursor::new(Vec::new()), &source, 4000)?;
/// writer.write(&weights, Some(&Options::new(DType::BF16)))?;
/// let file = writer.finish()?;
///
/// let mut reader = TensorReader::open(file, Limits::default())?;
/// assert_eq!(reader.tensors()[0].shape, [40, 50]);
/// let mut decoded = Vec::new();
/// reader.read(0, &mut decoded)?;
/// assert_eq!(decoded, weights);
/// # Ok::<(), zipnn::tensor::TensorError>(())
/// ```
#[derive(Debug)]
pub struct TensorReader<R> {
    source: R,
    layout: Metadata,
    /// The layout's header and its length, as they are in the file.
    header: Vec<u8>,
    tensors: Vec<StoredTensor>,
    list: ListState,
    /// What does not fit the file: the list, or other metadata that go with it.
    problem: Option<TensorError>,
    /// Tensors that may be damaged, by their number.
    doubts: BTreeMap<usize, Doubt>,
    /// Where the file has them, and they are to be verified.
    checksums: Option<Checksums>,
    /// Of these, the ones of the tensors.
    tensor_checksums: Vec<Option<u64>>,
    limits: Limits,
    stored: Vec<u8>,
    space: Space,
    /// The tensor of which parts were read last.
    opened: Option<Opened>,
    /// Why the file is incomplete.
    cut: Option<MetadataError>,
    /// Bytes of the file, which are fewer than its tensors need if it is incomplete.
    file_len: u64,
}

/// A tensor that is ready for parts of it to be read.
#[derive(Debug)]
struct Opened {
    tensor: usize,
    /// Its frame, if it is compressed. If it is not, it has been verified.
    frame: Option<OpenFrame>,
}

impl<R: Read + Seek> TensorReader<R> {
    /// Opens a file, which begins where `source` does. Decoding keeps to the limits tensor by
    /// tensor.
    ///
    /// # Errors
    ///
    /// `Io`; `Metadata` if it is no `.safetensors` file; `InvalidMetadata` if its checksums are
    /// malformed. A list of compressed tensors that does not fit the file is no error:
    /// [`Self::list_problem`] reports it.
    pub fn open(source: R, limits: Limits) -> Result<Self, TensorError> {
        Self::open_with(source, limits, false)
    }

    /// Opens a file whose end may be missing, such as an interrupted download.
    ///
    /// [`Self::cut`] then returns why, and [`Self::is_complete`] which tensors can be read. What the
    /// list says of a compressed tensor stands for its frame where the beginning of that is missing
    /// or damaged.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], but for `MissingData`.
    pub fn open_partial(source: R, limits: Limits) -> Result<Self, TensorError> {
        Self::open_with(source, limits, true)
    }

    fn open_with(mut source: R, limits: Limits, is_partial: bool) -> Result<Self, TensorError> {
        let file_len = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let (layout, header, cut) = match read_layout(&mut source, file_len) {
            Err(TensorError::Metadata(cut @ MetadataError::MissingData { .. })) if is_partial => {
                source.rewind()?;
                let (_, header) = read_layout(&mut source, u64::MAX)?;
                (Metadata::parse_header(&header)?, header, Some(cut))
            }
            read => read.map(|(layout, header)| (layout, header, None))?,
        };
        let mut reader = Self {
            source,
            checksums: None,
            tensor_checksums: Vec::new(),
            tensors: Vec::new(),
            list: ListState::NotNeeded,
            problem: None,
            doubts: BTreeMap::new(),
            header,
            layout,
            limits,
            stored: Vec::new(),
            space: Space::default(),
            opened: None,
            cut,
            file_len,
        };
        reader.find_tensors(is_partial)?;
        reader.check_leftovers();
        reader.read_checksums()?;
        Ok(reader)
    }

    /// Returns why the file is incomplete; `None` if it has all bytes of its tensors.
    ///
    /// Always `None` unless the file was opened with [`Self::open_partial`].
    pub fn cut(&self) -> Option<&MetadataError> {
        self.cut.as_ref()
    }

    /// Returns whether the file has all bytes of a tensor.
    ///
    /// # Panics
    ///
    /// If there is no tensor of this number.
    pub fn is_complete(&self, tensor: usize) -> bool {
        let stored = &self.tensors[tensor].stored;
        stored.is_empty() || stored.end <= self.file_len
    }

    /// Returns the length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Returns all tensors, compressed or not, in the order in which they are stored. In a file
    /// with bytes that belong to no tensor these are among them, unless some tensors share bytes.
    pub fn tensors(&self) -> &[StoredTensor] {
        &self.tensors
    }

    /// The file's own header, in which compressed tensors are rows of bytes.
    pub fn layout(&self) -> &Metadata {
        &self.layout
    }

    /// Returns whether the file has compressed tensors, or a list of them that fits.
    pub fn is_compressed(&self) -> bool {
        match self.list {
            ListState::There | ListState::Lost => true,
            ListState::Stale => self.tensors.iter().any(|tensor| tensor.is_compressed),
            ListState::NotNeeded => false,
        }
    }

    /// Returns why the list of compressed tensors, or the metadata that belong to it, do not match
    /// the file; `None` if they do.
    ///
    /// The data need not be damaged: tools that save tensors with the metadata of a compressed file
    /// leave such a list. If either the list or a tensor may be wrong, reading the tensor is an
    /// error. [`repair`](crate::tensor::repair) writes the file without the list, or with a list that fits.
    pub fn list_problem(&self) -> Option<&TensorError> {
        self.problem.as_ref()
    }

    /// Returns whether the list of compressed tensors, or the header of the source in the metadata,
    /// belongs to another file, so that [`repair`](crate::tensor::repair) drops it.
    pub fn has_foreign_metadata(&self) -> bool {
        self.problem.is_some() || (self.is_ours() && self.as_stored().as_source().is_none())
    }

    /// Returns whether the list of compressed tensors is lost, so that the original cannot read the
    /// file.
    pub fn is_list_lost(&self) -> bool {
        self.list == ListState::Lost
    }

    /// Returns whether [`TensorWriter`](crate::tensor::TensorWriter) made the file.
    pub fn is_ours(&self) -> bool {
        [SOURCE_HEADER, CHECKSUMS].iter().any(|&key| self.layout.metadata().contains_key(key))
    }

    /// Returns whether the file has checksums of what is in no frame, and they are verified.
    pub fn has_checksums(&self) -> bool {
        self.checksums.is_some()
    }

    /// Replaces the contents of `decoded` with a tensor's decoded bytes. Uses memory for the tensor
    /// as it is stored, or for some MiB of a large one, and keeps that for the next one.
    ///
    /// # Errors
    ///
    /// `Io`; `Decode` if there is a frame that cannot be decoded; `NotAFrame` or `Contradiction` if
    /// the list of compressed tensors names it and it is not what the list says.
    ///
    /// # Panics
    ///
    /// If there is no tensor of this number.
    pub fn read(&mut self, tensor: usize, decoded: &mut Vec<u8>) -> Result<(), TensorError> {
        if self.is_long(tensor) {
            return self.read_long(tensor, decoded, decode_in_order);
        }
        self.read_with(tensor, decoded, |frame, dst, scratch| {
            frame.decode_into(dst, &mut scratch.with_len(frame.scratch_len())?).map(drop)
        })
    }

    /// [`Self::read`] on all threads of the pool.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    ///
    /// # Panics
    ///
    /// As [`Self::read`].
    #[cfg(feature = "rayon")]
    pub fn par_read(&mut self, tensor: usize, decoded: &mut Vec<u8>) -> Result<(), TensorError> {
        if self.is_long(tensor) {
            return self.read_long(tensor, decoded, decode_on_pool);
        }
        let verify = self.limits.verify;
        self.read_with(tensor, decoded, |frame, dst, _| {
            use crate::parallel::{ScratchPool, decode_frames};
            // The limits have been checked before.
            let limits = Limits::new().expansion(u32::MAX).verify(verify);
            decode_frames(frame.bytes(), dst, &limits, &ScratchPool::new()).map(drop)
        })
    }

    /// Decodes as many bytes of a tensor as `dst` holds, from `offset` in it on. Reads and decodes
    /// only the chunks that hold them, in bounded memory; chunks are verified before their bytes
    /// are handed out. A tensor that is not compressed has one checksum, and is read once from
    /// beginning to end to verify it.
    ///
    /// # Errors
    ///
    /// `Io`; `Decode`, with `OutOfRange` if the tensor ends before.
    ///
    /// # Panics
    ///
    /// If there is no tensor of this number.
    pub fn read_part(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
    ) -> Result<(), TensorError> {
        self.read_part_with(tensor, offset, dst, decode_in_order)
    }

    /// Decodes a part as [`Self::read_part`] does, on all threads of the pool.
    ///
    /// # Errors
    ///
    /// As [`Self::read_part`].
    ///
    /// # Panics
    ///
    /// As [`Self::read_part`].
    #[cfg(feature = "rayon")]
    pub fn par_read_part(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
    ) -> Result<(), TensorError> {
        self.read_part_with(tensor, offset, dst, decode_on_pool)
    }

    /// Checks a compressed tensor as it is stored, where the file has a checksum of that: it may
    /// have bits that no decoder looks at. Reads it in bounded memory.
    ///
    /// # Errors
    ///
    /// `Io`, and `Decode`.
    ///
    /// # Panics
    ///
    /// If there is no tensor of this number.
    pub fn verify_stored(&mut self, tensor: usize) -> Result<(), TensorError> {
        if !self.tensors[tensor].is_compressed {
            return Ok(());
        }
        self.open_tensor(tensor)?;
        let frame = self.opened.as_ref().and_then(|opened| opened.frame.as_ref());
        let checked = frame.map_or(Ok(()), |frame| frame.check_payload(&mut self.source));
        checked.map_err(|fault| self.failure(tensor, fault))
    }

    /// Decodes a part of a tensor as [`Self::read_part`] does, and verifies nothing. Saves what is
    /// left of a tensor that is damaged or incomplete.
    ///
    /// # Errors
    ///
    /// As [`Self::read_part`].
    ///
    /// # Panics
    ///
    /// As [`Self::read_part`].
    pub fn read_part_unverified(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
    ) -> Result<(), TensorError> {
        let verify = core::mem::replace(&mut self.limits.verify, false);
        let checksums = self.checksums.take();
        // It may have been opened with its checksums, and is not to be left open without them.
        self.opened = None;
        let read = self.read_part_with(tensor, offset, dst, decode_in_order);
        self.opened = None;
        self.checksums = checksums;
        self.limits.verify = verify;
        read
    }

    fn read_part_with(
        &mut self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
        decode: Decode,
    ) -> Result<(), TensorError> {
        let end = offset.checked_add(dst.len() as u64);
        if end.is_none_or(|end| end > self.tensors[tensor].decoded_len) {
            return Err(self.failure(tensor, DecodeErrorKind::OutOfRange.into()));
        }
        self.open_tensor(tensor)?;
        let read = match self.opened.as_ref().and_then(|opened| opened.frame.as_ref()) {
            Some(frame) => frame.decode(&mut self.source, offset, dst, &mut self.space, decode),
            None => {
                let at = self.tensors[tensor].stored.start + offset;
                let read = self.source.seek(SeekFrom::Start(at));
                read.and_then(|_| self.source.read_exact(dst)).map_err(Fault::from)
            }
        };
        read.map_err(|fault| self.failure(tensor, fault))
    }

    /// Makes a tensor ready for reading parts of it.
    fn open_tensor(&mut self, tensor: usize) -> Result<(), TensorError> {
        if self.opened.as_ref().is_some_and(|opened| opened.tensor == tensor) {
            return Ok(());
        }
        self.opened = None;
        self.check_doubt(tensor)?;
        self.check_limits(tensor)?;
        let stored = &self.tensors[tensor];
        let frame = match stored.is_compressed {
            true => {
                let has_checksums = self.checksums.is_some();
                let frame = OpenFrame::open(&mut self.source, stored, &self.limits, has_checksums);
                Some(frame.map_err(|fault| self.failure(tensor, fault))?)
            }
            false => {
                self.verify_plain(tensor)?;
                None
            }
        };
        self.opened = Some(Opened { tensor, frame });
        Ok(())
    }

    /// Refuses a tensor that may be damaged, unless nothing is to be verified.
    fn check_doubt(&self, tensor: usize) -> Result<(), TensorError> {
        match self.doubts.get(&tensor).filter(|_| self.limits.verify) {
            Some(doubt) => Err(doubt.error(&self.tensors[tensor].name)),
            None => Ok(()),
        }
    }

    /// Verifies a tensor that is stored as it is, a part at a time.
    fn verify_plain(&mut self, tensor: usize) -> Result<(), TensorError> {
        if self.checksums.is_none() {
            return Ok(());
        }
        let mut hasher = Hasher::default();
        self.read_stored_in_parts(tensor, |part| {
            hasher.update(part);
            Ok(())
        })?;
        self.check_plain(tensor, |expected| hasher.matches(expected))
    }

    fn failure(&self, tensor: usize, fault: Fault) -> TensorError {
        match fault {
            Fault::Io(error) => error.into(),
            Fault::Decode(error) => {
                TensorError::Decode { name: self.tensors[tensor].name.clone(), error }
            }
        }
    }

    /// Returns whether a tensor is decoded a part at a time.
    fn is_long(&self, tensor: usize) -> bool {
        self.tensors[tensor].is_compressed && self.tensors[tensor].decoded_len > PART_LEN
    }

    fn read_long(
        &mut self,
        tensor: usize,
        decoded: &mut Vec<u8>,
        decode: Decode,
    ) -> Result<(), TensorError> {
        self.open_tensor(tensor)?;
        let needed = self.tensors[tensor].decoded_len;
        make_room(decoded, needed).map_err(|error| self.failure(tensor, error.into()))?;
        self.read_part_with(tensor, 0, decoded, decode)
    }

    fn read_with(
        &mut self,
        tensor: usize,
        decoded: &mut Vec<u8>,
        decode: impl FnOnce(&Frame<'_>, &mut [u8], &mut DecodeScratch) -> Result<(), DecodeError>,
    ) -> Result<(), TensorError> {
        self.check_doubt(tensor)?;
        self.check_limits(tensor)?;
        if !self.tensors[tensor].is_compressed {
            self.read_stored(tensor, decoded)?;
            return self.check_plain(tensor, |expected| checksum::matches(decoded, expected));
        }
        let mut stored = core::mem::take(&mut self.stored);
        self.read_stored(tensor, &mut stored)?;
        self.stored = stored;
        let tensor = &self.tensors[tensor];
        prepare(&self.stored, tensor, &self.limits, decoded)
            .and_then(|frame| {
                if self.checksums.is_some() {
                    check_slack(&frame)?;
                }
                decode(&frame, decoded, &mut self.space.scratch)
            })
            .map_err(|error| TensorError::Decode { name: tensor.name.clone(), error })
    }

    /// Checks a tensor against the limits before any of it is read.
    fn check_limits(&self, tensor: usize) -> Result<(), TensorError> {
        let (tensor, limits) = (&self.tensors[tensor], &self.limits);
        let stored_len = tensor.stored.end - tensor.stored.start;
        let checked = limits.check(tensor.decoded_len, stored_len, 0).and_then(|()| {
            if tensor.is_compressed { limits.check_memory(stored_len) } else { Ok(()) }
        });
        checked
            .map_err(|kind| TensorError::Decode { name: tensor.name.clone(), error: kind.into() })
    }

    /// Verifies a tensor that is stored as it is: whether its data `matches` the checksum.
    fn check_plain(
        &self,
        tensor: usize,
        matches: impl FnOnce(u64) -> bool,
    ) -> Result<(), TensorError> {
        if self.checksums.is_none() {
            return Ok(());
        }
        let kind = match self.tensor_checksums[tensor] {
            Some(expected) if matches(expected) => return Ok(()),
            Some(_) => DecodeErrorKind::ChecksumMismatch,
            None => DecodeErrorKind::ChecksumMissing,
        };
        Err(self.failure(tensor, kind.into()))
    }

    /// Replaces the contents of `bytes` with a tensor's stored bytes.
    ///
    /// # Errors
    ///
    /// `Io`.
    ///
    /// # Panics
    ///
    /// If there is no tensor of this number.
    pub fn read_stored(&mut self, tensor: usize, bytes: &mut Vec<u8>) -> Result<(), TensorError> {
        let range = self.tensors[tensor].stored.clone();
        bytes.clear();
        Ok(read_exact_at(&mut self.source, range.start, range.end - range.start, bytes)?)
    }

    /// Reads a tensor's bytes as they are stored, part by part: whole words of eight bytes but for
    /// the last.
    pub(crate) fn read_stored_in_parts(
        &mut self,
        tensor: usize,
        take: impl FnMut(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.read_range_in_parts(self.tensors[tensor].stored.clone(), take)
    }

    /// Reads a range of the file as [`Self::read_stored_in_parts`] reads a tensor.
    pub(crate) fn read_range_in_parts(
        &mut self,
        range: Range<u64>,
        take: impl FnMut(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        read_in_parts(&mut self.source, range, take)
    }

    /// Returns a reader of a tensor's bytes as they are stored.
    ///
    /// # Panics
    ///
    /// If there is no tensor of this number.
    pub fn stored(&mut self, tensor: usize) -> Section<'_, R> {
        let range = self.tensors[tensor].stored.clone();
        Section::new(&mut self.source, range)
    }

    /// Returns the source, and the file's header as it is with its length.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.source, self.header)
    }

    /// Returns the header and the order of tensors of the file that this one decodes to.
    ///
    /// A file that a [`TensorWriter`](crate::tensor::TensorWriter) made carries the header of its source.
    /// Any other gets a header as the format's own writers make it, and bytes that belong to no
    /// tensor are left out.
    ///
    /// # Errors
    ///
    /// `HeaderTooLong`, and `Decode` if the tensors are longer together than any file.
    pub fn restored(&self) -> Result<RestoredHeader, TensorError> {
        self.as_stored().as_source().map_or_else(|| self.as_stored().made_anew(), Ok)
    }

    fn as_stored(&self) -> Stored<'_> {
        Stored {
            layout: &self.layout,
            tensors: &self.tensors,
            source_header: self.checksums.as_ref().map(|checksums| checksums.source_header),
        }
    }

    /// Returns the file's header with its length before it.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Detects which tensors are compressed, and whether the list of them fits.
    fn find_tensors(&mut self, is_partial: bool) -> Result<(), TensorError> {
        let text = self.layout.metadata().get(LIST);
        let list = text.map(|text| list::parse(text)).transpose().unwrap_or_else(|error| {
            self.problem = Some(error);
            None
        });
        // An empty list is no list: other tools write one where they compress nothing, and so may a tool
        // that saves compressed tensors. Our own writer leaves one where nothing is worth compressing.
        let is_empty = list.as_ref().is_some_and(BTreeMap::is_empty) && self.is_ours();
        let list = list.filter(|list| !list.is_empty());
        let is_listed = match list {
            Some(list) => self.find_listed(&list, is_partial)?,
            None => false,
        };
        if !is_listed {
            self.tensors = self.find_unlisted()?;
        }
        let has_frames = self.tensors.iter().any(|tensor| tensor.is_compressed);
        self.list = match (is_listed, &self.problem) {
            (true, _) => ListState::There,
            (false, Some(_)) => ListState::Stale,
            (false, None) if has_frames => ListState::Lost,
            (false, None) if is_empty => ListState::There,
            (false, None) => ListState::NotNeeded,
        };
        Ok(())
    }

    /// Finds the tensors of a file with a list. Returns `false` if the list belongs to another
    /// file: it names a missing tensor, or one that is stored uncompressed.
    fn find_listed(
        &mut self,
        list: &BTreeMap<String, Listed>,
        is_partial: bool,
    ) -> Result<bool, TensorError> {
        let mut found = Vec::new();
        let mut doubts = BTreeMap::new();
        let mut problem = None;
        let mut seen = 0;
        let gaps = gap_tensors(&self.layout);
        for (tensor, is_gap) in self.layout.pieces(&gaps) {
            let listed = list.get(&tensor.name).filter(|_| !is_gap);
            let Some(listed) = listed else {
                found.push(StoredTensor { is_gap, ..StoredTensor::plain(tensor) });
                continue;
            };
            seen += 1;
            if tensor.range.end > self.file_len {
                let frame = read_cut_frame_prefix(&mut self.source, tensor)?;
                found.push(frame.unwrap_or_else(|| listed.stand_in(tensor, &self.limits)));
                continue;
            }
            match read_frame_prefix(&mut self.source, tensor)? {
                Some((dtype, stored)) => {
                    if dtype != listed.dtype || stored.shape != listed.shape {
                        doubts.insert(found.len(), Doubt::Contradiction);
                    }
                    found.push(stored);
                    continue;
                }
                // In a cut file, missing bytes in between can be why a row of bytes is no frame.
                None if is_damaged_frame(&mut self.source, tensor)?
                    || self.cut.is_some() && tensor.is_row_of_bytes() =>
                {
                    doubts.insert(found.len(), Doubt::Damaged);
                    if is_partial {
                        found.push(listed.stand_in(tensor, &self.limits));
                        continue;
                    }
                }
                // Tensors are only compressed if that makes them smaller.
                None if !listed.is_longer_than(tensor) => {
                    problem = Some(TensorError::NotCompressed { name: tensor.name.clone() });
                }
                // A type that the format does not know may be a damaged one.
                None if tensor.is_row_of_bytes() || tensor.element_bits().is_none() => {
                    doubts.insert(found.len(), Doubt::NotAFrame);
                }
                None => problem = Some(TensorError::NotCompressed { name: tensor.name.clone() }),
            }
            found.push(StoredTensor::plain(tensor));
        }
        if seen < list.len() {
            let names: BTreeSet<&str> = found.iter().map(|tensor| &*tensor.name).collect();
            let missing = list.keys().find(|name| !names.contains(&***name));
            problem = missing.map(|name| TensorError::NoSuchTensor { name: name.clone() });
        }
        if problem.is_some() && doubts.values().all(|&doubt| doubt != Doubt::Damaged) {
            self.problem = problem;
            return Ok(false);
        }
        let first = doubts.first_key_value();
        self.problem = first.map(|(&number, doubt)| doubt.error(&found[number].name)).or(problem);
        self.tensors = found;
        self.doubts = doubts;
        Ok(true)
    }

    /// Finds the tensors of a file without a list.
    fn find_unlisted(&mut self) -> Result<Vec<StoredTensor>, TensorError> {
        let gaps = gap_tensors(&self.layout);
        let pieces = self.layout.pieces(&gaps).into_iter();
        pieces
            .map(|(tensor, is_gap)| match is_gap {
                true => Ok(StoredTensor { is_gap, ..StoredTensor::plain(tensor) }),
                false => {
                    let stored = read_cut_frame_prefix(&mut self.source, tensor)?;
                    Ok(stored.unwrap_or_else(|| StoredTensor::plain(tensor)))
                }
            })
            .collect()
    }

    /// Detects metadata of compressed tensors in a file that has none.
    fn check_leftovers(&mut self) {
        let has_frames = self.tensors.iter().any(|tensor| tensor.is_compressed);
        if !self.is_ours() || has_frames || self.problem.is_some() {
            return;
        }
        if self.list == ListState::There && self.as_stored().as_source().is_some() {
            return;
        }
        let is_there = self.layout.metadata().contains_key(SOURCE_HEADER);
        let key = if is_there { SOURCE_HEADER } else { CHECKSUMS };
        self.problem = Some(TensorError::ForeignSource { key });
        self.list = ListState::Stale;
    }

    /// Reads the checksums, if they are to be verified and belong to this file.
    fn read_checksums(&mut self) -> Result<(), TensorError> {
        let is_own = matches!(self.list, ListState::There | ListState::Lost);
        let text = self.layout.metadata().get(CHECKSUMS).filter(|_| is_own && self.limits.verify);
        let Some(text) = text else { return Ok(()) };
        let checksums = Checksums::parse(text)?;
        let tensors = self.tensors.iter();
        self.tensor_checksums =
            checksums.of(tensors.map(|tensor| (&*tensor.name, !tensor.is_compressed)));
        self.checksums = Some(checksums);
        Ok(())
    }

    /// Returns tensors that the list names and that may be damaged.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = (usize, Doubt)> {
        self.doubts.iter().map(|(&number, &doubt)| (number, doubt))
    }
}

/// Returns the gaps between the tensors of a file; none where tensors share bytes, so that there is
/// no order of all bytes.
fn gap_tensors(layout: &Metadata) -> Vec<TensorInfo> {
    layout.gap_tensors().unwrap_or_default()
}

/// Checks the frame of a tensor against what is known of it, and makes room for what it decodes to.
fn prepare<'f>(
    stored: &'f [u8],
    tensor: &StoredTensor,
    limits: &Limits,
    decoded: &mut Vec<u8>,
) -> Result<Frame<'f>, DecodeError> {
    refuse_delta(stored)?;
    let frame = match limits.verify {
        true => Frame::parse(stored)?,
        false => Frame::parse_unverified(stored)?,
    };
    let needed = frame.decoded_len();
    // The file may have changed since it was opened.
    if needed != tensor.decoded_len {
        return Err(DecodeErrorKind::InvalidLength.into());
    }
    limits.check(needed, frame.index().content_len(), 0)?;
    make_room(decoded, needed)?;
    Ok(frame)
}

/// Makes `decoded` that long. What was there before is to be overwritten.
fn make_room(decoded: &mut Vec<u8>, len: u64) -> Result<(), DecodeErrorKind> {
    let out_of_memory = DecodeErrorKind::OutOfMemory { requested: len };
    let len = usize::try_from(len).map_err(|_| out_of_memory)?;
    let more = len.saturating_sub(decoded.len());
    decoded.try_reserve_exact(more).map_err(|_| out_of_memory)?;
    decoded.resize(len, 0);
    Ok(())
}

/// Checks that a frame's slack is what our writer puts there: in a file that has checksums, damage
/// must not make it look as if the frame had none.
fn check_slack(frame: &Frame<'_>) -> Result<(), DecodeErrorKind> {
    let (slack, annex) = (frame.slack(), frame.annex());
    let is_foreign = !slack.is_empty() && !slack.starts_with(&Annex::MAGIC);
    if is_foreign || (annex.has_checksums() && annex.payload_check().is_none()) {
        return Err(DecodeErrorKind::ChecksumMissing);
    }
    Ok(())
}

/// Reads the header of a file of `file_len` bytes, which `source` is at the beginning of: what it
/// says, and its bytes.
fn read_layout(source: &mut impl Read, file_len: u64) -> Result<(Metadata, Vec<u8>), TensorError> {
    let mut bytes = Vec::new();
    loop {
        match Metadata::parse(&bytes, file_len) {
            Ok(layout) => return Ok((layout, bytes)),
            Err(MetadataError::Truncated { needed, have }) => {
                let read = source.take(needed - have).read_to_end(&mut bytes)?;
                if (read as u64) < needed - have {
                    return Err(
                        MetadataError::Truncated { needed, have: bytes.len() as u64 }.into()
                    );
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}
