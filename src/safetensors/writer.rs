//! Writing files in which tensors are compressed.

use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::string::String;
use std::vec::Vec;

use super::error::TensorError;
use super::header::{self, ALIGNMENT, Entry, Escaped, Text, len_of};
use super::layout::{Layout, Tensor};
use super::list::{self, CHECKSUMS, LIST, SOURCE_HEADER};
use super::reader::StoredTensor;
use super::usual::Usual;
use crate::checksum::{Hasher, checksum};
use crate::chunk::encode::EncodeScratch;
use crate::dtype::DType;
use crate::error::EncodeError;
use crate::frame::parts::{FramePart, FrameParts};
use crate::frame::write::{Envelope, Geometry, compress_frame};
use crate::frame::{Form, FrameIndex};
use crate::options::Options;

/// Writes a `.safetensors` file again with its tensors compressed, one after another.
///
/// Releases 0.5.1 to 0.5.4 of the original read the result tensor by tensor; where their patch of
/// `safetensors` is at work, so does whatever loads models. The header of the source is kept in the
/// metadata, so that [`TensorReader`](super::TensorReader) gives the same bytes back.
///
/// A tensor is compressed only where that saves more than its entries in the header cost. The
/// writer reserves room for the longest header that the tensors can need, and leaves blank what is
/// not needed. Every tensor keeps the alignment that it had: frames that would change it get some
/// bytes of slack.
///
/// [`Self::write`] needs memory for one tensor and its compressed form, [`Self::write_from`] for a
/// few MiB. Beside that the writer keeps the header and what it has parsed from it. See
/// [`TensorReader`](super::TensorReader) for an example.
#[derive(Debug)]
pub struct TensorWriter<W> {
    dst: W,
    /// Where in `dst` the file begins.
    start: u64,
    header: HeaderText,
    /// Where in the file the data begins, once room for the header has been reserved.
    data_start: Option<u64>,
    /// What has become of the tensors so far.
    written: Vec<Written>,
    /// Data that is read, a frame, and what making one needs.
    data: Vec<u8>,
    frame: Vec<u8>,
    scratch: EncodeScratch,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// The type of what is compressed, if it is.
    compressed: Option<DType>,
    /// The checksum of what is not.
    checksum: Option<u64>,
}

/// Output of a [`TensorWriter`] that can be read again and cut off: large tensors are put together
/// there.
pub trait TensorTarget: Read + Write + Seek {
    /// Sets the length of the output, which is cut off or filled up with zeros.
    ///
    /// # Errors
    ///
    /// Those of the output.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
}

impl TensorTarget for File {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }
}

impl TensorTarget for Cursor<Vec<u8>> {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.get_mut().resize(len, 0);
        Ok(())
    }
}

impl<T: TensorTarget + ?Sized> TensorTarget for &mut T {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        (**self).set_len(len)
    }
}

/// Tensors from here on are stored as they are: the original cannot keep the index of a longer one.
const MAX_COMPRESSED_LEN: u64 = 8 << 30;
/// Tensors up to this length are compressed in memory, and longer ones in parts of about it.
const PART_LEN: usize = 4 << 20;
/// Bytes that are copied at a time.
const COPY_LEN: usize = 1 << 20;

impl<W: Write + Seek> TensorWriter<W> {
    /// Begins a file. `header` is the header of the source with its length before it: the file up to
    /// where the tensors' data begins, of which there are `data_len` bytes.
    ///
    /// # Errors
    ///
    /// `Layout`, `AlreadyCompressed`, `Io`.
    pub fn new(mut dst: W, header: &[u8], data_len: u64) -> Result<Self, TensorError> {
        let layout = Layout::parse(header, (header.len() as u64).saturating_add(data_len))?;
        if layout.metadata().contains_key(LIST) {
            let name = LIST.into();
            return Err(TensorError::AlreadyCompressed { name });
        }
        let start = dst.stream_position()?;
        let source = header::text(header);
        let header = HeaderText {
            layout,
            source_checksum: checksum(source.as_bytes()),
            source,
            has_checksums: true,
            is_short: false,
        };
        Ok(Self {
            dst,
            start,
            header,
            data_start: None,
            written: Vec::new(),
            data: Vec::new(),
            frame: Vec::new(),
            scratch: EncodeScratch::new(),
        })
    }

