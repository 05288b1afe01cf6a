//! Errors, and the locations in a file at which they were detected.

use core::fmt;

use crate::dtype::DType;
use crate::format::method;

/// The location in a file at which an error was detected. Unknown parts are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Location {
    /// Number of the frame in the file, from 0.
    pub frame: Option<u64>,
    /// Number of the chunk in the frame, from 0.
    pub chunk: Option<u64>,
    /// Number of the byte plane in the chunk, from 0 (the lowest byte of an element).
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

/// The kinds of [`DecodeError`]: faults of the input, and mistakes of the caller.
///
/// Functions that parse one part of a frame, such as
/// [`Header::parse`](crate::frame::Header::parse), return the kind alone, without a [`Location`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends too early.
    Truncated {
        /// Required length of the input in bytes.
        needed: u64,
        /// Length of the input in bytes.
        have: u64,
    },
    /// The frame does not begin with `ZN`.
    BadMagic,
    /// An older release wrote the file, in a layout that this function does not read.
    ///
    /// With the feature `legacy`, the functions that decode whole files read it.
    UnsupportedVersion([u8; 3]),
    /// The code of the element type is unknown.
    UnsupportedDType(u8),
    /// The byte group does not match the number of planes.
    UnsupportedByteGroup(u8),
    /// The code of the form is unknown: it is not bytes, PyTorch or NumPy.
    UnsupportedForm(u8),
    /// The code of the compression method is unknown.
    UnsupportedMethod(u8),
    /// The exponent of the chunk size is outside 2..=62.
    InvalidChunkSize(u8),
    /// The shape of a tensor or array does not match the length of the data.
    InvalidShape,
    /// The lengths in the header contradict each other.
    InvalidLength,
    /// The sizes in the index contradict each other or the frame.
    InvalidIndex,
    /// The code lengths of a Huffman plane do not describe a prefix code.
    InvalidCodeLengths,
    /// The coded data is corrupt: no encoder writes such data.
    CorruptStream,
    /// The caller's output is smaller than the decoded data.
    ///
    /// Functions that require an output of the exact length also return this error if it is larger.
    OutputTooSmall {
        /// Length of the decoded data in bytes.
        needed: u64,
        /// Length of the output in bytes.
        have: u64,
    },
    /// The caller's scratch memory is too small.
    ///
    /// [`Frame::scratch_len`](crate::frame::Frame::scratch_len) returns the length that a frame
    /// needs.
    ScratchTooSmall {
        /// Bytes needed.
        needed: u64,
        /// Bytes passed.
        have: u64,
    },
    /// The caller requested bytes beyond the end of the available decoded data.
    OutOfRange,
    /// The file requires more bytes than the caller's [`Limits`](crate::Limits) allow.
    LimitExceeded {
        /// Bytes that the file requires.
        requested: u64,
        /// Bytes that the limits allow.
        limit: u64,
    },
    /// Memory could not be allocated.
    OutOfMemory {
        /// Bytes requested.
        requested: u64,
    },
    /// The file is a difference to a base, and no base was passed.
    BaseRequired,
    /// A base was passed, and the file is not a difference.
    NotADelta,
    /// The file has no shape, and [`decompress_tensor`](crate::decompress_tensor) needs one.
    NotATensor,
    /// The base and the decoded data differ in length.
    BaseLength {
        /// Length of the decoded data.
        expected: u64,
        /// Length of the base.
        found: u64,
    },
    /// The base of a difference ends before the data.
    BaseTooShort {
        /// Length of the base.
        found: u64,
    },
    /// The base of a difference continues after the end of the data.
    BaseTooLong {
        /// Length of the data.
        expected: u64,
    },
    /// The checksum of the base differs from the checksum of the base that the file names.
    WrongBase,
    /// The checksum of a chunk, or of the other bytes of a frame, differs.
    ChecksumMismatch,
    /// A frame has no checksums, although the first frame of the file has some.
    ChecksumMissing,
    /// A record after the data of a frame is malformed.
    InvalidAnnex,
    /// A record after the data of a frame has an unknown form, and must not be ignored.
    UnsupportedAnnex(u8),
    /// Frames are missing, repeated or swapped.
    FrameOutOfPlace {
        /// Decoded length of the frames before this one, in bytes.
        expected: u64,
        /// Decoded length of the frames before this one when it was written, in bytes.
        found: u64,
    },
    /// The index of the file does not match its frames.
    IndexMismatch,
    /// The file ends with an index that its first frame does not announce.
    SealMissing,
    /// The file lacks the index that its first frame announces.
    ///
    /// The file was cut off, or its [`Encoder`](crate::Encoder) was dropped before `finish`.
    FooterMissing,
    /// The elements of the file have another type than the caller requested.
    WrongDType {
        /// Code of the type in the file.
        found: u8,
    },
    /// The length of the data is not a multiple of the element size.
    PartialElement {
        /// Length of the decoded data in bytes.
        len: u64,
    },
    /// A `bool` is stored as a byte that is neither 0 nor 1.
    InvalidBool(u8),
}

