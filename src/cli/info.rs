//! `zipnn info`.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::{Value, json};
use zipnn::{Delta, Form, FrameLayout, Header, Limits, Method, legacy};

use super::args::{Info, dtype_name};
use super::failure::Failure;
use super::frames::{self, Frames, Opened};
use super::input::Input;
use super::names::Place;
use super::units;

/// Frames that are listed one by one for people.
const LISTED: usize = 16;

/// Tells about one of the files.
pub fn run(source: &Place, arguments: &Info) -> Result<(), Failure> {
    let text = match Opened::new(Input::open(source)?, Limits::default())? {
        Opened::Frames(frames) => {
            let summary = Summary::read(*frames)?;
            if arguments.json {
                format!("{}\n", summary.json(source))
            } else {
                summary.text(source)
            }
        }
        Opened::Whole(bytes) => {
            let old = legacy::summary(&bytes, &Limits::default())
                .map_err(|error| Failure::decoding(source, error))?;
            if arguments.json {
                format!("{}\n", old_json(source, &old, &bytes))
            } else {
                old_text(source, &old, &bytes)
            }
        }
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::writing("-", error))
}

/// How many planes of chunks are stored in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Methods {
    raw: u64,
    repeat: u64,
    huffman: u64,
    zstd: u64,
}

impl Methods {
    fn add(&mut self, other: Self) {
        self.raw += other.raw;
        self.repeat += other.repeat;
        self.huffman += other.huffman;
        self.zstd += other.zstd;
    }

    fn json(self) -> Value {
        json!({
            "raw": self.raw, "repeat": self.repeat, "huffman": self.huffman, "zstd": self.zstd,
        })
    }
}

impl std::fmt::Display for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} raw, {} repeat, {} huffman", self.raw, self.repeat, self.huffman)?;
        if self.zstd > 0 {
            write!(f, ", {} zstd", self.zstd)?;
        }
        Ok(())
    }
}

/// What is told of a frame.
struct FrameInfo {
    header: Header,
    shape: Option<Vec<u64>>,
    methods: Methods,
}

impl FrameInfo {
    fn json(&self) -> Value {
        let mut frame = json!({
            "version": version(self.header.version),
            "dtype": dtype_name(self.header.dtype),
            "form": form_name(self.header.form),
            "planes": self.header.layout().planes(),
            "rotated": self.header.layout().is_rotated(),
            "chunk_bytes": self.header.chunk_len(),
            "chunks": self.header.chunk_count(),
            "original_bytes": self.header.decoded_len,
            "compressed_bytes": self.header.frame_len,
            "ratio": units::ratio(self.header.frame_len, self.header.decoded_len),
            "methods": self.methods.json(),
        });
        if let Some(shape) = &self.shape {
            frame["shape"] = json!(shape);
        }
        frame
    }
}

/// What is told of a file.
struct Summary {
    first: Header,
    frames: Vec<FrameInfo>,
    compressed: u64,
    original: u64,
    methods: Methods,
    /// Bytes behind the only frame.
    trailing: u64,
}

impl Summary {
    /// Reads headers and indexes, and passes over what lies between.
    fn read(mut source: Frames) -> Result<Self, Failure> {
        let mut summary = Self {
            first: *source.first(),
            frames: Vec::new(),
            compressed: 0,
            original: 0,
            methods: Methods::default(),
            trailing: 0,
        };
        while let Some(frame) = source.next()? {
            let index = frame.index.get();
            let mut methods = Methods::default();
            for (method, count) in index.method_counts() {
                match method {
                    Method::Raw => methods.raw += count,
                    Method::Repeat => methods.repeat += count,
                    Method::Zstd => methods.zstd += count,
                    _ => methods.huffman += count,
                }
            }
            let header = *index.header();
            summary.compressed += header.frame_len;
            summary.original += header.decoded_len;
            summary.methods.add(methods);
            let shape = index.shape().map(|shape| shape.iter().collect());
            summary.frames.push(FrameInfo { header, shape, methods });
        }
        summary.trailing = source.trailing_len();
        Ok(summary)
    }

