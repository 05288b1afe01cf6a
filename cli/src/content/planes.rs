//! The bytes that each plane of each type takes: where the bytes of a compressed file go.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use zipnn::DType;
use zipnn::frame::{Chunk, FrameIndex, Method, PlaneLayout};

use crate::args::dtype_name;
use crate::report::bar::Bars;
use crate::report::units;

/// Maximum number of types that are listed in text, and the share of the data above which they are.
const LISTED: usize = 8;
const WORTH_LISTING: f64 = 0.005;
/// Number of characters of the longest content of a plane, of a length and of a share.
const CONTENT: usize = 36;
const NUMBERS: usize = 18;
/// Maximum number of characters of a type.
const TYPE: usize = 12;

/// The planes of all types.
#[derive(Debug, Default)]
pub struct PlaneTotals(BTreeMap<Key, Group>);

/// A type, and how its elements are stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    dtype: String,
    coding: Coding,
}

/// How the bytes of a chunk are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coding {
    /// Into this many planes, of elements that may be rotated.
    Planes(usize, bool),
    /// Not at all: one code holds the difference to the base.
    Difference,
    /// Into the fields of records.
    Records,
    /// Not at all: one code holds all floats.
    Scales,
    /// Not at all: the bytes are not compressed.
    Uncompressed,
}

/// The planes of a type. Codes that are not divided count as one plane.
#[derive(Debug, Default)]
struct Group {
    /// Plane 0, which holds the lowest bytes, comes first.
    planes: Vec<Plane>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Plane {
    original: u64,
    compressed: u64,
}

impl Coding {
    fn of(chunk: &Chunk, layout: PlaneLayout) -> Self {
        match chunk.methods().next() {
            Some(Method::Difference) => Self::Difference,
            Some(Method::Records) => Self::Records,
            Some(Method::Scales) => Self::Scales,
            _ => Self::Planes(layout.planes(), layout.is_rotated()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Planes(..) => "planes",
            Self::Difference => "difference",
            Self::Records => "records",
            Self::Scales => "scales",
            Self::Uncompressed => "uncompressed",
        }
    }

    /// Returns what a plane of elements of a type contains.
    fn content(self, dtype: Option<DType>, plane: usize) -> &'static str {
        let (planes, rotated) = match self {
            Self::Difference => return "code of differences",
            Self::Records => return "fields of records",
            Self::Scales => return "code of scales",
            Self::Uncompressed => return "not compressed",
            Self::Planes(planes, rotated) => (planes, rotated),
        };
        let is_own = dtype.is_some_and(|dtype| {
            let own = PlaneLayout::of(dtype);
            (own.planes(), own.is_rotated()) == (planes, rotated)
        });
        let contents: &[&str] = match (planes, is_own) {
            (2, true) if rotated => &["signs, mantissas", "exponents"],
            (2, true) => &["low mantissas", "signs, exponents, high mantissas"],
            (4, true) => {
                &["low mantissas", "middle mantissas", "signs, high mantissas", "exponents"]
            }
            (2, false) => &["low bytes", "high bytes"],
            (4, false) => &["lowest bytes", "lower bytes", "higher bytes", "highest bytes"],
            _ => &["bytes"],
        };
        contents.get(plane).copied().unwrap_or("bytes")
    }
}

impl PlaneTotals {
    /// Adds the chunks of a frame with elements of a type, named as in the file or as on the command
    /// line.
    pub fn add(&mut self, dtype: &str, index: &FrameIndex<'_>) {
        let layout = index.header().layout();
        for chunk in index.chunks() {
            let coding = Coding::of(&chunk, layout);
            let lens = chunk.plane_ranges().map(|range| range.end - range.start);
            match coding {
                Coding::Planes(planes, _) => {
                    for (plane, compressed) in lens.enumerate() {
                        let is_longer = (plane as u64) < chunk.len() % planes as u64;
                        let original = chunk.len() / planes as u64 + u64::from(is_longer);
                        self.add_plane(dtype, coding, plane, Plane { original, compressed });
                    }
                }
                _ => {
                    let plane = Plane { original: chunk.len(), compressed: lens.sum() };
                    self.add_plane(dtype, coding, 0, plane);
                }
            }
        }
    }

