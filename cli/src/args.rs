//! The command line.

use std::num::NonZero;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use zipnn::{DType, Profile};

const EXIT_STATUS: &str = "\
Exit status:
  0    success
  1    a file is damaged or could not be processed, or a pattern matched no file; the other files
       were processed
  2    the command line is invalid
  130  interrupted (SIGINT); other signals exit with 128 plus their number. Incomplete results
       are removed
  141  the reader of standard output has closed it";

const REPAIR_EXIT_STATUS: &str = "\
Exit status:
  0    the file needs no repair, or was repaired
  1    the file needs repair, or could not be processed
  2    the command line is invalid
  130  interrupted (SIGINT); other signals exit with 128 plus their number. Incomplete results
       are removed";

/// Lossless compression of AI model weights, in ZipNN's `.znn` format.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compress files: IN becomes IN.znn. Of a directory, the weights in it
    #[command(after_help = EXIT_STATUS)]
    Compress(Compress),
    /// Decompress files: IN.znn becomes IN, and X.znn.safetensors X.safetensors. Of a directory,
    /// all that end in either
    #[command(after_help = EXIT_STATUS)]
    Decompress(Decompress),
    /// Show what files hold, frame by frame and tensor by tensor, without decoding their data
    #[command(after_help = EXIT_STATUS)]
    Info(Info),
    /// Decode files without writing anything; the exit status is 0 if all are sound
    #[command(after_help = EXIT_STATUS)]
    Verify(Verify),
    /// List the tensors of compressed .safetensors files
    #[command(after_help = EXIT_STATUS)]
    Ls(Ls),
    /// Write one tensor of a compressed .safetensors file, of which only its part is read
    #[command(after_help = EXIT_STATUS)]
    Cat(Cat),
    /// Find and repair tensors that the original ZipNN stored wrong in .safetensors files
    ///
    /// The script of the original ZipNN, releases 0.5.1 to 0.5.4, stores tensors that it does not
    /// compress with their bits rotated, and may leave compressed tensors out of its list. This
    /// command reports which tensors are rotated, judging by their numbers, and changes nothing
    /// without --output or --write.
    ///
    /// It also drops a list of compressed tensors that belongs to another file. Tools that save
    /// tensors with the metadata of a compressed file leave such lists.
    #[command(after_help = REPAIR_EXIT_STATUS)]
    Repair(Repair),
    /// Measure ratio and speed on a file of your own, in memory
    #[command(after_help = EXIT_STATUS)]
    Bench(Bench),
}

#[derive(Debug, Clone, Args)]
pub struct Compress {
    #[command(flatten)]
    pub files: Files,
    /// Type of the elements of all files. `auto` goes by the types of the tensors in .safetensors
    /// files, and by samples in others; `bytes` is for data of any other kind
    #[arg(long, value_enum, default_value_t, value_name = "TYPE")]
    pub dtype: TypeChoice,
    /// Compress the tensors inside .safetensors files, each by its type: X.safetensors becomes
    /// X.znn.safetensors, which the original's patch of `safetensors` loads tensor by tensor.
    /// Where the result would be larger than its source, it is written only with --force
    #[arg(long, conflicts_with_all = ["dtype", "delta", "hub"])]
    pub inside_safetensors: bool,
    /// Leave out what this program adds behind the frames' data, and which the original passes
    /// over: checksums, and the index by which parts of the file are found
    #[arg(long)]
    pub plain: bool,
    /// Use Zstandard, too, where that makes the file smaller: for differences, sparse data and
    /// integers. The original cannot read such a file
    #[arg(long)]
    pub extended: bool,
}

/// Who is to read what is compressed.
pub fn profile(extended: bool) -> Profile {
    if extended { Profile::Extended } else { Profile::Original }
}

#[derive(Debug, Clone, Args)]
pub struct Decompress {
    #[command(flatten)]
    pub files: Files,
    /// Decode as much as possible of a damaged or incomplete file, without verifying its index.
    /// Chunks that cannot be decoded become zeros, and the result ends where the file was cut off.
    /// If data is lost or a checksum does not match, the exit status is 1 and the source is kept;
    /// with --rm nothing is written
    #[arg(long)]
    pub no_verify: bool,
}