    /// Sets whether everything gets checksums: frames, whatever their options say of that, the
    /// header of the source, and tensors that are stored as they are. Default: `true`. Call it
    /// before the first tensor is written.
    #[must_use]
    pub fn checksums(mut self, wanted: bool) -> Self {
        self.header.has_checksums = wanted;
        self
    }

    /// Returns the tensors that are to be written, in this order.
    pub fn tensors(&self) -> &[Tensor] {
        self.header.layout.tensors()
    }

    /// Writes the next tensor: with options compressed, if that makes the file smaller, without them
    /// as it is. The options' type should be the tensor's; tensors of types for which this crate has
    /// no layout are stored as they are.
    ///
    /// # Errors
    ///
    /// `WrongTensor` if the data has another length than the next tensor, or none is left;
    /// `HeaderTooLong` with the first tensor; `Encode`; `Io`.
    pub fn write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, &OneThread)
    }

    /// [`Self::write`] on all threads of the pool.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    #[cfg(feature = "rayon")]
    pub fn par_write(&mut self, data: &[u8], options: Option<&Options>) -> Result<(), TensorError> {
        self.write_with(data, options, &Pool)
    }

    /// [`Self::write`] of a tensor that `source` reads from where it stands, in bounded memory. A
    /// long tensor is read a second time if compressing it saves nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::write`], and `Source` if the source cannot be read, or ends before the tensor does.
    pub fn write_from(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
    ) -> Result<(), TensorError>
    where
        W: TensorTarget,
    {
        self.write_from_with(source, options, &OneThread)
    }

    /// [`Self::write_from`] on all threads of the pool.
    ///
    /// # Errors
    ///
    /// As [`Self::write_from`].
    #[cfg(feature = "rayon")]
    pub fn par_write_from(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
    ) -> Result<(), TensorError>
    where
        W: TensorTarget,
    {
        self.write_from_with(source, options, &Pool)
    }

    fn write_with(
        &mut self,
        data: &[u8],
        options: Option<&Options>,
        coder: &impl Coder,
    ) -> Result<(), TensorError> {
        self.reserve_header()?;
        let found = Some(data.len() as u64);
        let tensor = next_tensor(&self.header.layout, &self.written, found)?;
        let costs = Costs::of(tensor, self.header.has_checksums, self.header.is_short);
        let mut stored = data;
        let mut compressed = None;
        if let Some(options) = options_for(tensor, options, self.header.has_checksums) {
            let envelope = envelope(tensor);
            let bound = Geometry::new(data.len(), &options, &envelope).bound();
            let frame = &mut self.frame;
            let len = reserve(frame, bound)
                .and_then(|()| coder.compress(data, frame, &options, &envelope, &mut self.scratch))
                .map_err(|error| TensorError::Encode { name: tensor.name.clone(), error })?;
            if costs.is_worth(data.len() as u64, len as u64) {
                stored = &frame[..len];
                compressed = Some(options.dtype);
            }
        }
        self.dst.write_all(stored)?;
        let has_checksum = self.header.has_checksums && compressed.is_none();
        let checksum = has_checksum.then(|| checksum(data));
        self.written.push(Written { len: stored.len() as u64, compressed, checksum });
        Ok(())
    }

    fn write_from_with(
        &mut self,
        source: &mut (impl Read + Seek),
        options: Option<&Options>,
        coder: &impl Coder,
    ) -> Result<(), TensorError>
    where
        W: TensorTarget,
    {
        self.reserve_header()?;
        let tensor = next_tensor(&self.header.layout, &self.written, None)?.to_owned();
        let len = match usize::try_from(tensor.len()) {
            Ok(len) if len <= PART_LEN => {
                let mut data = core::mem::take(&mut self.data);
                read_part(source, len, &mut data)?;
                let result = self.write_with(&data, options, coder);
                self.data = data;
                return result;
            }
            len => len.ok(),
        };
        let from = source.stream_position().map_err(TensorError::Source)?;
        let to = self.dst.stream_position()?;
        let options = options_for(&tensor, options, self.header.has_checksums);
        if let (Some(len), Some(options)) = (len, options) {
            if let Some(len) = self.write_frame(source, &tensor, (to, len), &options, coder)? {
                let compressed = Some(options.dtype);
                self.written.push(Written { len, compressed, checksum: None });
                return Ok(());
            }
            source.seek(SeekFrom::Start(from)).map_err(TensorError::Source)?;
            self.dst.seek(SeekFrom::Start(to))?;
        }
        let checksum = self.copy_plain(source, tensor.len())?;
        self.dst.set_len(to + tensor.len())?;
        let checksum = self.header.has_checksums.then_some(checksum);
        self.written.push(Written { len: tensor.len(), compressed: None, checksum });
        Ok(())
    }

    /// Writes a frame of the next tensor, which `source` reads, to this place. Returns its length,
    /// and `None` if the tensor had better be stored as it is.
    fn write_frame(
        &mut self,
        source: &mut impl Read,
        tensor: &Tensor,
        (at, len): (u64, usize),
        options: &Options,
        coder: &impl Coder,
    ) -> Result<Option<u64>, TensorError>
    where
        W: TensorTarget,
    {
        let failure = |error| TensorError::Encode { name: tensor.name.clone(), error };
        let envelope = envelope(tensor);
        let mut frame = FrameParts::new(len, options, &envelope).map_err(failure)?;
        let part_len = frame.part_len(coder.part_len());
        let mut hasher = Hasher::default();
        let mut left = len;
        while left > 0 {
            let part_len = part_len.min(left);
            read_part(source, part_len, &mut self.data)?;
            let part = compress_part(&frame, &self.data, &mut self.frame, coder, &mut self.scratch)
                .map_err(failure)?;
            for (plane, (offset, bytes)) in frame.add(&part).into_iter().enumerate() {
                if bytes.is_empty() {
                    continue;
                }
                if plane == 0 && frame.needs_payload_checksum() {
                    hasher.update(bytes);
                }
                self.dst.seek(SeekFrom::Start(at + offset))?;
                self.dst.write_all(bytes)?;
            }
            left -= part_len;
        }
        let frame_len = frame.frame_len();
        if !Costs::of(tensor, self.header.has_checksums, self.header.is_short)
            .is_worth(len as u64, frame_len)
        {
            return Ok(None);
        }
        self.close_gaps(&frame, at, &mut hasher)?;
        let (prefix, slack_at, slack) = frame.finish(hasher.checksum());
        self.dst.seek(SeekFrom::Start(at))?;
        self.dst.write_all(&prefix)?;
        self.dst.seek(SeekFrom::Start(at + slack_at))?;
        self.dst.write_all(&slack)?;
        self.dst.set_len(at + frame_len)?;
        Ok(Some(frame_len))
    }

    /// Moves the planes of a frame together, and hashes all but the first, where that is needed.
    fn close_gaps(&mut self, frame: &FrameParts<'_>, at: u64, hasher: &mut Hasher) -> io::Result<()>
    where
        W: TensorTarget,
    {
        for (from, to) in frame.moves().skip(1) {
            let distance = from.start - to;
            if distance == 0 && !frame.needs_payload_checksum() {
                continue;
            }
            let mut place = from;
            while !place.is_empty() {
                let len = (place.end - place.start).min(COPY_LEN as u64);
                self.dst.seek(SeekFrom::Start(at + place.start))?;
                self.data.resize(len as usize, 0);
                self.dst.read_exact(&mut self.data)?;
                hasher.update(&self.data);
                if distance > 0 {
                    self.dst.seek(SeekFrom::Start(at + place.start - distance))?;
                    self.dst.write_all(&self.data)?;
                }
                place.start += len;
            }
        }
        Ok(())
    }

    /// Copies a tensor as it is, and returns its checksum.
    fn copy_plain(&mut self, source: &mut impl Read, len: u64) -> Result<u64, TensorError> {
        let mut hasher = Hasher::default();
        let mut left = len;
        while left > 0 {
            let part_len = left.min(COPY_LEN as u64);
            read_part(source, part_len as usize, &mut self.data)?;
            hasher.update(&self.data);
            self.dst.write_all(&self.data)?;
            left -= part_len;
        }
        Ok(hasher.checksum())
    }

    /// Writes the header, and returns what was written to, at the end of the file.
    ///
    /// # Errors
    ///
    /// `WrongTensor` if tensors are missing; `HeaderTooLong`; `Io`.
    pub fn finish(mut self) -> Result<W, TensorError> {
        let data_start = self.reserve_header()?;
        if let Some(missing) = self.header.layout.tensors().get(self.written.len()) {
            return Err(TensorError::WrongTensor { expected: Some(missing.len()), found: None });
        }
        let header = &self.header;
        let room = data_start - Layout::PREFIX_LEN;
        let len = len_of(|out| header.write(out, &self.written));
        let blanks = room.checked_sub(len).ok_or(TensorError::HeaderTooLong { len })?;
        self.dst.seek(SeekFrom::Start(self.start))?;
        let mut out = BufWriter::new(&mut self.dst);
        out.write_all(&room.to_le_bytes())?;
        header.write(&mut out, &self.written)?;
        io::copy(&mut io::repeat(b' ').take(blanks), &mut out)?;
        out.flush()?;
        drop(out);
        self.dst.seek(SeekFrom::End(0))?;
        self.dst.flush()?;
        Ok(self.dst)
    }

    /// Leaves room for the header before the first tensor, and returns where the data begins.
    fn reserve_header(&mut self) -> Result<u64, TensorError> {
        if let Some(data_start) = self.data_start {
            return Ok(data_start);
        }
        if self.header.is_heavy() {
            self.header.shorten();
        }
        let phase = self.header.layout.data_start() % ALIGNMENT;
        let data_start = header::data_start(self.header.longest(), phase).or_else(|_| {
            self.header.shorten();
            header::data_start(self.header.longest(), phase)
        })?;
        self.dst.seek(SeekFrom::Start(self.start + data_start))?;
        self.data_start = Some(data_start);
        Ok(data_start)
    }
}