impl DecodeErrorKind {
    /// Returns the name of the variant, for bindings to other languages.
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
            NotATensor => "NotATensor",
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
                "release {major}.{minor}.{tiny} wrote the file in an older layout; decompress the \
                 whole file at once, with the feature `legacy`"
            ),
            UnsupportedDType(code) => write!(f, "unknown element type, code {code}"),
            UnsupportedByteGroup(mode) => write!(f, "unsupported byte-group mode {mode}"),
            UnsupportedForm(code) => write!(f, "unknown input format, code {code}"),
            UnsupportedMethod(method::ZSTD) => f.write_str(
                "a plane is a Zstandard frame, which this build cannot read; use a build with the \
                 feature `zstd`",
            ),
            UnsupportedMethod(
                method::PIVOT | method::DIFFERENCE | method::RECORDS | method::SCALES,
            ) => f.write_str(
                "a plane has a method of the extended profile, which this build cannot read; use a \
                 build with the feature `extended`",
            ),
            UnsupportedMethod(code) => write!(f, "unknown compression method, code {code}"),
            InvalidChunkSize(exponent) => {
                write!(f, "chunk size 2^{exponent} is not between 2^2 and 2^62")
            }
            InvalidShape => f.write_str("the shape does not match the length of the data"),
            InvalidLength => f.write_str("the lengths in the header contradict each other"),
            InvalidIndex => f.write_str("the sizes in the index contradict each other"),
            InvalidCodeLengths => f.write_str("invalid Huffman code lengths"),
            CorruptStream => f.write_str("corrupt data"),
            OutputTooSmall { needed, have } => {
                write!(f, "output is too small: {needed} bytes needed, {have} given")
            }
            ScratchTooSmall { needed, have } => {
                write!(f, "scratch memory is too small: {needed} bytes needed, {have} given")
            }
            OutOfRange => f.write_str("the range lies beyond the decoded data"),
            LimitExceeded { requested, limit } => write!(
                f,
                "the file needs {requested} bytes, more than the limit of {limit}; raise the limit \
                 if you trust the file"
            ),
            OutOfMemory { requested } => write!(f, "cannot allocate {requested} bytes"),
            BaseRequired => {
                f.write_str("the file is a difference to a base; pass that base to decompress it")
            }
            NotADelta => f.write_str("the file is not a difference; decompress it without a base"),
            NotATensor => f.write_str("the file has no shape; use `decompress` to get its bytes"),
            BaseLength { expected, found } => write!(
                f,
                "the base has {found} bytes instead of {expected}; pass the base that the \
                 difference was made against"
            ),
            BaseTooShort { found } => write!(
                f,
                "the base ends after {found} bytes, before the data; they must have the same length"
            ),
            BaseTooLong { expected } => write!(
                f,
                "the data ends after {expected} bytes, before the base; they must have the same \
                 length"
            ),
            WrongBase => f.write_str(
                "the checksum of the base differs; pass the base that the difference was made \
                 against",
            ),
            ChecksumMismatch => f.write_str("the data is damaged: its checksum differs"),
            ChecksumMissing => {
                f.write_str("the frame has lost its checksums, which other frames of the file have")
            }
            InvalidAnnex => f.write_str("a record after the data is malformed"),
            UnsupportedAnnex(kind) => write!(
                f,
                "a record of kind {kind} after the data has an unknown form; use a newer version of zipnn"
            ),
            FrameOutOfPlace { expected, found } => write!(
                f,
                "frames are missing, repeated or swapped: this one belongs at byte {found} of the \
                 data, not at {expected}"
            ),
            IndexMismatch => f.write_str(
                "the index at the end does not match the frames; decompress from start to end \
                 without verification to get the data",
            ),
            SealMissing => {
                f.write_str("the file is damaged: its first frame has lost its checksums")
            }
            FooterMissing => f.write_str("the file is truncated: frames at its end are missing"),
            WrongDType { found } => match DType::from_code(found) {
                Some(found) => write!(f, "the elements are {found}, not of the requested type"),
                None => write!(f, "the elements have type code {found}, not the requested type"),
            },
            PartialElement { len } => {
                write!(f, "{len} bytes of data are not a whole number of elements")
            }
            InvalidBool(byte) => write!(f, "a bool is stored as {byte}, which is neither 0 nor 1"),
        }
    }
}