/// What both directions have in common.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// Files or directories to read; `-` is standard input
    #[arg(required_unless_present = "hub", value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// File or directory to write to; `-` is standard output. The default is beside the source, or
    /// standard output for standard input. Links are followed and kept; pipes, devices and
    /// descriptors are written as streams. Files get the modification time, permissions, owner and
    /// group of their source, as far as the system allows, but no extended attributes
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Store, or restore, the difference to this file, which must have the same length
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub threads: Threads,
    /// Overwrite existing files, read from or write to a terminal, and compress Git LFS pointers
    #[arg(short, long)]
    pub force: bool,
    /// Keep the source (the default)
    #[arg(short, long, overrides_with = "rm")]
    pub keep: bool,
    /// Remove each source once its result is on the disk and has been decoded and compared with it.
    /// Only regular files are removed: links, pipes and devices are refused, and a source that
    /// changes meanwhile is kept. If a source has bytes behind its only frame, nothing is written
    #[arg(long, overrides_with = "keep")]
    pub rm: bool,
    #[command(flatten)]
    pub many: Many,
    /// No progress, no summary: errors only
    #[arg(short, long)]
    pub quiet: bool,
}

impl Files {
    /// The same for one file of many, which has no display of its own.
    pub fn of_one(&self, threads: usize) -> Self {
        let threads = Threads { threads: u16::try_from(threads).ok() };
        Self { threads, quiet: true, ..self.clone() }
    }
}

/// Heading of options for files that are not named one by one.
const MANY: &str = "Directories and caches";
/// Heading of the same options where a command takes no caches.
const DIRECTORIES: &str = "Directories";

/// Options for files that are not named one by one.
#[derive(Debug, Clone, Args)]
pub struct Many {
    /// Process only files whose uncompressed names match: `*.pt`, or `part/**/*.bin` relative to
    /// the directory; can be given several times, and each must match a file. The default is files
    /// that usually hold weights for compressing (.safetensors, .bin, .pt, .pth, .ckpt, .gguf,
    /// .ggml, .onnx, .onnx_data, .npy, .npz, .h5, .msgpack), and .znn and .znn.safetensors files
    /// for decompressing; a directory without any is no error
    #[arg(help_heading = MANY, long = "match", value_name = "GLOB", value_parser = pattern)]
    pub patterns: Vec<String>,
    /// Look into hidden files and directories, too. Links are never followed
    #[arg(help_heading = MANY, long)]
    pub hidden: bool,
    /// Put the new names of a model's shards into its `*.index.json` files: indexes in directories,
    /// and indexes beside a file that name it. With --output, they are written beside the results.
    /// If an index cannot be read, nothing is done
    #[arg(help_heading = MANY, long)]
    pub rewrite_index: bool,
    /// A model in the cache of the Hugging Face Hub, as ORG/NAME. Its files are replaced, as with
    /// --rm, in all revisions, and its indexes rewritten
    #[arg(
        help_heading = MANY, long, value_name = "MODEL",
        conflicts_with_all = ["inputs", "output", "delta", "keep"]
    )]
    pub hub: Option<String>,
    /// Where that cache is, unless HF_HUB_CACHE or HF_HOME say so
    #[arg(
        help_heading = MANY, long, value_name = "DIR",
        requires = "hub", conflicts_with = "inputs"
    )]
    pub cache: Option<PathBuf>,
}

/// Options for directories of commands that only read.
#[derive(Debug, Clone, Args)]
pub struct Search {
    /// Read only files of directories whose uncompressed names match: `*.pt`, or `part/**/*.bin`
    /// relative to the directory; can be given several times, and each must match a file
    #[arg(help_heading = DIRECTORIES, long = "match", value_name = "GLOB", value_parser = pattern)]
    pub patterns: Vec<String>,
    /// Include hidden files and directories
    #[arg(help_heading = DIRECTORIES, long)]
    pub hidden: bool,
}

/// Refuses an empty pattern, such as an unset variable.
fn pattern(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the pattern is empty; to take all files, use '*'".to_owned());
    }
    Ok(text.to_owned())
}

/// Most threads that may be asked for.
const MAX_THREADS: i64 = 1024;

#[derive(Debug, Clone, Args)]
pub struct Threads {
    /// Threads that code, beside one that reads and one that writes each file; as many as there are
    /// cores unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    threads: Option<u16>,
}

impl Threads {
    /// How many threads are to code.
    pub fn count(&self) -> usize {
        self.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, NonZero::get),
            usize::from,
        )
    }
}