    /// Adds elements that are stored as they are.
    pub fn add_uncompressed(&mut self, dtype: &str, len: u64) {
        let plane = Plane { original: len, compressed: len };
        self.add_plane(dtype, Coding::Uncompressed, 0, plane);
    }

    fn add_plane(&mut self, dtype: &str, coding: Coding, number: usize, plane: Plane) {
        let group = self.0.entry(Key { dtype: dtype.to_owned(), coding }).or_default();
        if group.planes.len() <= number {
            group.planes.resize(number + 1, Plane::default());
        }
        group.planes[number].original += plane.original;
        group.planes[number].compressed += plane.compressed;
    }

    /// Returns the planes of a type, if there are several: what the highest contains, and the shares
    /// that it and the others are of their lengths before compression.
    pub fn shares(&self, dtype: &str) -> Option<(&'static str, f64, f64)> {
        let groups = self.0.iter().filter(|(key, _)| key.dtype == dtype);
        let (key, group) = groups.max_by_key(|(_, group)| group.original())?;
        let highest = group.planes.len().checked_sub(1).filter(|&highest| highest > 0)?;
        let (others, highest_plane) = group.planes.split_at(highest);
        let share = |planes: &[Plane]| {
            let sum = |of: fn(&Plane) -> u64| planes.iter().map(of).sum();
            units::ratio(sum(|plane| plane.compressed), sum(|plane| plane.original))
        };
        let content = key.coding.content(known_type(dtype), highest);
        Some((content, share(highest_plane), share(others)))
    }

    /// Returns a JSON array: an object for each plane of each type.
    pub fn json(&self) -> Value {
        let object = |key: &Key, number: usize, plane: &Plane| {
            json!({
                "dtype": key.dtype,
                "coding": key.coding.name(),
                "plane": number,
                "content": key.coding.content(known_type(&key.dtype), number),
                "original_bytes": plane.original,
                "compressed_bytes": plane.compressed,
                "ratio": units::ratio(plane.compressed, plane.original),
            })
        };
        let planes = self.largest_first().into_iter().flat_map(|(key, group)| {
            let planes = group.planes.iter().enumerate();
            planes.map(move |(number, plane)| object(key, number, plane))
        });
        planes.collect()
    }

    /// Returns lines of text that begin with `indent`, with a bar for each plane.
    pub fn lines(&self, indent: &str) -> Vec<String> {
        let groups = self.largest_first();
        let planes = groups.iter().flat_map(|(_, group)| &group.planes);
        let longest = planes.map(|plane| plane.original).max().unwrap_or_default();
        let total: u64 = groups.iter().map(|(_, group)| group.original()).sum();
        let is_large = |group: &Group| group.original() as f64 >= WORTH_LISTING * total as f64;
        let shown = groups.iter().take(LISTED).take_while(|(_, group)| is_large(group)).count();
        let (shown, others) = groups.split_at(shown);
        let name = |key: &Key| units::short_name(&key.dtype, TYPE);
        let content = |key: &Key, plane| key.coding.content(known_type(&key.dtype), plane);
        let type_width = shown.iter().map(|(key, _)| name(key).chars().count()).max().unwrap_or(0);
        let contents = shown.iter().flat_map(|(key, group)| {
            (0..group.planes.len()).map(|plane| content(key, plane).chars().count())
        });
        let content_width = contents.max().unwrap_or_default().min(CONTENT);
        let bars = Bars::beside(indent.len() + type_width + content_width + NUMBERS + 6);
        let mut lines = Vec::new();
        for (key, group) in shown {
            let mut dtype = name(key);
            for (number, plane) in group.planes.iter().enumerate().rev() {
                lines.push(format!(
                    "{indent}{dtype:type_width$}  {:content_width$}  {}  {:>8}  {:>8}",
                    content(key, number),
                    bars.draw(plane.compressed, plane.original, longest),
                    units::bytes(plane.compressed),
                    units::percent(plane.compressed, plane.original),
                ));
                dtype.clear();
            }
        }
        if !others.is_empty() {
            let compressed = others.iter().map(|(_, group)| group.compressed()).sum();
            let types: BTreeSet<_> = others.iter().map(|(key, _)| &key.dtype).collect();
            let is_new = |dtype: &&&String| shown.iter().all(|(key, _)| key.dtype != ***dtype);
            let of_types = match types.iter().filter(is_new).count() as u64 {
                0 => "more".to_owned(),
                count => format!("of {}", units::count(count, "other type")),
            };
            let compressed = units::bytes(compressed);
            lines.push(format!("{indent}and {compressed} {of_types}, which --json lists"));
        }
        lines
    }