impl core::error::Error for DecodeErrorKind {}

/// A decoding error: its kind, and the location at which it was detected.
///
/// After an error, the contents of the output are unspecified.
///
/// Readers return it inside an [`io::Error`](std::io::Error). Use
/// [`io::Error::downcast`](std::io::Error::downcast) to extract it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    location: Location,
}

impl DecodeError {
    /// Returns the kind of the error.
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Returns the location at which the error was detected.
    pub const fn location(&self) -> Location {
        self.location
    }

    /// Converts `LimitExceeded` into `OutputTooSmall`, if the limit was the output's length.
    pub(crate) fn as_output_too_small(mut self, have: u64) -> Self {
        if let DecodeErrorKind::LimitExceeded { requested: needed, .. } = self.kind {
            self.kind = DecodeErrorKind::OutputTooSmall { needed, have };
        }
        self
    }

    /// Returns the error with the location where it was detected.
    #[cfg(feature = "gpu")]
    pub(crate) fn at(self, location: Location) -> Self {
        Self { location, ..self }
    }

    /// Returns the error with the number of the frame where it was detected.
    #[must_use]
    pub fn in_frame(mut self, frame: u64) -> Self {
        self.location.frame = Some(frame);
        self
    }

    /// Returns the error with the number of the chunk where it was detected.
    #[must_use]
    pub fn in_chunk(mut self, chunk: u64) -> Self {
        self.location.chunk = Some(chunk);
        self
    }

    /// Returns the error with the number of the plane where it was detected.
    #[must_use]
    pub fn in_plane(mut self, plane: usize) -> Self {
        self.location.plane = Some(plane as u8);
        self
    }
}

