//! Plans the decoding of a batch of chunks.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use crate::chunk::decode::{BaseUse, DecodeScratch, PlaneBytes, StoredPlane};
use crate::entropy::STREAMS;
use crate::error::{DecodeError, DecodeErrorKind, Location};
use crate::format::method;
use crate::gpu::checks::Checks;
use crate::gpu::chunk_input::ChunkInput;
use crate::gpu::coded_plane::CodedPlane;
use crate::gpu::pass::{Binding, Pass, Slot, Step};
use crate::gpu::secret::SECRET;
use crate::plane::MAX_PLANES;
use crate::try_alloc::zeroed;

/// Bytes of a word, in which shaders count.
const WORD: u64 = 4;
/// The alignment of bindings, which all devices accept.
const ALIGNMENT: u64 = 256;
/// The last position in a buffer, far above the memory of any GPU.
const MAX_POSITION: u64 = 1 << 60;
/// Bytes before the first stored plane, because a shader reads two words ahead of a stream, which is
/// read backwards.
const LEAD: u64 = 16;
/// The largest number of chunks in a batch: workgroups are counted with 16 bits, and a chunk has up to
/// four planes.
const MAX_CHUNKS: usize = 16_383;
/// Words that a thread of the shaders that work on words handles at least, if there are so many.
const WORDS_OF_GROUP: u32 = 256;
/// The largest number of workgroups for one job of the shaders that work on words.
const MAX_GROUPS_OF_JOB: u32 = 64;

/// A batch of chunks to decode on a GPU.
///
/// See the [module](crate::gpu) for an example.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Position of the first and of the next byte in the caller's buffer.
    start: u64,
    position: u64,
    /// Position in the base that belongs to `start`.
    base: Option<u64>,
    pieces: Vec<Cow<'a, [u8]>>,
    input_len: u64,
    codes: Vec<u32>,
    /// Jobs by [`Step`].
    jobs: [Jobs; Step::ALL.len()],
    checks: Checks,
    chunks: usize,
    /// The length of the chunks and their bases, which limits the length of all buffers.
    chunk_bytes: u64,
    scratch_words: u32,
    spare_words: u32,
}

/// The jobs of one step.
#[derive(Debug, Default)]
struct Jobs {
    words: Vec<u32>,
    count: u32,
    /// The most words that a job writes.
    max_len: u32,
}

impl Jobs {
    fn push(&mut self, job: &[u32], len: u32) {
        self.words.extend(job.iter().map(|word| word.to_le()));
        self.count += 1;
        self.max_len = self.max_len.max(len);
    }
}

/// Where a chunk is decoded to.
#[derive(Clone, Copy)]
struct Destination {
    /// Whether it is the caller's buffer.
    is_output: bool,
    /// The word in its window or in the spare memory.
    word: u32,
}

/// How a shader gets a plane.
#[derive(Clone, Copy)]
enum Source {
    /// From a byte of the input.
    Raw(u32),
    /// One byte, which fills the plane.
    Repeat(u8),
    /// By decoding the piece of the input that begins with this byte.
    Coded(u32),
}

impl<'a> Plan<'a> {
    /// The number of bytes that a batch decodes to at most, unless a single chunk is longer. Bytes of
    /// the base that are uploaded count, too.
    pub const BATCH_LEN: u64 = 64 << 20;
    /// The longest chunk that can be decoded, in bytes. Writers use 256 KiB.
    pub const MAX_CHUNK_LEN: u64 = 48 << 20;

    /// Creates an empty plan, which decodes to the bytes of a buffer from `offset` on.
    pub fn new(offset: u64) -> Self {
        Self {
            start: offset,
            position: offset,
            base: None,
            pieces: Vec::new(),
            input_len: LEAD,
            codes: Vec::new(),
            jobs: Default::default(),
            checks: Checks::default(),
            chunks: 0,
            chunk_bytes: 0,
            scratch_words: 0,
            spare_words: 0,
        }
    }

    /// Sets a buffer with the base of a difference. Its bytes from `offset` on belong to the first bytes
    /// of the batch.
    #[must_use]
    pub fn with_base(self, offset: u64) -> Self {
        Self { base: Some(offset), ..self }
    }