/// Returns the next tensor, which has to have this length, if one is given.
fn next_tensor<'l>(
    layout: &'l Layout,
    written: &[Written],
    found: Option<u64>,
) -> Result<&'l Tensor, TensorError> {
    let tensor = layout.tensors().get(written.len());
    let expected = tensor.map(Tensor::len);
    tensor
        .filter(|_| found.is_none() || found == expected)
        .ok_or(TensorError::WrongTensor { expected, found })
}

/// Returns the options with which a tensor is compressed, if it may be.
fn options_for(tensor: &Tensor, options: Option<&Options>, has_checksums: bool) -> Option<Options> {
    let dtype = tensor.dtype().filter(|_| is_candidate(tensor))?;
    let options = options.filter(|options| options.dtype() == dtype)?;
    Some(options.checksums(has_checksums))
}

/// What the header says, beside what has become of the tensors.
#[derive(Debug)]
struct HeaderText {
    layout: Layout,
    /// The text of the source's header, or its description.
    source: String,
    source_checksum: u64,
    has_checksums: bool,
    /// Whether it has been made shorter than usual.
    is_short: bool,
}

impl HeaderText {
    /// Whether the source's header is so large a part of the file that a copy would use up much of
    /// what compressing saves.
    fn is_heavy(&self) -> bool {
        const SHORTEST: u64 = 16 << 10;
        const PART: u64 = 16;
        let tensors = self.layout.tensors();
        let data_len = tensors.last().map_or(0, |last| last.range.end - self.layout.data_start());
        let len = self.source.len() as u64;
        len >= SHORTEST && len > data_len / PART
    }

