//! Helpers of several fuzz targets: arbitrary options and lengths, and all decoders.

use std::io::{self, Cursor, Read};

use arbitrary::{Arbitrary, Unstructured};
use zipnn::file::Frames;
use zipnn::frame::{DecodeScratch, Scratch, SmallTable};
use zipnn::io::EncoderBuilder;
use zipnn::push::PushDecoder;
use zipnn::{Archive, DType, DecodeError, Decoder, Limits, Options, PlaneCode, Profile};

/// Limits that keep targets fast whatever the input claims.
pub const LIMITS: Limits =
    Limits::new().decoded_bytes(1 << 18).expansion(1 << 14).frame_bytes(1 << 22);

/// Makes all checksums count as correct, so that altered files reach the decoder.
pub fn ignore_checksums() {
    zipnn::kernels::ignore_checksums();
}

/// Changes bytes of a file, by their distance from its end.
pub fn change(file: &mut [u8], changes: &[(u16, u8)]) {
    if file.is_empty() {
        return;
    }
    for &(back, change) in changes {
        let at = file.len() - 1 - usize::from(back) % file.len();
        file[at] ^= change;
    }
}

/// Returns an arbitrary type.
pub fn dtype(input: &mut Unstructured<'_>) -> arbitrary::Result<DType> {
    input.choose(&DType::ALL).copied()
}

/// Arbitrary options within their ranges, with small chunks.
#[derive(Debug, Clone, Copy)]
pub struct AnyOptions(pub Options);

impl<'a> Arbitrary<'a> for AnyOptions {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let options = Options::new(dtype(input)?)
            .chunk_log2(input.int_in_range(2..=20)?)
            .threshold(f32::from(input.arbitrary::<u8>()?) / 255.0)
            .profile(*input.choose(&[Profile::Original, Profile::Extended, Profile::Max])?)
            .plane_code(*input.choose(&[PlaneCode::Pivot, PlaneCode::Huffman])?)
            .checksums(input.arbitrary()?);
        Ok(Self(if input.arbitrary()? { options.plain() } else { options }))
    }
}

/// Arbitrary options for a file of small frames.
#[derive(Debug, Clone, Copy)]
pub struct AnyEncoder(pub EncoderBuilder);

impl<'a> Arbitrary<'a> for AnyEncoder {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let AnyOptions(options) = input.arbitrary()?;
        let builder = EncoderBuilder::new(options).frame_len(input.int_in_range(1..=10_000)?);
        Ok(Self(builder.index(input.arbitrary()?)))
    }
}

/// Compressible data: parts of it repeat and have few different bytes.
#[derive(Debug, Clone)]
pub struct Data(pub Vec<u8>);

impl<'a> Arbitrary<'a> for Data {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        /// Bytes of data.
        const MOST: usize = 40_000;
        let mut data = Vec::new();
        for _ in 0..input.int_in_range(0..=6)? {
            let part: &[u8] = input.arbitrary()?;
            let times = input.int_in_range(1..=1000)?;
            let element = input.int_in_range(1..=4)?;
            let skew = input.int_in_range(0..=6)?;
            let mut state = input.arbitrary::<u32>()?;
            for index in 0..(part.len() * times).min(MOST - data.len()) {
                state = state.wrapping_mul(0x915f_77f5).wrapping_add(1);
                // Some bytes of an element are noise, others skewed, as in weights.
                let noise = (state >> 24) as u8;
                let byte = part[index % part.len()];
                data.push(if index % element == 0 { byte ^ (noise >> skew) } else { byte });
            }
        }
        Ok(Self(data))
    }
}

/// A reader that returns parts of given lengths in turn, and sometimes an interruption.
pub struct Parts<'a> {
    rest: &'a [u8],
    lengths: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl<'a> Parts<'a> {
    /// Creates a reader; a length of zero is an interruption.
    pub fn new(bytes: &'a [u8], lengths: &'a [u8]) -> Self {
        let lengths = if lengths.iter().all(|&len| len == 0) { &[7][..] } else { lengths };
        Self { rest: bytes, lengths: lengths.iter().cycle() }
    }
}

impl Read for Parts<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let len = usize::from(*self.lengths.next().expect("there are lengths"));
        if len == 0 && !output.is_empty() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = output.len().min(len);
        self.rest.read(&mut output[..room])
    }
}

/// Returns the decoder's error in an I/O error.
pub fn ours(error: &io::Error) -> DecodeError {
    *error.get_ref().and_then(|error| error.downcast_ref()).expect("an error of the decoder")
}