    /// Returns whether a chunk fits. Any chunk fits into an empty batch.
    pub fn has_room_for(&self, chunk: &ChunkInput<'_>) -> bool {
        let len = self.chunk_bytes.saturating_add(chunk.bytes_to_hold());
        self.chunks == 0 || self.chunks < MAX_CHUNKS && len <= Self::BATCH_LEN
    }

    /// Returns whether the batch decodes to nothing.
    pub fn is_empty(&self) -> bool {
        self.chunks == 0
    }

    /// Returns the number of bytes that the batch decodes to.
    pub fn decoded_len(&self) -> u64 {
        self.position - self.start
    }

    /// Adds a chunk, whose wanted bytes follow the bytes of the chunks before it.
    ///
    /// `scratch` decodes the planes and the chunks that the shaders do not decode.
    ///
    /// # Errors
    ///
    /// `Truncated` and `OutOfRange` if the stored bytes or the wanted range do not belong to the
    /// chunk, or the buffer cannot be so long; `LimitExceeded` for a chunk of more than
    /// [`Self::MAX_CHUNK_LEN`] bytes, or without [room](Self::has_room_for) for it; `BaseRequired` and
    /// `BaseLength`; `InvalidCodeLengths`, `CorruptStream` and the other errors of the stored data.
    /// All name the location. After an error, drop the plan.
    pub fn push(
        &mut self,
        chunk: ChunkInput<'a>,
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        self.push_chunk(&chunk, scratch).map_err(|error| chunk.error(error))
    }

    fn push_chunk(
        &mut self,
        input: &ChunkInput<'a>,
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        input.check()?;
        let (requested, limit) = (input.chunk.len(), Self::MAX_CHUNK_LEN);
        if requested > limit {
            return Err(DecodeErrorKind::LimitExceeded { requested, limit }.into());
        }
        if input.wanted_len() == 0 {
            return Ok(());
        }
        if !self.has_room_for(input) {
            let requested = self.chunk_bytes.saturating_add(input.bytes_to_hold());
            let limit = Self::BATCH_LEN;
            return Err(DecodeErrorKind::LimitExceeded { requested, limit }.into());
        }
        let ends = [self.position, self.base.unwrap_or_default()];
        if ends.iter().any(|&end| end > MAX_POSITION) {
            return Err(DecodeErrorKind::OutOfRange.into());
        }
        let to = self.destination(input);
        match self.decode_whole(input, scratch)? {
            Some(decoded) => {
                let at = self.push_piece(Cow::Owned(decoded))?;
                self.push_merge(to, input, 1, &[Source::Raw(at)])?;
            }
            None => self.push_planes(to, input, scratch)?,
        }
        if input.needs_xor() {
            self.push_base(to, input)?;
        }
        if let Some(checksum) = input.chunk.checksum() {
            self.push_checksum(to, input, checksum);
        }
        if !to.is_output {
            self.push_move(to, input);
        }
        self.chunks += 1;
        self.chunk_bytes += input.bytes_to_hold();
        self.position += input.wanted_len();
        Ok(())
    }

    /// Returns the position of a chunk: in the output, if whole words of it are written.
    fn destination(&mut self, input: &ChunkInput<'_>) -> Destination {
        let len = input.chunk.len();
        let is_output =
            input.is_whole() && self.position.is_multiple_of(WORD) && len.is_multiple_of(WORD);
        if is_output {
            return Destination { is_output, word: (self.window_byte() / 4) };
        }
        let word = self.spare_words;
        self.spare_words += words(len);
        Destination { is_output, word }
    }

    /// Returns the next byte, counted from the beginning of the output's window.
    fn window_byte(&self) -> u32 {
        (self.position - self.output_window().start) as u32
    }