impl From<DecodeErrorKind> for DecodeError {
    fn from(kind: DecodeErrorKind) -> Self {
        Self { kind, location: Location::default() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.location != Location::default() {
            write!(f, "{}: ", self.location)?;
        }
        self.kind.fmt(f)
    }
}

impl core::error::Error for DecodeError {}

/// A compression error: a mistake of the caller, or a lack of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The output is smaller than the result.
    OutputTooSmall {
        /// Bytes needed.
        needed: u64,
        /// Bytes passed.
        have: u64,
    },
    /// The exponent of the chunk size is outside 2..=62.
    InvalidChunkSize(u8),
    /// The threshold is not a number from 0 to 1.
    InvalidThreshold,
    /// The frame length of an [`Encoder`](crate::Encoder) is zero.
    InvalidFrameSize,
    /// The options and the elements differ in type.
    WrongDType {
        /// Type of the elements.
        expected: DType,
        /// Type in the options; `None` for bytes.
        found: Option<DType>,
    },
    /// The options of a tensor and the writer of its file disagree on whether to write checksums.
    ChecksumsDiffer,
    /// The options name a base, but do not mark the result as a difference.
    BaseWithoutDelta,
    /// The base is not the one that the options name.
    WrongBase,
    /// The options of a tensor inside a file mark it as a difference.
    UnexpectedDelta,
    /// Memory could not be allocated.
    OutOfMemory {
        /// Bytes requested.
        requested: u64,
    },
    /// The shape does not match the length of the data, or has more than 255 dimensions.
    InvalidShape,
    /// The base and the data differ in length.
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
            Self::InvalidFrameSize => f.write_str("the frame length must not be zero"),
            Self::WrongDType { expected, found: Some(found) } => {
                write!(f, "the options are for {found}, but the elements are {expected}")
            }
            Self::WrongDType { expected, found: None } => {
                write!(f, "the options are for bytes, but the elements are {expected}")
            }
            Self::ChecksumsDiffer => f.write_str(
                "a tensor's options and the file's writer must agree on whether there are checksums",
            ),
            Self::BaseWithoutDelta => f.write_str(
                "the options name a base, but do not mark a difference; call `Options::delta` too",
            ),
            Self::WrongBase => f.write_str("the base is not the one that the options name"),
            Self::UnexpectedDelta => {
                f.write_str("a tensor inside a file cannot be a difference; remove `Options::delta`")
            }
            Self::OutOfMemory { requested } => write!(f, "cannot allocate {requested} bytes"),
            Self::InvalidShape => f.write_str(
                "the shape does not match the length of the data, or has more than 255 dimensions",
            ),
            Self::BaseLength { expected, found } => write!(
                f,
                "the base has {found} bytes, the data {expected}; they must have the same length"
            ),
        }
    }
}

impl core::error::Error for EncodeError {}

#[cfg(feature = "std")]
mod io {
    use std::io::{Error, ErrorKind};

    use crate::error::{DecodeError, DecodeErrorKind, EncodeError};

    impl DecodeErrorKind {
        fn io_kind(self) -> ErrorKind {
            use DecodeErrorKind::*;
            match self {
                Truncated { .. } | FooterMissing => ErrorKind::UnexpectedEof,
                OutOfMemory { .. } => ErrorKind::OutOfMemory,
                UnsupportedVersion(_)
                | UnsupportedDType(_)
                | UnsupportedByteGroup(_)
                | UnsupportedForm(_)
                | UnsupportedMethod(_)
                | UnsupportedAnnex(_) => ErrorKind::Unsupported,
                OutputTooSmall { .. }
                | ScratchTooSmall { .. }
                | OutOfRange
                | BaseRequired
                | NotADelta
                | NotATensor
                | BaseLength { .. }
                | BaseTooShort { .. }
                | BaseTooLong { .. }
                | WrongBase
                | WrongDType { .. } => ErrorKind::InvalidInput,
                _ => ErrorKind::InvalidData,
            }
        }
    }

    impl From<DecodeError> for Error {
        /// Wraps the error in an `io::Error`.
        ///
        /// The kind is `UnexpectedEof` for truncated input, `Unsupported` for features of the
        /// format that this build cannot read, `OutOfMemory` if memory could not be allocated,
        /// `InvalidInput` for a mistake of the caller, and `InvalidData` otherwise.
        fn from(error: DecodeError) -> Self {
            Self::new(error.kind().io_kind(), error)
        }
    }

    impl From<DecodeErrorKind> for Error {
        /// Wraps the error in an `io::Error`, as a [`DecodeError`] without a location.
        fn from(kind: DecodeErrorKind) -> Self {
            DecodeError::from(kind).into()
        }
    }

    impl From<EncodeError> for Error {
        /// Wraps the error in an `io::Error` of kind `OutOfMemory` or `InvalidInput`.
        fn from(error: EncodeError) -> Self {
            let kind = match error {
                EncodeError::OutOfMemory { .. } => ErrorKind::OutOfMemory,
                _ => ErrorKind::InvalidInput,
            };
            Self::new(kind, error)
        }
    }
}