    /// Makes the header shorter: leaves out the text of the source's header if that is in a usual
    /// form, and the names of checksums.
    fn shorten(&mut self) {
        self.is_short = true;
        let layout = &self.layout;
        let entries = || {
            // As the reader has it, which knows no more than the lengths.
            let mut at = 0;
            layout.tensors().iter().map(move |tensor| {
                let start = at;
                at += tensor.len();
                let Tensor { name, dtype, shape, .. } = tensor;
                Entry { name, dtype, shape, data_offsets: [start, at] }
            })
        };
        // Texts like ours do not come through, so that the header could not be made from the others.
        if [SOURCE_HEADER, CHECKSUMS].iter().any(|&key| layout.metadata().contains_key(key)) {
            return;
        }
        if let Some(form) = Usual::of(&self.source, layout.metadata(), entries) {
            self.source = form.describe();
        }
    }

    /// Returns the most bytes that the header can take: each tensor has its entries in the form that
    /// takes more, of the forms that it can have.
    fn longest(&self) -> u64 {
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
    fn write(&self, out: &mut dyn Write, written: &[Written]) -> io::Result<()> {
        let tensors = || self.layout.tensors().iter().zip(written);
        let mut by_name: Vec<(&Tensor, &Written)> = tensors().collect();
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
        // Those of another file come back with the source's header.
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
        header::write(out, &metadata, entries)
    }
}

/// Bytes of the header that a tensor takes.
#[derive(Debug, Clone, Copy)]
struct Costs {
    /// As it is, with a checksum.
    plain: u64,
    /// As a frame, with an entry in the list.
    compressed: u64,
}

impl Costs {
    /// Returns the most that a tensor can cost. Its place in the result is no further back than in
    /// the source, and its frame no longer than its data.
    fn of(tensor: &Tensor, has_checksums: bool, is_short: bool) -> Self {
        let end = tensor.range.end;
        let (len, data_offsets) = ([tensor.len()], [tensor.range.start, end]);
        let entry = |dtype, shape| Entry { name: &tensor.name, dtype, shape, data_offsets };
        let with_comma = |len: u64| len + 1;
        let entry_len =
            |entry: Entry<'_>| with_comma(len_of(|out| header::write_entry(out, &entry)));
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

    /// Whether a frame of this length makes the file smaller.
    fn is_worth(&self, data_len: u64, frame_len: u64) -> bool {
        frame_len < data_len && frame_len + self.compressed < data_len + self.plain
    }

    /// Whether any frame of the tensor could.
    fn can_be_worth(&self, tensor: &Tensor, has_checksums: bool) -> bool {
        is_candidate(tensor)
            && self.is_worth(tensor.len(), Geometry::shortest(&tensor.shape, has_checksums) as u64)
    }
}

/// What frames and checksums are made with. The bytes do not depend on it.
trait Coder {
    /// Compresses data into a frame and returns its length.
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError>;