    /// Decodes a chunk whose planes are not stored one by one.
    fn decode_whole(
        &self,
        input: &ChunkInput<'_>,
        scratch: &mut DecodeScratch,
    ) -> Result<Option<Vec<u8>>, DecodeError> {
        let chunk = &input.chunk;
        let is_code = chunk.base_use == BaseUse::Code;
        if !is_code && !matches!(chunk.planes[0].method, method::RECORDS | method::SCALES) {
            return Ok(None);
        }
        let chunk = chunk.clone().with_checksum(None);
        let mut decoded = zeroed(chunk.len())?;
        let mut scratch = scratch.with_len(chunk.scratch_len())?;
        if is_code {
            let base = input.base.ok_or(DecodeErrorKind::BaseRequired)?;
            chunk.decode_delta(&input.stored, base, &mut decoded, &mut scratch)?;
        } else {
            chunk.decode(&input.stored, &mut decoded, &mut scratch)?;
        }
        Ok(Some(decoded))
    }

    fn push_planes(
        &mut self,
        to: Destination,
        input: &ChunkInput<'a>,
        scratch: &mut DecodeScratch,
    ) -> Result<(), DecodeError> {
        let planes = input.chunk.plane_count();
        let mut sources = [Source::Repeat(0); MAX_PLANES];
        for (plane, source) in sources[..planes].iter_mut().enumerate() {
            *source = self.source(input, plane, scratch)?;
        }
        let len = input.chunk.len();
        match sources[..planes] {
            [Source::Coded(coded)] if to.is_output && len.is_multiple_of(16) => {
                self.push_coded(Step::DecodeToOutput, input, 0, coded, to.word, [0; 2])
            }
            [Source::Raw(raw), Source::Coded(coded)] if to.is_output && len.is_multiple_of(32) => {
                let pair = [raw, input.chunk.layout.is_rotated().into()];
                self.push_coded(Step::DecodePairs, input, 1, coded, to.word, pair)
            }
            _ => self.push_merge(to, input, planes, &sources[..planes]),
        }
    }

    /// Adds the bytes of a plane to the input, decoded if no shader decodes them.
    fn source(
        &mut self,
        input: &ChunkInput<'a>,
        plane: usize,
        scratch: &mut DecodeScratch,
    ) -> Result<Source, DecodeError> {
        let chunk = &input.chunk;
        let bytes = match chunk.stored_plane(&input.stored, plane)? {
            StoredPlane::Plain(PlaneBytes::Repeat(byte)) => return Ok(Source::Repeat(byte)),
            StoredPlane::Plain(PlaneBytes::All(bytes)) => {
                return Ok(Source::Raw(self.push_piece(Cow::Borrowed(bytes))?));
            }
            StoredPlane::Coded(bytes) => bytes,
        };
        if chunk.planes[plane].method == method::HUFFMAN {
            return Ok(Source::Coded(self.push_piece(Cow::Borrowed(bytes))?));
        }
        let mut decoded = zeroed(chunk.layout.plane_len(chunk.len(), plane))?;
        chunk.decode_coded(plane, bytes, &mut decoded, &mut scratch.with_len(0)?)?;
        Ok(Source::Raw(self.push_piece(Cow::Owned(decoded))?))
    }

    /// Adds bytes to the input, and returns the position of the first.
    fn push_piece(&mut self, bytes: Cow<'a, [u8]>) -> Result<u32, DecodeError> {
        let at = self.input_len as u32;
        self.input_len += bytes.len() as u64;
        self.pieces.push(bytes);
        Ok(at)
    }

    /// Adds a Huffman-coded plane, whose stored bytes begin at a position of the input.
    fn push_coded(
        &mut self,
        step: Step,
        input: &ChunkInput<'_>,
        plane: usize,
        at: u32,
        to: u32,
        pair: [u32; 2],
    ) -> Result<(), DecodeError> {
        let symbols = input.chunk.layout.plane_len(input.chunk.len(), plane) as usize;
        let coded = CodedPlane::parse(input.stored[plane], symbols)
            .map_err(|kind| DecodeError::from(kind).in_plane(plane))?;
        let codes_at = self.codes.len() as u32;
        coded.append_codes(&mut self.codes);
        let code_count = self.codes.len() as u32 - codes_at;
        let report = self.checks.push_plane(location(input, Some(plane)));
        let mut job = [0; 16];
        job[..8].copy_from_slice(&coded.stream_bounds(at * u8::BITS));
        job[8..14].copy_from_slice(&[
            symbols as u32,
            codes_at,
            code_count,
            coded.longest(),
            to,
            report,
        ]);
        job[14..].copy_from_slice(&pair);
        self.jobs[step as usize].push(&job, 0);
        Ok(())
    }