    /// What all frames with data have, each value once; in a file without any, what its frames have.
    fn distinct(&self, value: impl Fn(&Header) -> String) -> Vec<String> {
        let mut values = Vec::new();
        let has_data = |frame: &&FrameInfo| frame.header.decoded_len > 0 || self.original == 0;
        for frame in self.frames.iter().filter(has_data) {
            let value = value(&frame.header);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    fn dtypes(&self) -> Vec<String> {
        self.distinct(|header| dtype_name(header.dtype).to_owned())
    }

    fn versions(&self) -> Vec<String> {
        self.distinct(|header| version(header.version))
    }

    fn json(&self, source: &Place) -> Value {
        json!({
            "file": source.to_string(),
            "streaming": self.first.streaming,
            "delta": self.first.delta != Delta::None,
            "form": form_name(self.first.form),
            "dtypes": self.dtypes(),
            "versions": self.versions(),
            "original_bytes": self.original,
            "compressed_bytes": self.compressed,
            "ratio": units::ratio(self.compressed, self.original),
            "methods": self.methods.json(),
            "extended": self.methods.zstd > 0,
            "trailing_bytes": self.trailing,
            "frame_count": self.frames.len(),
            "frames": self.frames.iter().map(FrameInfo::json).collect::<Vec<_>>(),
        })
    }

    fn text(&self, source: &Place) -> String {
        let mut text = format!("{source}: ZipNN {}", self.versions().join(" and "));
        if self.first.delta != Delta::None {
            text.push_str(", a difference to a base");
        }
        let _ = write!(
            text,
            "\n  {} -> {} bytes ({}), {}, of {}, {}\n",
            self.original,
            self.compressed,
            units::percent(self.compressed, self.original),
            self.dtypes().join(" and "),
            form_name(self.first.form),
            if self.first.streaming { "streaming" } else { "one frame" },
        );
        let _ = writeln!(text, "  planes of chunks: {}", self.methods);
        if self.methods.zstd > 0 {
            text.push_str("  extended: the original ZipNN does not read this file\n");
        }
        if self.trailing > 0 {
            let _ = writeln!(text, "  {}", units::trailing(self.trailing));
        }
        for (number, frame) in self.frames.iter().enumerate().take(LISTED) {
            let header = &frame.header;
            let _ = write!(
                text,
                "  frame {number}: {}, {} chunks of {}, {} -> {} bytes ({}), {}",
                dtype_name(header.dtype),
                header.chunk_count(),
                units::bytes(header.chunk_len()),
                header.decoded_len,
                header.frame_len,
                units::percent(header.frame_len, header.decoded_len),
                frame.methods,
            );
            if header.layout() != FrameLayout::of(header.dtype) {
                let not = if header.layout().is_rotated() { "" } else { "not " };
                let _ = write!(text, ", {not}rotated");
            }
            if let Some(shape) = &frame.shape {
                let _ = write!(text, ", shape {shape:?}");
            }
            text.push('\n');
        }
        if self.frames.len() > LISTED {
            let more = self.frames.len() - LISTED;
            let _ = writeln!(text, "  and {more} more frames, which --json lists");
        }
        text
    }
}

fn version([major, minor, tiny]: [u8; 3]) -> String {
    format!("{major}.{minor}.{tiny}")
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::Bytes => "bytes",
        Form::Torch => "torch",
        Form::Numpy => "numpy",
    }
}

/// A file of an old layout, which says little without being decoded.
fn old_json(source: &Place, old: &legacy::Summary, file: &[u8]) -> Value {
    let trailing = frames::old_trailing_len(file);
    let compressed = file.len() as u64 - trailing;
    json!({
        "file": source.to_string(),
        "old_layout": true,
        "delta": old.delta,
        "dtypes": [old.dtype],
        "versions": [version(old.version)],
        "original_bytes": old.decoded_len,
        "lost_bytes": old.lost,
        "compressed_bytes": compressed,
        "ratio": units::ratio(compressed, old.decoded_len),
        "methods": old.methods,
        "trailing_bytes": trailing,
        "frame_count": old.frames,
    })
}

fn old_text(source: &Place, old: &legacy::Summary, file: &[u8]) -> String {
    let trailing = frames::old_trailing_len(file);
    let compressed = file.len() as u64 - trailing;
    let mut text = format!(
        "{source}: ZipNN {}, an old layout{}\n  {} -> {compressed} bytes ({}), {}, {} frames\n",
        version(old.version),
        if old.delta { ", a difference to a base" } else { "" },
        old.decoded_len,
        units::percent(compressed, old.decoded_len),
        old.dtype,
        old.frames,
    );
    let _ = writeln!(text, "  stored as {}", old.methods.join(" and "));
    if trailing > 0 {
        let _ = writeln!(text, "  {}", units::trailing(trailing));
    }
    if old.lost > 0 {
        let _ = writeln!(text, "  {} bytes at the end of data were never in the file", old.lost);
    }
    text
}
