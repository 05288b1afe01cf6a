//! What can go wrong, and where.

use core::fmt;

use crate::dtype::DType;

/// Where in a file an error was found: as much of it as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Location {
    /// Which frame of the file, from 0.
    pub frame: Option<u64>,
    /// Which chunk of the frame, from 0.
    pub chunk: Option<u64>,
    /// Which byte plane of the chunk, from 0 (the lowest byte of an element).
    pub plane: Option<u8>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts =
            [("frame", self.frame), ("chunk", self.chunk), ("plane", self.plane.map(u64::from))];
        let mut separator = "";
        for (name, number) in parts {
            if let Some(number) = number {
                write!(f, "{separator}{name} {number}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// What is wrong with the input of a decoder, or with the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends too early.
    Truncated {
        /// Bytes that would have to be there.
        needed: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// The frame does not begin with `ZN`.
    BadMagic,
    /// Written by a release whose layout this build cannot read (feature `legacy`).
    UnsupportedVersion([u8; 3]),
    /// An unknown code for the type of the elements.
    UnsupportedDType(u8),
    /// A byte-group mode that does not go with the number of planes.
    UnsupportedByteGroup(u8),
    /// An input format other than bytes, torch and numpy.
    UnsupportedForm(u8),
    /// A compression method that this layout does not know.
    UnsupportedMethod(u8),
    /// A chunk size exponent that no reader accepts.
    InvalidChunkSize(u8),
    /// The shape of a tensor or array is malformed.
    InvalidShape,
    /// The lengths in the header contradict each other.
    InvalidLength,
    /// The sizes in the index contradict each other or the frame.
    InvalidIndex,
    /// The code lengths of a Huffman plane do not make a code.
    InvalidCodeLengths,
    /// Coded data that no encoder writes.
    CorruptStream,
    /// The caller's output is smaller than the decoded data.
    OutputTooSmall {
        /// Bytes of decoded data.
        needed: u64,
        /// Bytes in the output.
        have: u64,
    },
    /// The caller's plane space is smaller than [`Frame::scratch_len`](crate::Frame::scratch_len).
    ScratchTooSmall {
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        have: u64,
    },
    /// The caller asked for bytes beyond the decoded data.
    OutOfRange,
    /// The file asks for more than the caller's [`Limits`](crate::Limits) allow.
    LimitExceeded {
        /// What the file asks for.
        requested: u64,
        /// What is allowed.
        limit: u64,
    },
    /// Memory for the result could not be had.
    OutOfMemory {
        /// Bytes asked for.
        requested: u64,
    },
    /// The file holds a difference to a base, and no base was given.
    BaseRequired,
    /// A base was given for a file that is not a difference.
    NotADelta,
    /// The base has another length than the decoded data.
    BaseLength {
        /// Length of the decoded data.
        expected: u64,
        /// Length of the base.
        found: u64,
    },
    /// The base of a difference has ended, and the data goes on.
    BaseTooShort {
        /// Length of the base.
        found: u64,
    },
    /// The data of a difference has ended, and the base goes on.
    BaseTooLong {
        /// Length of the data.
        expected: u64,
    },
    /// The base is not the one that the difference was made against.
    WrongBase,
    /// A checksum does not fit: of a chunk, or of the frame around the chunks.
    ChecksumMismatch,
    /// A frame has no checksums, and the others of its file have.
    ChecksumMissing,
    /// A record behind the content of a frame is malformed.
    InvalidAnnex,
    /// A record behind the content of a frame has a form that this version does not know.
    UnsupportedAnnex(u8),
    /// A frame stands where another one belongs.
    FrameOutOfPlace {
        /// Bytes that the frames before it decode to.
        expected: u64,
        /// Bytes that they decoded to where it was written.
        found: u64,
    },
    /// The index of the file does not fit its frames.
    IndexMismatch,
    /// The file ends with a footer that its first frame has not promised.
    SealMissing,
    /// The file has promised to end with a footer, and does not: it was cut off, or its
    /// [`Encoder`](crate::Encoder) was dropped before `finish`.
    FooterMissing,
    /// The element type of the data is not the one that was asked for.
    WrongDType {
        /// Code of the type in the file.
        found: u8,
    },
    /// The data ends within an element.
    PartialElement {
        /// Bytes of decoded data.
        len: u64,
    },
    /// A `bool` is stored as a byte that is neither 0 nor 1.
    InvalidBool(u8),
}

impl DecodeErrorKind {
    /// Its name, as it is written here: for programs in languages that have no such type.
    ///
    /// ```
    /// use zipnn::DecodeErrorKind;
    ///
    /// assert_eq!(DecodeErrorKind::Truncated { needed: 32, have: 0 }.name(), "Truncated");
    /// ```
    pub const fn name(&self) -> &'static str {
        use DecodeErrorKind::*;
        match self {
            Truncated { .. } => "Truncated",
            BadMagic => "BadMagic",
            UnsupportedVersion(_) => "UnsupportedVersion",
            UnsupportedDType(_) => "UnsupportedDType",
            UnsupportedByteGroup(_) => "UnsupportedByteGroup",
            UnsupportedForm(_) => "UnsupportedForm",
            UnsupportedMethod(_) => "UnsupportedMethod",
            InvalidChunkSize(_) => "InvalidChunkSize",
            InvalidShape => "InvalidShape",
            InvalidLength => "InvalidLength",
            InvalidIndex => "InvalidIndex",
            InvalidCodeLengths => "InvalidCodeLengths",
            CorruptStream => "CorruptStream",
            OutputTooSmall { .. } => "OutputTooSmall",
            ScratchTooSmall { .. } => "ScratchTooSmall",
            OutOfRange => "OutOfRange",
            LimitExceeded { .. } => "LimitExceeded",
            OutOfMemory { .. } => "OutOfMemory",
            BaseRequired => "BaseRequired",
            NotADelta => "NotADelta",
            BaseLength { .. } => "BaseLength",
            BaseTooShort { .. } => "BaseTooShort",
            BaseTooLong { .. } => "BaseTooLong",
            WrongBase => "WrongBase",
            ChecksumMismatch => "ChecksumMismatch",
            ChecksumMissing => "ChecksumMissing",
            InvalidAnnex => "InvalidAnnex",
            UnsupportedAnnex(_) => "UnsupportedAnnex",
            FrameOutOfPlace { .. } => "FrameOutOfPlace",
            IndexMismatch => "IndexMismatch",
            SealMissing => "SealMissing",
            FooterMissing => "FooterMissing",
            WrongDType { .. } => "WrongDType",
            PartialElement { .. } => "PartialElement",
            InvalidBool(_) => "InvalidBool",
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DecodeErrorKind::*;
        match *self {
            Truncated { needed, have } => {
                write!(f, "input is truncated: {needed} bytes needed, {have} there")
            }
            BadMagic => f.write_str("not a ZipNN frame: it does not begin with \"ZN\""),
            UnsupportedVersion([major, minor, tiny]) => write!(
                f,
                "written by release {major}.{minor}.{tiny}, whose layout only `decompress` reads, \
                 with the feature `legacy`"
            ),
            UnsupportedDType(code) => write!(f, "unknown element type, code {code}"),
            UnsupportedByteGroup(mode) => write!(f, "unsupported byte-group mode {mode}"),
            UnsupportedForm(code) => write!(f, "unknown input format, code {code}"),
            UnsupportedMethod(code) => write!(f, "unknown compression method, code {code}"),
            InvalidChunkSize(exponent) => write!(f, "invalid chunk size 2^{exponent}"),
            InvalidShape => f.write_str("malformed shape"),
            InvalidLength => f.write_str("the lengths in the header contradict each other"),
            InvalidIndex => f.write_str("the sizes in the index contradict each other"),
            InvalidCodeLengths => f.write_str("invalid Huffman code lengths"),
            CorruptStream => f.write_str("corrupt data"),
            OutputTooSmall { needed, have } => {
                write!(f, "output is too small: {needed} bytes needed, {have} given")
            }
            ScratchTooSmall { needed, have } => {
                write!(f, "plane space is too small: {needed} bytes needed, {have} given")
            }
            OutOfRange => f.write_str("the range lies beyond the decoded data"),
            LimitExceeded { requested, limit } => write!(
                f,
                "the file asks for {requested} bytes, more than the limit of {limit}; raise the limit if you trust it"
            ),
            OutOfMemory { requested } => write!(f, "no memory for {requested} bytes"),
            BaseRequired => f.write_str(
                "the file holds a difference to another file; give that base to decompress it",
            ),
            NotADelta => f.write_str("a base was given, but the file is not a difference to one"),
            BaseLength { expected, found } => {
                write!(f, "the base has {found} bytes, but {expected} are needed")
            }
            BaseTooShort { found } => {
                write!(f, "the base ends after {found} bytes, before the data; they must agree")
            }
            BaseTooLong { expected } => {
                write!(
                    f,
                    "the base goes on after {expected} bytes, where the data ends; they must agree"
                )
            }
            WrongBase => f.write_str(
                "the base is not the one that the difference was made against: its checksum differs",
            ),
            ChecksumMismatch => f.write_str("the data is damaged: its checksum differs"),
            ChecksumMissing => {
                f.write_str("the checksums are missing that the file's other frames have")
            }
            InvalidAnnex => f.write_str("a record behind the data is malformed"),
            UnsupportedAnnex(kind) => write!(
                f,
                "a record of kind {kind} behind the data needs a newer version of this program"
            ),
            FrameOutOfPlace { expected, found } => write!(
                f,
                "frames are missing, doubled or swapped: this one belongs at byte {found} of the \
                 data, not at {expected}"
            ),
            IndexMismatch => f.write_str(
                "the index at the end does not fit the frames; reading from front to back without \
                 verifying is still possible",
            ),
            SealMissing => f.write_str(
                "the file is damaged: the first of its frames has lost its checksums",
            ),
            FooterMissing => f.write_str("the file is truncated: frames at its end are missing"),
            WrongDType { found } => write!(f, "the elements have another type, code {found}"),
            PartialElement { len } => {
                write!(f, "{len} bytes of data are not a whole number of elements")
            }
            InvalidBool(byte) => write!(f, "a bool is stored as {byte}, which is neither 0 nor 1"),
        }
    }
}

/// Why something could not be decoded, and at which place.
///
/// After an error the contents of an output are unspecified: never use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    place: Location,
}

impl DecodeError {
    /// What is wrong.
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Where it was found.
    pub const fn place(&self) -> Location {
        self.place
    }

    /// The same for an output of `have` bytes whose length was the limit.
    pub(crate) fn as_output_too_small(mut self, have: u64) -> Self {
        if let DecodeErrorKind::LimitExceeded { requested: needed, .. } = self.kind {
            self.kind = DecodeErrorKind::OutputTooSmall { needed, have };
        }
        self
    }

    /// The error, found in the frame of this number.
    #[must_use]
    pub fn in_frame(mut self, frame: u64) -> Self {
        self.place.frame = Some(frame);
        self
    }

    /// The error, found in the chunk of this number.
    #[must_use]
    pub fn in_chunk(mut self, chunk: u64) -> Self {
        self.place.chunk = Some(chunk);
        self
    }

    /// The error, found in the plane of this number.
    #[must_use]
    pub fn in_plane(mut self, plane: usize) -> Self {
        self.place.plane = Some(plane as u8);
        self
    }
}

impl From<DecodeErrorKind> for DecodeError {
    fn from(kind: DecodeErrorKind) -> Self {
        Self { kind, place: Location::default() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Location::default() {
            write!(f, "{}: ", self.place)?;
        }
        self.kind.fmt(f)
    }
}

impl core::error::Error for DecodeError {}

/// Why something could not be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The output is smaller than [`compress_bound`](crate::compress_bound).
    OutputTooSmall {
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        have: u64,
    },
    /// A chunk size exponent outside 2..=62.
    InvalidChunkSize(u8),
    /// A threshold that is not a number from 0 to 1.
    InvalidThreshold,
    /// A frame size of zero, for an [`Encoder`](crate::Encoder).
    InvalidFrameSize,
    /// The type in the options is not the type of the elements.
    WrongDType {
        /// Type of the elements.
        expected: DType,
        /// Type in the options.
        found: DType,
    },
    /// The options give a layout, and the encoder is asked to choose one.
    LayoutGiven,
    /// The options of a tensor and the writer of its file disagree about checksums.
    ChecksumsDiffer,
    /// The options name a base, and the result is not marked as a difference.
    BaseWithoutDelta,
    /// The base is not the one that the options name.
    WrongBase,
    /// A difference is asked for where readers expect a tensor's data.
    UnexpectedDelta,
    /// Memory for the result could not be had.
    OutOfMemory {
        /// Bytes asked for.
        requested: u64,
    },
    /// The shape has another number of elements than the data, or too many dimensions.
    InvalidShape,
    /// The base of a difference has another length than the data.
    BaseLength {
        /// Length of the data.
        expected: u64,
        /// Length of the base.
        found: u64,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutputTooSmall { needed, have } => {
                write!(f, "output is too small: {needed} bytes needed, {have} given")
            }
            Self::InvalidChunkSize(exponent) => {
                write!(f, "chunk size 2^{exponent} is not between 2^2 and 2^62")
            }
            Self::InvalidThreshold => {
                f.write_str("the threshold must be a number from 0 to 1; the default is 0.95")
            }
            Self::InvalidFrameSize => f.write_str("the frame size must not be zero"),
            Self::WrongDType { expected, found } => write!(
                f,
                "the options are for {}, but the elements are {}",
                found.name(),
                expected.name()
            ),
            Self::LayoutGiven => f.write_str(
                "automatic layout excludes an element type or layout; use `Options::bytes`",
            ),
            Self::ChecksumsDiffer => f.write_str(
                "a tensor's options and the file's writer must agree on whether there are checksums",
            ),
            Self::BaseWithoutDelta => {
                f.write_str("only a difference has a base; choose the kind with `Options::delta`")
            }
            Self::WrongBase => f.write_str("the base is not the one that the options name"),
            Self::UnexpectedDelta => f.write_str("a tensor of a file cannot be a difference"),
            Self::OutOfMemory { requested } => write!(f, "no memory for {requested} bytes"),
            Self::InvalidShape => f.write_str("the shape does not fit the data"),
            Self::BaseLength { expected, found } => {
                write!(f, "the base has {found} bytes, the data {expected}; they must agree")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

#[cfg(feature = "std")]
impl From<DecodeError> for std::io::Error {
    fn from(error: DecodeError) -> Self {
        let kind = match error.kind {
            DecodeErrorKind::Truncated { .. } => std::io::ErrorKind::UnexpectedEof,
            DecodeErrorKind::OutOfMemory { .. } => std::io::ErrorKind::OutOfMemory,
            _ => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

#[cfg(feature = "std")]
impl From<EncodeError> for std::io::Error {
    fn from(error: EncodeError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}
