//! Prints measurements, as text or JSON.

use std::time::Duration;

use serde_json::{Value, json};
use zipnn::{Profile, simd};

use crate::args::{self, Bench};
use crate::commands::bench::measure::Times;
use crate::content::types::Types;
use crate::fs::endpoint::Endpoint;
use crate::report::units;

/// What was measured, and how.
pub struct Results<'a> {
    pub arguments: &'a Bench,
    pub profile: Profile,
    pub dtypes: Types,
    pub times: Times,
}

impl Results<'_> {
    /// Returns the speed in millions of uncompressed bytes per second.
    fn speed(&self, time: Duration) -> f64 {
        self.times.original as f64 / 1e6 / time.as_secs_f64().max(1e-9)
    }

    /// Returns a JSON object.
    pub fn json(&self) -> String {
        let times = &self.times;
        let mut object = json!({
            "dtypes": self.dtypes.names(),
            "threads": self.arguments.threads,
            "simd": simd::level().name(),
            "profile": args::profile_name(self.profile),
            "original_bytes": times.original,
            "compressed_bytes": times.compressed,
            "ratio": units::ratio(times.compressed, times.original),
            "compress_mb_s": self.speed(times.compress),
            "decompress_mb_s": self.speed(times.decompress),
            "compress_fresh_mb_s": self.speed(times.compress_fresh),
            "decompress_fresh_mb_s": self.speed(times.decompress_fresh),
            "round_trip": times.round_trip,
        });
        if let (Some(piece), Value::Object(object)) = (self.arguments.piece, &mut object) {
            object.insert("piece".to_owned(), piece.into());
        }
        object.to_string()
    }

    /// Returns lines of text.
    pub fn text(&self, source: &Endpoint) -> String {
        let times = &self.times;
        let level = match self.arguments.all {
            true => format!(", {}", args::profile_name(self.profile)),
            false => String::new(),
        };
        let pieces = self.arguments.piece.map_or_else(String::new, |piece| {
            format!(" in pieces of {}", units::count(piece, "byte"))
        });
        format!(
            "{source}: {}{}, {}{}, {} -> {} bytes{pieces} ({})\n\
             {:24}{:>12}{:>14}\n{:24}{:>7.0} MB/s{:>9.0} MB/s\n{:24}{:>7.0} MB/s{:>9.0} MB/s",
            self.dtypes.text("", ", "),
            units::count(self.arguments.threads.into(), "thread"),
            simd::level(),
            level,
            times.original,
            times.compressed,
            units::percent(times.compressed, times.original),
            "",
            "compress",
            "decompress",
            "memory reused",
            self.speed(times.compress),
            self.speed(times.decompress),
            "memory freshly allocated",
            self.speed(times.compress_fresh),
            self.speed(times.decompress_fresh),
        )
    }
}