/// Reads a file with `Decoder`, in parts on both sides.
pub fn stream(file: &[u8], input: &[u8], output: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::new(Parts::new(file, input), LIMITS)?;
    let mut decoded = Vec::new();
    let mut lengths = output.iter().cycle();
    loop {
        let mut part = [0x5a; 255];
        let len = usize::from(*lengths.next().unwrap_or(&100)).max(1);
        match decoder.read(&mut part[..len]) {
            Ok(0) => return Ok(decoded),
            Ok(len) => decoded.extend_from_slice(&part[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Decodes a file with `PushDecoder` in parts, through its buffer and through the caller's.
pub fn push(file: &[u8], lengths: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = PushDecoder::new(LIMITS);
    let mut decoded = Vec::new();
    let mut lengths = lengths.iter().cycle();
    let mut rest = file;
    while !rest.is_empty() {
        let len = usize::from(*lengths.next().unwrap_or(&100)).max(1).min(rest.len());
        let space = match len % 2 {
            0 => decoder.buffer(len)?,
            _ => &mut [],
        };
        let taken = space.len();
        space.copy_from_slice(&rest[..taken]);
        match taken {
            0 => rest = &rest[decoder.push(&rest[..len])?..],
            _ => {
                decoder.advance(taken)?;
                rest = &rest[taken..];
            }
        }
        while let Some(chunk) = decoder.next_chunk()? {
            decoded.extend_from_slice(chunk);
        }
    }
    decoder.finish().map(|()| decoded)
}

/// Decodes frame by frame with the small table.
pub fn decode_small(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    let mut table = Box::new(SmallTable::new());
    for frame in Frames::new(file) {
        let frame = frame?;
        let len = frame.decoded_len();
        LIMITS.check(len, frame.index().content_len(), decoded.len() as u64)?;
        let start = decoded.len();
        decoded.resize(start + len as usize, 0xc3);
        let mut planes = vec![0x3c; frame.scratch_len() as usize];
        frame.decode_into(&mut decoded[start..], &mut Scratch::new(&mut *table, &mut planes))?;
    }
    Ok(decoded)
}

/// Decodes into memory that is filled with `stale` bytes.
pub fn decode_into(file: &[u8], len: usize, stale: u8) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = vec![stale; len];
    let len = zipnn::decompress_into(file, &mut decoded, &LIMITS, &mut DecodeScratch::new())?;
    decoded.truncate(len);
    Ok(decoded)
}

/// Decodes a file with every decoder; all must agree on success and on the data.
///
/// Only `decompress` reads old layouts. Decoders that read in parts must reject them.
pub fn decode(file: &[u8], lengths: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let decoded = zipnn::decompress(file, &LIMITS);
    let streamed = stream(file, lengths, lengths).map_err(|error| ours(&error));
    if zipnn::legacy::is_legacy(file) {
        assert!(streamed.is_err(), "Decoder: reads an old layout");
        assert!(push(file, lengths).is_err(), "PushDecoder: reads an old layout");
        assert!(decode_small(file).is_err(), "Frames: reads an old layout");
        return decoded;
    }
    match (&decoded, &streamed) {
        (Ok(decoded), Ok(streamed)) => assert!(decoded == streamed, "Decoder: other data"),
        (Err(_), Err(_)) => {}
        _ => panic!("{:?}, but Decoder {:?}", decoded.err(), streamed.err()),
    }
    let pushed = push(file, lengths);
    assert!(pushed.as_ref().ok() == decoded.as_ref().ok(), "PushDecoder: {:?}", pushed.err());
    if let Ok(decoded) = &decoded {
        for stale in [0, 0xff] {
            let again = decode_into(file, decoded.len(), stale);
            assert!(again.as_ref() == Ok(decoded), "stale bytes");
        }
        assert!(decode_small(file).as_ref() == Ok(decoded), "SmallTable: other data");
        assert!(zipnn::verify(file, &LIMITS).is_ok(), "decodes, and does not verify");
        read_archive(file, decoded);
    }
    decoded
}

/// Reads all and a part of a sound file with `Archive`, which may reject a footer that others skip.
fn read_archive(file: &[u8], expected: &[u8]) {
    let Ok(archive) = Archive::open(Cursor::new(file), LIMITS) else { return };
    for range in [0..expected.len(), expected.len() / 3..expected.len() / 2] {
        let mut decoded = vec![0x77; range.len()];
        if archive.read_into(range.start as u64, &mut decoded).is_ok() {
            assert!(decoded == expected[range], "Archive: other data");
        }
    }
}
