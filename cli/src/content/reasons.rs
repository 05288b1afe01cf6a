//! Explaining why data hardly shrinks.

use std::io::{self, Write};

use serde_json::{Value, json};
use zipnn::frame::Record;

use crate::report::units;

/// Share of its size above which data counts as hardly shrinking.
const HARDLY: f64 = 0.9;
/// Share of the data above which a reason is named.
const WORTH_NAMING: f64 = 0.02;
/// Number of bytes of a sample.
pub const SAMPLE_LEN: u64 = 64 << 10;
/// Number of bytes below which the lengths that a file adds decide about its size.
pub const TINY: u64 = 4096;

/// A part of the data, such as a frame or a tensor.
pub struct Part<'t> {
    /// Type as the file names it; `None` for bytes that belong to no tensor.
    pub dtype: Option<&'t str>,
    pub original: u64,
    pub compressed: u64,
    /// Reads bytes of the part, if they can be read.
    pub sample: Box<dyn FnOnce() -> Option<Sample> + 't>,
}

/// Bytes of a part.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The first bytes of all data, if the part begins there.
    pub beginning: Vec<u8>,
    pub bytes: Vec<u8>,
}

/// What data consists of that hardly shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Blocks of quantised weights that are stored as bytes.
    Blocks,
    /// Blocks of quantised weights that are stored as records.
    Records,
    /// Integers of 8 bits.
    Bytes,
    /// Values of a few bits in larger integers.
    Packed,
    /// Floats of 8 bits or less.
    ShortFloats,
    /// Floats whose mantissas are random.
    Floats,
    /// A compressed file, or compressed parts of one.
    Compressed(&'static str),
    /// An image in a compressed format.
    Image(&'static str),
    /// So few bytes that index and checksums take as much.
    Tiny,
    /// Bytes that all occur equally often.
    Random,
    Other,
}

/// Names of formats that are compressed, and their first bytes.
const FORMATS: [(&str, &[u8]); 7] = [
    ("gzip", b"\x1f\x8b"),
    ("Zstandard", b"\x28\xb5\x2f\xfd"),
    ("xz", b"\xfd7zXZ"),
    ("bzip2", b"BZh"),
    ("LZ4", b"\x04\x22\x4d\x18"),
    ("7z", b"7z\xbc\xaf"),
    ("ZipNN", b"ZN\0\x05"),
];
/// Names of compressed formats of images, and their first bytes.
const IMAGES: [(&str, &[u8]); 3] =
    [("PNG", b"\x89PNG"), ("JPEG", b"\xff\xd8\xff"), ("GIF", b"GIF8")];

impl Kind {
    fn of(dtype: Option<&str>, sample: Option<&Sample>, is_extended: bool) -> Self {
        let bits = sample.map(|sample| bits_per_byte(&sample.bytes));
        let is_random = bits.is_some_and(|bits| bits > 7.99);
        let Some(dtype) = dtype else {
            let beginning = sample.map(|sample| &*sample.beginning).unwrap_or_default();
            return match (format(beginning), image_format(beginning)) {
                (Some(format), _) => Self::Compressed(format),
                (None, Some(image)) => Self::Image(image),
                (None, None) if is_random => Self::Random,
                (None, None) => Self::Other,
            };
        };
        if Record::from_name(dtype).is_some() {
            return if is_extended { Self::Records } else { Self::Blocks };
        }
        match dtype {
            "I8" => Self::Bytes,
            "U8" | "I16" | "U16" | "I32" | "U32" | "I64" | "U64" | "F4" | "F6_E2M3" | "F6_E3M2"
            | "U4" | "I4" => Self::Packed,
            "F16" | "BF16" | "F32" | "F64" | "C64" if is_random => Self::Random,
            "F16" | "BF16" | "F32" | "F64" | "C64" => Self::Floats,
            _ if dtype.starts_with("F8_") => Self::ShortFloats,
            _ if is_random => Self::Random,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Blocks => "quantised_blocks",
            Self::Records => "quantised_records",
            Self::Bytes => "int8",
            Self::Packed => "packed_values",
            Self::ShortFloats => "float8",
            Self::Floats => "random_mantissas",
            Self::Compressed(_) | Self::Image(_) => "already_compressed",
            Self::Tiny => "tiny",
            Self::Random => "random_bytes",
            Self::Other => "other",
        }
    }

    /// Returns what the data is, and what to do.
    fn explanation(self) -> (String, Option<&'static str>) {
        match self {
            Self::Blocks => (
                "quantised weights in small blocks, whose bytes hardly repeat".into(),
                Some("use `zipnn compress --extended`, which stores the fields of blocks separately"),
            ),
            Self::Records => (
                "quantised weights, whose fields are already stored separately; almost every bit of \
                 the weights carries information"
                    .into(),
                None,
            ),
            Self::Bytes => (
                "weights of 8 bits, which quantisation has spread over almost all values".into(),
                None,
            ),
            Self::Packed => (
                "integers that hold packed weights of a few bits, almost all of which carry \
                 information"
                    .into(),
                Some("if you also keep the model before quantisation, compress that one"),
            ),
            Self::ShortFloats => (
                "floats of 8 bits or less, whose few exponent bits are used evenly".into(),
                None,
            ),
            Self::Floats => (
                "floats whose exponents take little space already; the bits of their mantissas are \
                 random"
                    .into(),
                Some(
                    "where the precision suffices, save the model as bfloat16, which shrinks to two \
                     thirds",
                ),
            ),
            Self::Compressed("zip") => (
                "entries of a zip archive that are compressed already".into(),
                Some("save the arrays without compression, such as with numpy.savez"),
            ),
            Self::Compressed(format) => (
                format!("a file that {format} has compressed already"),
                Some("decompress it first, and compress the result with zipnn"),
            ),
            Self::Image(format) => (
                format!("an image in the format {format}, which is compressed already"),
                Some("leave the file as it is"),
            ),
            Self::Tiny => (
                "so few bytes that index and checksums take as much as compressing saves".into(),
                Some("leave so small a file as it is, or use `zipnn compress --plain`"),
            ),
            Self::Random => (
                "bytes that all occur equally often, as in compressed or encrypted data".into(),
                Some("use zipnn before the data is compressed or encrypted"),
            ),
            Self::Other => ("data in which no values are much more frequent than others".into(), None),
        }
    }
}

/// One reason.
pub struct Reason {
    kind: Kind,
    /// Types of the tensors, each once.
    dtypes: Vec<String>,
    original: u64,
    compressed: u64,
    /// Entropy of the bytes of a sample.
    bits: Option<f64>,
}

/// The reasons why data hardly shrinks; none if it does shrink.
#[derive(Default)]
pub struct Reasons {
    reasons: Vec<Reason>,
    total: u64,
}

impl Reasons {
    /// Finds the reasons. Reads a sample for each type of tensor.
    pub fn find<'t>(parts: impl Iterator<Item = Part<'t>>, is_extended: bool) -> Self {
        Self::find_above(TINY, parts, is_extended)
    }

    /// Finds the reason for a part of a file that is not tiny as a whole.
    pub fn of_part(part: Part<'_>) -> Self {
        Self::find_above(0, std::iter::once(part), false)
    }

    fn find_above<'t>(tiny: u64, parts: impl Iterator<Item = Part<'t>>, is_extended: bool) -> Self {
        let mut found = Self { reasons: Vec::new(), total: 0 };
        let mut shrunk = 0;
        for part in parts {
            found.total += part.original;
            shrunk += part.compressed;
            if Self::is_hardly_shrinking(part.compressed, part.original) {
                found.add(part, is_extended);
            }
        }
        let total = found.total;
        if total == 0 || units::ratio(shrunk, total) < HARDLY {
            found.reasons.clear();
        } else if total < tiny {
            found.reasons = vec![Reason::of_tiny(total, shrunk)];
        }
        found.reasons.retain(|reason| Self::is_worth_naming(reason.original, total));
        found.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.original));
        found
    }

    fn add(&mut self, part: Part<'_>, is_extended: bool) {
        let dtype = part.dtype.unwrap_or_default().to_owned();
        let known = self.reasons.iter_mut().find(|reason| reason.dtypes.contains(&dtype));
        if let Some(reason) = known {
            reason.original += part.original;
            reason.compressed += part.compressed;
            return;
        }
        let sample = (part.sample)();
        let kind = Kind::of(part.dtype, sample.as_ref(), is_extended);
        let bits = sample.map(|sample| bits_per_byte(&sample.bytes));
        let (original, compressed) = (part.original, part.compressed);
        match self.reasons.iter_mut().find(|reason| reason.kind == kind) {
            Some(reason) => {
                reason.dtypes.push(dtype);
                reason.original += original;
                reason.compressed += compressed;
            }
            None => {
                let dtypes = vec![dtype];
                self.reasons.push(Reason { kind, dtypes, original, compressed, bits });
            }
        }
    }

    /// Returns the reason for the largest part of the data.
    pub fn first(&self) -> Option<&Reason> {
        self.reasons.first()
    }

    /// Returns whether a part of the data is large enough to be named.
    pub fn is_worth_naming(part: u64, total: u64) -> bool {
        part as f64 >= WORTH_NAMING * total as f64
    }

    /// Returns whether data of this length hardly shrinks.
    pub fn is_hardly_shrinking(compressed: u64, original: u64) -> bool {
        original > 0 && units::ratio(compressed, original) >= HARDLY
    }

    /// Returns a JSON array.
    pub fn json(&self) -> Value {
        let reason = |reason: &Reason| {
            let (explanation, suggestion) = reason.kind.explanation();
            json!({
                "reason": reason.kind.name(),
                "dtypes": reason.named_dtypes().collect::<Vec<_>>(),
                "original_bytes": reason.original,
                "compressed_bytes": reason.compressed,
                "bits_per_byte": reason.bits,
                "explanation": explanation,
                "suggestion": suggestion,
            })
        };
        self.reasons.iter().map(reason).collect()
    }

    /// Writes lines of text.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for reason in &self.reasons {
            let (explanation, suggestion) = reason.kind.explanation();
            let types = units::list(reason.named_dtypes().map(units::name));
            let types = if types.is_empty() { types } else { format!(" ({types})") };
            write!(
                out,
                "  hardly shrinks: {} of the data{types}: {explanation}",
                units::percent(reason.original, self.total)
            )?;
            if let Some(bits) = reason.bits {
                write!(out, "; a sample has {bits:.2} bits of information per byte")?;
            }
            writeln!(out)?;
            if let Some(suggestion) = suggestion {
                writeln!(out, "    to do: {suggestion}")?;
            }
        }
        Ok(())
    }
}

