//! Parses the frames of the old layouts.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::format::MAGIC;
use crate::frame::header::{Form, Header};
use crate::frame::shape::Shape;
use crate::legacy::blob::Codec;
use crate::legacy::fields::FieldReader;

/// Flag in the streaming byte of a file of several frames.
const STREAMING: u8 = 128;

/// Offsets of the fields in release 0.1.1.
mod at_first {
    pub(super) const CODEC: usize = 4;
    pub(super) const PARTITIONS_LOG2: usize = 6;
    pub(super) const ROTATION: usize = 7;
    pub(super) const DTYPE: usize = 8;
    pub(super) const LOSSY: usize = 9;
}

/// Offsets of the fields since release 0.2.0.
mod at {
    pub(super) const BYTE_GROUP: usize = 5;
    pub(super) const ROTATION: usize = 6;
    pub(super) const CODEC: usize = 7;
    pub(super) const FORM: usize = 8;
    pub(super) const DELTA: usize = 9;
    pub(super) const STREAMING: usize = 13;
    pub(super) const DTYPE: usize = 15;
    /// The frame length, four bytes in release 0.2.4.
    pub(super) const SHORT_FRAME_LEN: usize = 16;
    /// The frame length, eight bytes since release 0.3.0.
    pub(super) const FRAME_LEN: usize = 24;
}

/// Releases with the same header, named after the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Release 0.1.1 and other releases 0.1: no element types, one frame.
    Since0_1_1,
    /// Releases 0.2.0 to 0.2.3: one frame, whose length is not stored.
    Since0_2_0,
    /// Release 0.2.4: several frames, each shorter than 4 GiB.
    Since0_2_4,
    /// Releases 0.3.0 to 0.3.4: today's header.
    Since0_3_0,
}

impl Family {
    fn of(version: [u8; 3]) -> Option<Self> {
        match version {
            [0, 1, _] => Some(Self::Since0_1_1),
            [0, 2, 0..=3] => Some(Self::Since0_2_0),
            [0, 2, 4] => Some(Self::Since0_2_4),
            [0, 3, 0..=4] => Some(Self::Since0_3_0),
            _ => None,
        }
    }

    const fn header_len(self) -> usize {
        match self {
            Self::Since0_1_1 | Self::Since0_2_0 => 16,
            Self::Since0_2_4 => 20,
            Self::Since0_3_0 => 32,
        }
    }

    /// Returns the compressor with this code.
    ///
    /// The Huffman coder of the original also has codes. They occur only with 16-bit elements,
    /// which do not need this function.
    const fn codec(self, code: u8) -> Option<Codec> {
        match (self, code) {
            (Self::Since0_1_1, 1) => Some(Codec::Zstd),
            (Self::Since0_1_1, 2) => Some(Codec::Lz4),
            (Self::Since0_1_1, 3) => Some(Codec::Snappy),
            (Self::Since0_1_1, _) => None,
            (Self::Since0_2_0 | Self::Since0_2_4, 0 | 1) => Some(Codec::Zstd),
            (Self::Since0_3_0, 0 | 2) => Some(Codec::Zstd),
            (_, 3) => Some(Codec::Lz4),
            (_, 4) => Some(Codec::Snappy),
            _ => None,
        }
    }
}

/// Kind of the data after header and shape.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// The input, compressed as a whole.
    Blob,
    /// Four planes, each compressed as a whole.
    Planes {
        /// Whether elements were rotated.
        rotated: bool,
    },
    /// 32-bit integers, of which only the lower bytes are stored.
    Integers {
        /// Number of stored bytes of each integer.
        width: usize,
        /// Whether elements were rotated.
        rotated: bool,
    },
    /// Two planes in Huffman-coded blocks.
    Halves {
        /// Whether elements were rotated.
        rotated: bool,
    },
    /// Today's layout.
    Chunks(Header),
}

/// A frame of one of the old layouts.
#[derive(Debug, Clone, Copy)]
pub(super) struct LegacyFrame<'a> {
    /// Release that wrote the frame. The header of 0.1.1 lacks the last number.
    pub(super) version: [u8; 3],
    /// Name of the element type.
    pub(super) dtype: &'static str,
    /// Kind of the data after header and shape.
    pub(super) body: Body,
    codec: (u8, Option<Codec>),
    /// The whole frame.
    pub(super) bytes: &'a [u8],
    body_at: usize,
}

impl<'a> LegacyFrame<'a> {
    /// Parses the header and the shape of the frame at the beginning of `bytes`.
    fn parse(family: Family, bytes: &'a [u8]) -> Result<Self, DecodeErrorKind> {
        let header_len = family.header_len();
        let header = FieldReader::new(bytes, 0).take(header_len as u64)?;
        if !header.starts_with(&MAGIC) {
            return Err(DecodeErrorKind::BadMagic);
        }
        let field = |at: usize| header.get(at).copied().unwrap_or_default();
        let (dtype, body, has_shape, code) = match family {
            Family::Since0_1_1 => {
                let (body, has_shape) = untyped_body(field)?;
                ("bytes", body, has_shape, field(at_first::CODEC))
            }
            _ => {
                let form = Form::from_code(field(at::FORM))
                    .ok_or(DecodeErrorKind::UnsupportedForm(field(at::FORM)))?;
                let (dtype, body) = typed_body(family, header, field)?;
                (dtype, body, form != Form::Bytes, field(at::CODEC))
            }
        };
        let bytes = FieldReader::new(bytes, 0).take(frame_len(family, header, bytes.len())?)?;
        let body_at = if has_shape { Shape::parse_at(bytes, header_len)?.1 } else { header_len };
        let tiny = if family == Family::Since0_1_1 { 1 } else { field(4) };
        Ok(Self {
            version: [field(2), field(3), tiny],
            dtype,
            body,
            codec: (code, family.codec(code)),
            bytes,
            body_at,
        })
    }