    /// Returns the types with the most bytes first.
    fn largest_first(&self) -> Vec<(&Key, &Group)> {
        let mut groups: Vec<_> = self.0.iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.original()));
        groups
    }
}

impl Group {
    fn original(&self) -> u64 {
        self.planes.iter().map(|plane| plane.original).sum()
    }

    fn compressed(&self) -> u64 {
        self.planes.iter().map(|plane| plane.compressed).sum()
    }
}

/// Returns the type with this name in a `.safetensors` file or on the command line.
fn known_type(name: &str) -> Option<DType> {
    let by_name = || DType::ALL.into_iter().find(|&dtype| dtype_name(dtype) == name);
    name.parse().ok().or_else(by_name)
}

#[cfg(test)]
mod tests {
    use zipnn::Options;
    use zipnn::frame::Frame;

    use super::*;

    fn totals(dtype: DType, data: &[u8]) -> PlaneTotals {
        let frame = zipnn::compress(data, &Options::new(dtype).plain()).unwrap();
        let mut totals = PlaneTotals::default();
        totals.add(dtype.safetensors_name(), Frame::parse(&frame).unwrap().index());
        totals
    }

    #[test]
    fn planes_add_up() {
        let data = crate::common::data::weights(DType::BF16, 300_001, 1);
        let totals = totals(DType::BF16, &data);
        let planes = totals.json();
        let planes = planes.as_array().unwrap();
        let sum = |name: &str| planes.iter().map(|plane| plane[name].as_u64().unwrap()).sum();
        let (original, compressed): (u64, u64) = (sum("original_bytes"), sum("compressed_bytes"));
        assert_eq!(original, 300_001);
        let frame = zipnn::compress(&data, &Options::new(DType::BF16).plain()).unwrap();
        let index = *Frame::parse(&frame).unwrap().index();
        assert_eq!(compressed, index.content_len() - index.prefix_len());
        assert_eq!(planes[1]["content"], "exponents");
        let (content, exponents, others) = totals.shares("BF16").unwrap();
        assert_eq!(content, "exponents");
        assert!(exponents < 0.5 && others == 1.0, "{exponents} {others}");
        assert_eq!(totals.shares("F32"), None);
    }

    #[test]
    fn lines_show_the_highest_plane_first() {
        let lines = totals(DType::F32, &[0; 4000]).lines("  ");
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("  F32  exponents "), "{lines:?}");
        assert!(lines[3].trim_start().starts_with("low mantissas"), "{lines:?}");
        assert!(PlaneTotals::default().lines("  ").is_empty());
    }

    #[test]
    fn a_type_with_several_codes_counts_once() {
        let mut totals = totals(DType::F32, &[0; 4000]);
        totals.add_uncompressed("F32", 4);
        assert_eq!(totals.lines("  ")[4], "  and 4 B more, which --json lists");
        totals.add_uncompressed("I8", 4);
        totals.add_plane("I8", Coding::Records, 0, Plane { original: 4, compressed: 3 });
        assert_eq!(totals.lines("  ")[4], "  and 11 B of 1 other type, which --json lists");
    }
}