    /// Returns the checksums of chunks of this length.
    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64>;

    /// Returns how many bytes should be compressed at a time.
    fn part_len(&self) -> usize;
}

struct OneThread;

impl Coder for OneThread {
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError> {
        compress_frame(data, frame, options, envelope, scratch)
    }

    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64> {
        data.chunks(chunk_len).map(checksum).collect()
    }

    fn part_len(&self) -> usize {
        PART_LEN
    }
}

/// All threads of the pool.
#[cfg(feature = "rayon")]
struct Pool;

#[cfg(feature = "rayon")]
impl Coder for Pool {
    fn compress(
        &self,
        data: &[u8],
        frame: &mut [u8],
        options: &Options,
        envelope: &Envelope<'_>,
        _scratch: &mut EncodeScratch,
    ) -> Result<usize, EncodeError> {
        crate::parallel::par_compress_frame(data, frame, options, envelope)
    }

    fn checksums(&self, data: &[u8], chunk_len: usize) -> Vec<u64> {
        crate::parallel::par_checksums(data, chunk_len)
    }

    fn part_len(&self) -> usize {
        crate::parallel::part_len(PART_LEN)
    }
}

/// Compresses a part of a frame into `dst`, as a frame of its own.
fn compress_part<'d>(
    frame: &FrameParts<'_>,
    data: &[u8],
    dst: &'d mut Vec<u8>,
    coder: &impl Coder,
    scratch: &mut EncodeScratch,
) -> Result<FramePart<'d>, EncodeError> {
    let options = frame.part_options();
    reserve(dst, Geometry::new(data.len(), &options, &Envelope::BYTES).bound())?;
    coder.compress(data, dst, &options, &Envelope::BYTES, scratch)?;
    let checksums = frame.checksum_len().map(|len| coder.checksums(data, len));
    let index = FrameIndex::parse(dst).expect("a frame that was just written is right");
    Ok(FramePart { index, bytes: dst, checksums: checksums.unwrap_or_default() })
}