    /// Returns a reader of the fields after header and shape.
    pub(super) fn fields(&self) -> FieldReader<'a> {
        FieldReader::new(self.bytes, self.body_at)
    }

    /// Returns the compressor of the parts that the frame marks as compressed.
    pub(super) fn codec(&self) -> Result<Codec, DecodeErrorKind> {
        let (code, codec) = self.codec;
        codec.ok_or(DecodeErrorKind::UnsupportedMethod(code))
    }
}

/// Returns the body of a frame of release 0.1.1, and whether a shape precedes it.
///
/// A tensor has a nonzero type code. Its shape is stored only if the input is split into planes.
fn untyped_body(field: impl Fn(usize) -> u8) -> Result<(Body, bool), DecodeErrorKind> {
    // These options change the data. No file is known to use them.
    for option in [at_first::ROTATION, at_first::LOSSY] {
        if field(option) != 0 {
            return Err(DecodeErrorKind::UnsupportedMethod(field(option)));
        }
    }
    match field(at_first::PARTITIONS_LOG2) {
        0 => Ok((Body::Blob, false)),
        2 => Ok((Body::Planes { rotated: false }, field(at_first::DTYPE) != 0)),
        partitions => Err(DecodeErrorKind::UnsupportedByteGroup(partitions)),
    }
}

/// Returns the name of the element type and the body of a frame of releases since 0.2.0.
fn typed_body(
    family: Family,
    header: &[u8],
    field: impl Fn(usize) -> u8,
) -> Result<(&'static str, Body), DecodeErrorKind> {
    let group = field(at::BYTE_GROUP);
    let rotated = field(at::ROTATION) == 1;
    let unsupported = Err(DecodeErrorKind::UnsupportedByteGroup(group));
    match (field(at::DTYPE), group) {
        (1 | 2, 220) => Ok(("float32", Body::Planes { rotated })),
        (1 | 2, _) => unsupported,
        (4..=6, _) if family == Family::Since0_3_0 => {
            let header = Header::read(header)?;
            Ok((header.dtype.name(), Body::Chunks(header)))
        }
        (4 | 5, 10) => Ok(("float16", Body::Halves { rotated })),
        (6, 10) => Ok(("bfloat16", Body::Halves { rotated })),
        (4..=6, _) => unsupported,
        (15, _) => {
            // The widths that these releases write. They fail to read the second and the last.
            let width = match group {
                1 => 1,
                9 => 2,
                41 => 3,
                255 => 4,
                _ => return unsupported,
            };
            Ok(("uint32", Body::Integers { width, rotated }))
        }
        (code, _) => Err(DecodeErrorKind::UnsupportedDType(code)),
    }
}

/// Returns the length in bytes of the frame with this header, where `have` bytes remain.
fn frame_len(family: Family, header: &[u8], have: usize) -> Result<u64, DecodeErrorKind> {
    let len = match family {
        Family::Since0_1_1 | Family::Since0_2_0 => have as u64,
        Family::Since0_2_4 => {
            u32::from_le_bytes(FieldReader::new(header, at::SHORT_FRAME_LEN).array()?).into()
        }
        Family::Since0_3_0 => FieldReader::new(header, at::FRAME_LEN).number()?,
    };
    if len < family.header_len() as u64 {
        return Err(DecodeErrorKind::InvalidLength);
    }
    Ok(len)
}

/// Returns whether a file holds a difference. Release 0.3.3 introduced differences.
pub(super) fn is_delta(src: &[u8]) -> bool {
    version(src).and_then(Family::of) == Some(Family::Since0_3_0)
        && src.get(at::DELTA).is_some_and(|&delta| delta != 0)
}

fn version(src: &[u8]) -> Option<[u8; 3]> {
    FieldReader::new(src, 2).array().ok()
}

/// Iterates over the frames of a file; ends after the first error.
///
/// The version of the first frame determines the layout of all.
#[derive(Debug, Clone)]
pub(super) struct LegacyFrames<'a> {
    rest: &'a [u8],
    number: u64,
    family: Option<Family>,
    /// Whether other frames may follow the first.
    several: bool,
}

impl<'a> LegacyFrames<'a> {
    /// Creates an iterator, which returns at least one frame or error.
    pub(super) fn new(file: &'a [u8]) -> Self {
        let family = version(file).and_then(Family::of);
        let several = match family {
            Some(Family::Since0_2_4) => true,
            Some(Family::Since0_3_0) => {
                file.get(at::STREAMING).is_some_and(|&streaming| streaming >= STREAMING)
            }
            _ => false,
        };
        Self { rest: file, number: 0, family, several }
    }
}

impl<'a> Iterator for LegacyFrames<'a> {
    type Item = Result<LegacyFrame<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() && self.number > 0 {
            return None;
        }
        let frame = match self.family {
            Some(family) => LegacyFrame::parse(family, self.rest),
            None => Err(DecodeErrorKind::BadMagic),
        };
        self.rest = match &frame {
            Ok(frame) if self.several => self.rest.get(frame.bytes.len()..).unwrap_or_default(),
            _ => &[],
        };
        let number = self.number;
        self.number += 1;
        Some(frame.map_err(|kind| DecodeError::from(kind).in_frame(number)))
    }
}