    /// Adds a chunk that is merged from planes, of which coded ones are decoded to the scratch memory
    /// before.
    fn push_merge(
        &mut self,
        to: Destination,
        input: &ChunkInput<'_>,
        planes: usize,
        sources: &[Source],
    ) -> Result<(), DecodeError> {
        let len = input.chunk.len();
        let is_rotated = planes > 1 && input.chunk.layout.is_rotated();
        let mut job = [0; 4 + 4 * MAX_PLANES];
        job[..4].copy_from_slice(&[to.word, len as u32, planes as u32, is_rotated.into()]);
        for (plane, &source) in sources.iter().enumerate() {
            let fields = match source {
                Source::Raw(at) => [0, at, 0, 0],
                Source::Repeat(byte) => [1, byte.into(), 0, 0],
                Source::Coded(at) => {
                    let to = self.scratch_words;
                    let symbols = input.chunk.layout.plane_len(len, plane);
                    let stream = symbols.div_ceil(STREAMS as u64);
                    self.scratch_words += STREAMS as u32 * words(stream);
                    self.push_coded(Step::DecodeToScratch, input, plane, at, to, [0; 2])?;
                    [2, to, stream as u32, words(stream)]
                }
            };
            job[4 + 4 * plane..][..4].copy_from_slice(&fields);
        }
        let step = if to.is_output { Step::MergeToOutput } else { Step::MergeToSpare };
        self.jobs[step as usize].push(&job, words(len));
        Ok(())
    }

    fn push_base(&mut self, to: Destination, input: &ChunkInput<'a>) -> Result<(), DecodeError> {
        let (step, at) = match (input.base, self.base) {
            (Some(base), _) => {
                let at = self.push_piece(Cow::Borrowed(base))?;
                let steps = [Step::ApplyUploadToSpare, Step::ApplyUploadToOutput];
                (steps[usize::from(to.is_output)], at)
            }
            // Parts of chunks need bytes of the base outside its buffer.
            (None, Some(start)) if input.is_whole() => {
                let at = start % ALIGNMENT + self.decoded_len();
                let steps = [Step::ApplyBufferToSpare, Step::ApplyBufferToOutput];
                (steps[usize::from(to.is_output)], at as u32)
            }
            _ => return Err(DecodeErrorKind::BaseRequired.into()),
        };
        let len = input.chunk.len();
        self.jobs[step as usize].push(&[to.word, at, len as u32], words(len));
        Ok(())
    }

    fn push_checksum(&mut self, to: Destination, input: &ChunkInput<'_>, checksum: u64) {
        let len = input.chunk.len();
        let report = self.checks.push_checksum(checksum, len, location(input, None));
        let step = if to.is_output { Step::ChecksumOutput } else { Step::ChecksumSpare };
        let jobs = &mut self.jobs[step as usize];
        if jobs.words.is_empty() {
            let words = SECRET.as_chunks().0.iter().copied().map(u32::from_ne_bytes);
            jobs.words.extend(words);
        }
        jobs.push(&[to.word, len as u32, report], 0);
    }

    /// Copies the wanted bytes of a chunk from the spare memory.
    fn push_move(&mut self, from: Destination, input: &ChunkInput<'_>) {
        let len = input.wanted_len() as u32;
        let at = self.window_byte();
        let job = [from.word * 4 + input.part.start as u32, at, len];
        self.jobs[Step::Move as usize].push(&job, words(len.into()) + 1);
    }

    /// Returns the range of the caller's buffer that the batch decodes to.
    pub fn output_range(&self) -> Range<u64> {
        self.start..self.position
    }

    /// Returns the range of the caller's buffer that [`Binding::Output`] binds.
    ///
    /// Its length is a multiple of 4. The passes change no byte that does not belong to the batch.
    pub fn output_window(&self) -> Range<u64> {
        window(self.start, self.position)
    }

    /// Returns the range of the base that [`Binding::Base`] binds; `None` without a base.
    pub fn base_window(&self) -> Option<Range<u64>> {
        self.base.map(|start| window(start, start + self.decoded_len()))
    }