/// Returns the length of the frame that a tensor would be compressed to. `read` fills one part of
/// its data after another: whole chunks.
pub(super) fn frame_len(
    tensor: &StoredTensor,
    options: &Options,
    mut read: impl FnMut(&mut [u8]) -> io::Result<()>,
) -> Result<u64, TensorError> {
    let failure = |error| TensorError::Encode { name: tensor.name.clone(), error };
    let envelope = Envelope { form: Form::Torch, shape: &tensor.shape, ..Envelope::BYTES };
    let out_of_memory = EncodeError::OutOfMemory { requested: tensor.decoded_len };
    let mut left = usize::try_from(tensor.decoded_len).map_err(|_| failure(out_of_memory))?;
    let mut frame = FrameParts::new(left, options, &envelope).map_err(failure)?;
    let part_len = frame.part_len(PART_LEN);
    let (mut data, mut dst) = (Vec::new(), Vec::new());
    let mut scratch = EncodeScratch::new();
    while left > 0 {
        data.resize(part_len.min(left), 0);
        read(&mut data)?;
        let part = compress_part(&frame, &data, &mut dst, &OneThread, &mut scratch);
        frame.add(&part.map_err(failure)?);
        left -= data.len();
    }
    Ok(frame.frame_len())
}

/// The kind of frame that tensors become.
fn envelope(tensor: &Tensor) -> Envelope<'_> {
    Envelope { form: Form::Torch, shape: &tensor.shape, is_aligned: true, ..Envelope::BYTES }
}

/// Reads so many bytes in place of what is in `part`.
fn read_part(source: &mut impl Read, len: usize, part: &mut Vec<u8>) -> Result<(), TensorError> {
    part.resize(len, 0);
    source.read_exact(part).map_err(TensorError::Source)
}

/// Makes `frame` at least `len` bytes long.
fn reserve(frame: &mut Vec<u8>, len: usize) -> Result<(), EncodeError> {
    let more = len.saturating_sub(frame.len());
    frame
        .try_reserve_exact(more)
        .map_err(|_| EncodeError::OutOfMemory { requested: len as u64 })?;
    frame.resize(len.max(frame.len()), 0);
    Ok(())
}

/// Whether a tensor may be compressed. The original reads dimensions of 2^32 and more from the wrong
/// place, and no more than 255 of any size fit into a frame.
fn is_candidate(tensor: &Tensor) -> bool {
    tensor.dtype().is_some()
        && tensor.len() > 0
        && tensor.len() <= MAX_COMPRESSED_LEN
        && tensor.shape.len() <= usize::from(u8::MAX)
        && tensor.shape.iter().all(|&dimension| u32::try_from(dimension).is_ok())
}