impl Reason {
    fn of_tiny(original: u64, compressed: u64) -> Self {
        Self { kind: Kind::Tiny, dtypes: Vec::new(), original, compressed, bits: None }
    }

    /// Returns the name for programs.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Returns what the data is, and what to do.
    pub fn explanation(&self) -> (String, Option<&'static str>) {
        self.kind.explanation()
    }

    fn named_dtypes(&self) -> impl Iterator<Item = &str> {
        self.dtypes.iter().map(String::as_str).filter(|dtype| !dtype.is_empty())
    }
}

/// Returns the name of the compressed format that begins with `bytes`.
pub fn format(bytes: &[u8]) -> Option<&'static str> {
    /// Offset of the method in the first entry of a zip archive.
    const ZIP_METHOD: usize = 8;
    if bytes.starts_with(b"PK\x03\x04") && bytes.get(ZIP_METHOD).is_some_and(|&method| method > 0) {
        return Some("zip");
    }
    name_of(&FORMATS, bytes)
}

/// Returns the name of the compressed format of an image that begins with `bytes`.
pub fn image_format(bytes: &[u8]) -> Option<&'static str> {
    name_of(&IMAGES, bytes)
}

/// Returns the name of the format that begins with `bytes`.
fn name_of(formats: &[(&'static str, &[u8])], bytes: &[u8]) -> Option<&'static str> {
    formats.iter().find(|(_, magic)| bytes.starts_with(magic)).map(|(name, _)| *name)
}

/// Returns the entropy of the bytes of a sample, in bits.
fn bits_per_byte(sample: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    sample.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let total = sample.len() as f64;
    let occurring = counts.into_iter().filter(|&count| count > 0).map(f64::from);
    // Not −0.
    occurring.map(|count| count / total * (total / count).log2()).sum::<f64>().abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(dtype: Option<&'static str>, sample: Vec<u8>, compressed: u64) -> Part<'static> {
        let original = 10_000;
        let beginning = sample.clone();
        let sample = Box::new(move || Some(Sample { beginning, bytes: sample }));
        Part { dtype, original, compressed, sample }
    }

    fn reasons(parts: Vec<Part<'static>>, is_extended: bool) -> Vec<String> {
        let found = Reasons::find(parts.into_iter(), is_extended).json();
        let names = found.as_array().unwrap().iter().map(|reason| reason["reason"].as_str());
        names.map(|name| name.unwrap().to_owned()).collect()
    }

    fn random() -> Vec<u8> {
        (0..=255).cycle().take(65_536).collect()
    }

    #[test]
    fn kinds_follow_from_types_and_samples() {
        for (dtype, sample, is_extended, expected) in [
            (Some("Q4_0"), random(), false, "quantised_blocks"),
            (Some("Q4_0"), random(), true, "quantised_records"),
            (Some("I8"), random(), false, "int8"),
            (Some("I32"), random(), false, "packed_values"),
            (Some("F8_E4M3"), vec![1, 2, 3], false, "float8"),
            (Some("F32"), vec![1, 2, 3], false, "random_mantissas"),
            (Some("F32"), random(), false, "random_bytes"),
            (None, random(), false, "random_bytes"),
            (None, [&b"\x1f\x8b\x08"[..], &random()].concat(), false, "already_compressed"),
            (None, b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), false, "already_compressed"),
            (None, b"PK\x03\x04\x14\0\0\0\0\0".to_vec(), false, "other"),
            (None, b"\x89PNG\r\n".to_vec(), false, "already_compressed"),
        ] {
            assert_eq!(reasons(vec![part(dtype, sample, 9900)], is_extended), [expected]);
        }
    }

    #[test]
    fn only_whole_files_are_tiny() {
        let short = || Part { original: 100, compressed: 120, ..part(Some("F32"), random(), 0) };
        let name = |found: Reasons| found.first().unwrap().name();
        assert_eq!(name(Reasons::find(std::iter::once(short()), false)), "tiny");
        assert_eq!(name(Reasons::of_part(short())), "random_bytes");
    }

    #[test]
    fn data_that_shrinks_needs_no_reasons() {
        assert!(reasons(vec![part(None, random(), 8990)], false).is_empty());
        let parts = vec![part(Some("I8"), random(), 9900), part(Some("F32"), random(), 7000)];
        assert!(reasons(parts, false).is_empty());
        assert!(reasons(vec![], false).is_empty());
    }

    #[test]
    fn a_tiny_file_has_its_own_reason() {
        let part = Part { original: 100, ..part(None, random(), 372) };
        assert_eq!(reasons(vec![part], false), ["tiny"]);
    }

    #[test]
    fn parts_of_a_kind_count_together() {
        let parts = vec![
            part(Some("U8"), random(), 9900),
            part(Some("Q4_0"), random(), 9900),
            part(Some("I32"), random(), 9900),
            part(Some("U8"), random(), 9900),
        ];
        assert_eq!(reasons(parts, false), ["packed_values", "quantised_blocks"]);
        assert_eq!(bits_per_byte(&random()), 8.0);
        assert_eq!(bits_per_byte(&[7; 9]), 0.0);
    }
}