    /// Returns the length of [`Binding::Scratch`] in bytes.
    pub fn scratch_len(&self) -> u64 {
        u64::from(self.scratch_words) * WORD
    }

    /// Returns the length of [`Binding::Spare`] in bytes.
    pub fn spare_len(&self) -> u64 {
        u64::from(self.spare_words) * WORD
    }

    /// Returns the length of the bytes to upload.
    pub fn upload_len(&self) -> u64 {
        self.sections().last().map_or(0, |(_, range)| range.end)
    }

    /// Passes the bytes to upload to `write`, each with its offset, in order.
    ///
    /// The bytes between them are not used.
    pub fn upload(&self, mut write: impl FnMut(u64, &[u8])) {
        for (slot, range) in self.sections() {
            match slot {
                Section::Input => {
                    let mut at = range.start + LEAD;
                    for piece in &self.pieces {
                        write(at, piece);
                        at += piece.len() as u64;
                    }
                }
                Section::Codes => write(range.start, bytemuck::cast_slice(&self.codes)),
                Section::Jobs(step) => {
                    write(range.start, bytemuck::cast_slice(&self.jobs[step as usize].words));
                }
            }
        }
    }

    /// Returns the sections of the upload that are not empty, with their ranges.
    fn sections(&self) -> impl Iterator<Item = (Section, Range<u64>)> {
        let fixed = [
            (Section::Input, self.input_len.next_multiple_of(WORD)),
            (Section::Codes, self.codes.len() as u64 * WORD),
        ];
        let jobs = Step::ALL
            .iter()
            .map(|&step| (Section::Jobs(step), self.jobs[step as usize].words.len() as u64 * WORD));
        let mut end = 0_u64;
        fixed.into_iter().chain(jobs).filter(|&(_, len)| len > 0).map(move |(section, len)| {
            let start = end.next_multiple_of(ALIGNMENT);
            end = start + len;
            (section, start..end)
        })
    }

    fn section(&self, wanted: Section) -> Range<u64> {
        self.sections().find(|&(section, _)| section == wanted).map_or(0..0, |(_, range)| range)
    }

    /// Returns the passes, to be run in this order.
    pub fn passes(&self) -> impl Iterator<Item = Pass> {
        let steps = Step::ALL.iter().filter(|&&step| self.jobs[step as usize].count > 0);
        steps.map(|&step| {
            let jobs = &self.jobs[step as usize];
            let workgroups = if step.is_by_group() {
                [jobs.count, 1]
            } else {
                [jobs.max_len.div_ceil(WORDS_OF_GROUP).clamp(1, MAX_GROUPS_OF_JOB), jobs.count]
            };
            let mut bindings = [const { None }; Pass::MAX_BINDINGS];
            for (binding, &slot) in bindings.iter_mut().zip(step.slots()) {
                *binding = Some(self.binding(step, slot));
            }
            Pass { shader: step.shader(), bindings, workgroups }
        })
    }

    fn binding(&self, step: Step, slot: Slot) -> Binding {
        match slot {
            Slot::Input => Binding::Upload(self.section(Section::Input)),
            Slot::Codes => Binding::Upload(self.section(Section::Codes)),
            Slot::Jobs => Binding::Upload(self.section(Section::Jobs(step))),
            Slot::Scratch => Binding::Scratch,
            Slot::Spare => Binding::Spare,
            Slot::Output => Binding::Output,
            Slot::Base => Binding::Base,
            Slot::Report => Binding::Report,
        }
    }

    /// Returns what the report must contain.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// Returns what the report must contain, without the bytes of the file.
    pub fn into_checks(self) -> Checks {
        self.checks
    }
}

/// A section of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Input,
    Codes,
    Jobs(Step),
}

/// Returns the number of words that `bytes` take.
fn words(bytes: u64) -> u32 {
    bytes.div_ceil(WORD) as u32
}

/// Returns the aligned range of a buffer that contains a range.
fn window(start: u64, end: u64) -> Range<u64> {
    start - start % ALIGNMENT..end.next_multiple_of(WORD)
}

fn location(input: &ChunkInput<'_>, plane: Option<usize>) -> Location {
    Location {
        frame: Some(input.frame),
        chunk: Some(input.number),
        plane: plane.map(|plane| plane as u8),
    }
}