#[derive(Debug, Args)]
pub struct Info {
    /// Files, or directories to search for .znn and .znn.safetensors files; a directory without any
    /// fails. `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// One JSON object for each file, a line each. A ratio is null where there is no data, and
    /// `trailing_bytes` counts what follows the only frame of a file, which is not decoded.
    /// `dtypes` has the names of `compress --dtype`; `tensors` lists the tensors of .safetensors data.
    /// `complete` is false if the file was cut off or is damaged, and the exit status is 1
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Files, or directories to search for .znn and .znn.safetensors files; a directory without any
    /// fails. `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Base of the difference. Without it, only the difference is decoded, and the checksums of the
    /// data are not verified
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub threads: Threads,
    /// Say nothing of files that are sound
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// Compressed files, or directories to search for .safetensors.znn and .znn.safetensors files;
    /// a directory without any fails
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write one JSON object for each file, a line each, with complete names
    #[arg(long)]
    pub json: bool,
    /// Base of the difference: the list of tensors is a part of the data
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct Cat {
    /// Compressed file to read from
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Name of the tensor, as `zipnn ls` tells it
    #[arg(value_name = "TENSOR")]
    pub tensor: String,
    /// File to write; standard output without it
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Base of the difference. Only the needed parts of it are read: its own checksum is not
    /// verified, but the checksums of the data are
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    /// Write only these rows, its parts along the first dimension: `0..10` are the first ten. They
    /// have to begin and end on whole bytes
    #[arg(long, value_name = "A..B", value_parser = rows)]
    pub rows: Option<Range<u64>>,
    /// A file that NumPy loads, instead of bare bytes. Types that NumPy lacks come as bytes of
    /// their width: `|V2` for bfloat16, which `ml_dtypes` gives its meaning back
    #[arg(long)]
    pub npy: bool,
    /// Overwrite a file that exists, and write to a terminal
    #[arg(short, long)]
    pub force: bool,
}

fn rows(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().ok();
    if let Some(row) = number(text) {
        return Err(format!("for this row alone, use {row}..{}", row.saturating_add(1)));
    }
    match text.split_once("..").map(|(start, end)| (number(start), number(end))) {
        Some((Some(start), Some(end))) if start <= end => Ok(start..end),
        Some((Some(start), Some(end))) => {
            Err(format!("the end comes before the start; {end}..{start} are the rows between"))
        }
        _ => Err("two numbers are needed, such as 0..10 for the first ten rows".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct Repair {
    /// A .safetensors file, with tensors compressed inside or without
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the repaired file here
    #[arg(short, long, value_name = "OUT", conflicts_with = "write")]
    pub output: Option<PathBuf>,
    /// Replace the file by the repaired one
    #[arg(long)]
    pub write: bool,
    /// Take this tensor for rotated, whatever its numbers say; can be given several times
    #[arg(long, value_name = "TENSOR")]
    pub rotated: Vec<String>,
    /// Take this tensor for sound, whatever its numbers say; can be given several times
    #[arg(long, value_name = "TENSOR")]
    pub sound: Vec<String>,
    /// Show all tensors that were judged, not only those about which there is something to say
    #[arg(short, long)]
    pub all: bool,
    /// Overwrite a file that exists
    #[arg(short, long)]
    pub force: bool,
    /// No table: errors only
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct Bench {
    /// File to measure with: uncompressed weights
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Type of the elements
    #[arg(long, value_enum, default_value_t, value_name = "TYPE")]
    pub dtype: TypeChoice,
    /// Write and verify checksums as well, as `compress` and `decompress` do
    #[arg(long)]
    pub checksums: bool,
    /// Threads that code
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: u16,
    /// Compress for readers of this program alone, as `compress --extended` does
    #[arg(long)]
    pub extended: bool,
    /// Runs of each kind, of which the median counts; others come before them to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// A JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// Types as the command line names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TypeChoice {
    /// Find out
    #[default]
    Auto,
    /// bfloat16
    Bf16,
    /// IEEE half precision
    F16,
    /// IEEE single precision
    F32,
    /// float8_e4m3fn
    F8e4m3,
    /// float8_e5m2
    F8e5m2,
    /// Anything else
    Bytes,
}

impl TypeChoice {
    /// The type, unless it is to be found out.
    pub fn dtype(self) -> Option<DType> {
        match self {
            Self::Auto => None,
            Self::Bf16 => Some(DType::BF16),
            Self::F16 => Some(DType::F16),
            Self::F32 => Some(DType::F32),
            Self::F8e4m3 | Self::Bytes => Some(DType::F8E4M3),
            Self::F8e5m2 => Some(DType::F8E5M2),
        }
    }
}

impl TypeChoice {
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match (self, self.dtype()) {
            (Self::Bytes, _) | (_, None) => "bytes",
            (_, Some(dtype)) => dtype_name(dtype),
        }
    }
}

/// The name of a type on the command line.
pub fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::BF16 => "bf16",
        DType::F16 => "f16",
        DType::F32 => "f32",
        DType::F8E4M3 => "f8e4m3",
        DType::F8E5M2 => "f8e5m2",
        other => other.name(),
    }
}
