//! Constants of the format. `docs/FORMAT.md` specifies the format.

use core::ops::RangeInclusive;

/// Length of the header of a frame in bytes.
pub const HEADER_LEN: usize = 32;
/// Magic number at the beginning of a frame.
pub const MAGIC: [u8; 2] = *b"ZN";
/// Release of the original whose format this crate writes.
pub(crate) const VERSION: [u8; 3] = [0, 5, 4];
/// Flag in the streaming byte. The other bits are the base-2 logarithm of the frame size.
pub(crate) const STREAMING: u8 = 128;
/// Base-2 logarithm of the default chunk size, 256 KiB.
pub(crate) const DEFAULT_CHUNK_LOG2: u8 = 18;
/// Maximum decoded length of a chunk of one plane in bytes, even if the header has a larger size.
pub(crate) const MAX_SINGLE_PLANE_CHUNK: u64 = 128 * 1024;
/// Base-2 logarithms of the chunk sizes that readers accept. The minimum is one word of rotation.
pub(crate) const CHUNK_LOG2: RangeInclusive<u8> = 2..=62;

/// Offsets of the fields of a header.
pub(crate) mod at {
    pub(crate) const VERSION: usize = 2;
    pub(crate) const BYTE_GROUP: usize = 5;
    pub(crate) const ROTATION: usize = 6;
    pub(crate) const METHOD: usize = 7;
    pub(crate) const FORM: usize = 8;
    pub(crate) const DELTA: usize = 9;
    pub(crate) const STREAMING: usize = 13;
    pub(crate) const CHUNK_LOG2: usize = 14;
    pub(crate) const DTYPE: usize = 15;
    pub(crate) const DECODED_LEN: usize = 16;
    pub(crate) const FRAME_LEN: usize = 24;
}

/// Codes of the byte group, the header field that depends on the number of planes.
pub(crate) mod byte_group {
    pub(crate) const UP_TO_TWO_PLANES: u8 = 10;
    pub(crate) const FOUR_PLANES: u8 = 220;
}

/// Magic number at the beginning of an update of weights.
pub(crate) const UPDATE_MAGIC: [u8; 4] = *b"ZNU1";
/// Length of the checksum that ends an update, in bytes.
pub(crate) const UPDATE_CHECKSUM_LEN: usize = 8;

/// Length of a record's header in bytes: kind, three zeros, length of the body.
pub(crate) const RECORD_HEADER_LEN: usize = 8;
/// Length of a footer's body in bytes.
pub(crate) const FOOTER_BODY_LEN: usize = 24;
/// Length in bytes of a footer with its record header, which ends a file with an index.
pub(crate) const FOOTER_LEN: usize = RECORD_HEADER_LEN + FOOTER_BODY_LEN;
/// Length of an entry of the file's index in bytes.
pub(crate) const INDEX_ENTRY_LEN: usize = 32;
/// Length in bytes of the number of entries, which precedes the entries.
pub(crate) const INDEX_COUNT_LEN: usize = 8;
/// Length of the body of a frame checksum in bytes.
pub(crate) const FRAME_CHECKSUM_LEN: usize = 32;

/// Codes of the kinds of records.
pub(crate) mod kind {
    pub(crate) const CHECKSUMS: u8 = 1;
    pub(crate) const INDEX: u8 = 2;
    pub(crate) const FOOTER: u8 = 3;
    pub(crate) const BASE: u8 = 4;
    pub(crate) const SEALED: u8 = 5;
    pub(crate) const FRAME_CHECKSUM: u8 = 6;
    /// Zeros that align the data after the frame.
    pub(crate) const PADDING: u8 = 7;
    /// The files from which the base of a difference is assembled.
    pub(crate) const BASE_MAP: u8 = 8;
}

/// Whether the methods of the extended profile are compiled, except for Zstandard.
pub(crate) const HAS_EXTENDED: bool = cfg!(feature = "extended");

/// Codes of the methods in a frame's index.
pub(crate) mod method {
    /// The plane is stored unchanged.
    pub(crate) const RAW: u8 = 0;
    /// The plane is coded by [`crate::entropy::huffman`], possibly as one repeated byte.
    pub(crate) const HUFFMAN: u8 = 1;
    /// The plane is a Zstandard frame, which the original rejects.
    pub(crate) const ZSTD: u8 = 2;
    /// The plane is coded by [`crate::entropy::pivot`], which the original rejects.
    pub(crate) const PIVOT: u8 = 3;
    /// All planes of the chunk together are the code of [`crate::model::difference`].
    pub(crate) const DIFFERENCE: u8 = 4;
    /// The chunk, of one plane, consists of records, which are split into parts.
    pub(crate) const RECORDS: u8 = 5;
    /// All planes of the chunk together are the code of [`crate::model::scales`].
    pub(crate) const SCALES: u8 = 6;
    /// Added to the methods of all planes of a chunk that does not use the base of the difference.
    pub(crate) const WITHOUT_BASE: u8 = 0x80;
}

/// Length of the shortest Zstandard frame in bytes.
///
/// It consists of a magic number, a descriptor, a content size or window, and a block header.
pub(crate) const SHORTEST_ZSTD_FRAME: u64 = 4 + 1 + 1 + 3;

/// Constants of the code of differences, [`crate::model::difference`].
///
/// The *size* of an expected change is its base-2 logarithm in half octaves, in units of the last
/// place of the element of the base. A size is stored as a *level*, a number from 0 to
/// [`LAST_LEVEL`](difference::LAST_LEVEL).
pub(crate) mod difference {
    /// Base-2 logarithm of the number of slots of a table.
    pub(crate) const LOG: u32 = 12;
    /// Number of slots of a table.
    pub(crate) const SLOTS: usize = 1 << LOG;
    /// Number of symbols: differences from -40 to 40, and [`ESCAPE`].
    pub(crate) const SYMBOLS: usize = 82;
    /// The symbol of the difference 0.
    pub(crate) const ZERO: i32 = 40;
    /// The symbol of a value that is stored whole.
    pub(crate) const ESCAPE: u8 = 81;
    /// The symbol of the exponent that the class of the row gives, for elements without difference.
    pub(crate) const SAME_EXPONENT: i32 = 60;

    /// Minimum and maximum of the bound on the number of tables in a chunk. Each meaning of symbols
    /// can need a table of its own.
    pub(crate) const MIN_TABLES: u64 = 3;
    pub(crate) const MAX_TABLES: u64 = 32;
    /// Minimum number of bytes of a chunk for each table, which bounds the memory for tables.
    pub(crate) const TABLE_DATA: u64 = 4096;

    /// The size that level 0 stands for. Smaller changes have level 0 as well.
    pub(crate) const LOWEST_SIZE: i32 = -28;
    /// The largest level. Larger changes have it as well.
    pub(crate) const LAST_LEVEL: u8 = 127;
    /// The largest size at which symbols are whole differences.
    pub(crate) const LARGEST_DIRECT: i32 = 6;
    /// The size, in half octaves below the value of the element, from which elements are coded
    /// without a difference.
    pub(crate) const FAR: i32 = -2;
    /// Largest class, and largest negative class. Classes of floats are between -300 and 260.
    pub(crate) const MAX_CLASS: i32 = 1 << 12;

    /// Number of contexts.
    pub(crate) const CONTEXTS: usize = 64;
    /// The first context of elements whose symbols are differences without their lowest bits.
    pub(crate) const SHIFTED: usize = 49;
    /// The first context of elements that are coded without a difference.
    pub(crate) const APART: usize = 51;
}

/// Constants of the code of scales, [`crate::model::scales`].
///
/// Scales and the sizes of coefficients are base-2 logarithms in quarter octaves.
pub(crate) mod scales {
    /// Base-2 logarithm of the number of slots of a table.
    pub(crate) const LOG: u32 = 12;
    /// Number of slots of a table.
    pub(crate) const SLOTS: usize = 1 << LOG;
    /// Maximum number of symbols.
    pub(crate) const SYMBOLS: usize = 256;
    /// Number of symbols of an octave.
    pub(crate) const OCTAVE: usize = 8;
    /// Symbols of heads, without the bit of the sign.
    pub(crate) const HEADS: u8 = 120;
    /// The symbol, without the bit of the sign, of a head that is stored as it is.
    pub(crate) const ESCAPE: u8 = 127;
    /// The bit of a symbol that is set if the signs of the element and of the reference differ.
    pub(crate) const SIGN: u8 = 0x80;
    /// Bits of the precision of frequencies.
    pub(crate) const PRECISION_BITS: u32 = 4;
    /// The precision that stands for the tables of normal distributions.
    pub(crate) const NORMAL_PRECISION: u32 = (1 << PRECISION_BITS) - 1;

    /// Number of elements of a row that are coded together.
    pub(crate) const PIECE: usize = 1024;
    /// Number of elements whose raw bits are stored together. Rows are multiples of it.
    pub(crate) const GROUP: usize = 8;
    /// Maximum number of elements of a row.
    pub(crate) const MAX_ROW: usize = 1 << 16;
    /// Added to the type in the code's first byte if rows may have references.
    pub(crate) const WITH_REFERENCES: u8 = 0x80;
    /// Largest scale and coefficient in quarter octaves, and largest negative ones.
    pub(crate) const MAX_SCALE: i32 = 1 << 11;

    /// Bounds of the maximum number of tables.
    pub(crate) const MIN_TABLES: u64 = 4;
    pub(crate) const MAX_TABLES: u64 = 52;
    /// Minimum number of bytes of a chunk for each table, which bounds the memory for tables.
    pub(crate) const TABLE_DATA: u64 = 2048;

    /// Maximum number of contexts.
    pub(crate) const CONTEXTS: usize = 64;
    /// Bits of the mantissa in a symbol.
    pub(crate) const TOP: u32 = 3;
    /// Number of octaves below the expected one that have symbols.
    pub(crate) const BELOW: i16 = 9;
    /// Number of fractions of an octave in an expected size.
    pub(crate) const PHASES: usize = 4;
    /// Number of classes of what a reference predicts, relative to the expected size. The first one
    /// is for small predictions and for rows without a reference.
    pub(crate) const CLASSES: usize = 13;
    /// Classes before this one span an octave each. The others span half an octave each.
    pub(crate) const OCTAVE_CLASSES: usize = 3;
    /// The smallest prediction of the second class, in negative quarter octaves.
    pub(crate) const CLASS_OFFSET: i16 = 12;
    /// The lowest expected size, in quarter octaves, that has a context of its own if symbols are
    /// whole magnitudes.
    pub(crate) const LOWEST_SIZE: i16 = -36;

    /// Tables of normal distributions.
    pub(crate) mod normal {
        use crate::format::scales::PHASES;

        /// Base-2 logarithm of the number of parts of a standard deviation in a position.
        pub(crate) const POSITION_BITS: u32 = 14;
        /// Base-2 logarithm of the number of positions in a step of the distribution.
        pub(crate) const STEP_BITS: u32 = 8;
        /// Number of steps. The others contain a negligible probability.
        pub(crate) const STEPS: usize = 6 << (POSITION_BITS - STEP_BITS);
        /// Base-2 logarithm of the sum of all probabilities.
        pub(crate) const TOTAL_BITS: u32 = 24;
        /// The probability that the magnitude is in the first step:
        /// `2^24 * sqrt(2 / pi) / 64 * exp(-h)`, where `h` is half the square of half a step.
        pub(crate) const FIRST_STEP: u64 = 209_154;
        /// `2^32 * exp(-s)`, where `s` is the square of a step.
        pub(crate) const RATIO: u64 = 4_293_918_848;
        /// `2^16 * 2^(-phase / 4)`.
        pub(crate) const PHASE_FACTORS: [i64; PHASES] = [65_536, 55_109, 46_341, 38_968];
        /// `2^14 * 2^(quarter / 4 + 1 / 8)`.
        pub(crate) const QUARTER_FACTORS: [i64; 4] = [17_867, 21_247, 25_268, 30_048];
        /// Slots that belong to the escape at least.
        pub(crate) const ESCAPE_SLOTS: i64 = 2;
    }
}

/// Base-2 logarithm of the length of chunks that the code of scales stores, 4 MiB.
pub(crate) const UNIT_LOG2: u8 = 22;

/// Maximum length, in bytes, of a plane that is pivot-coded.
pub(crate) const MAX_PIVOT_PLANE: u64 = 128 * 1024;
