//! What can be said on the command line.

use std::num::NonZero;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use zipnn::DType;

const EXIT_STATUS: &str = "\
Exit status:
  0    everything was done
  1    a file could not be processed, or is damaged; the others were
  2    the command line makes no sense
  130  interrupted; nothing half-written is left behind
  141  whoever read our output has stopped reading";

/// Lossless compression of AI model weights, in ZipNN's `.znn` format.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compress files: IN becomes IN.znn
    #[command(after_help = EXIT_STATUS)]
    Compress(Compress),
    /// Decompress files: IN.znn becomes IN
    #[command(after_help = EXIT_STATUS)]
    Decompress(Decompress),
    /// Tell what files hold, from their headers and indexes alone
    #[command(after_help = EXIT_STATUS)]
    Info(Info),
    /// Decode files without writing anything: the exit status tells whether they are sound
    #[command(after_help = EXIT_STATUS)]
    Verify(Verify),
    /// List the tensors of compressed .safetensors files
    #[command(after_help = EXIT_STATUS)]
    Ls(Ls),
    /// Write one tensor of a compressed .safetensors file, of which only its part is read
    #[command(after_help = EXIT_STATUS)]
    Cat(Cat),
    /// Measure ratio and speed on a file of your own, in memory
    #[command(after_help = EXIT_STATUS)]
    Bench(Bench),
}

#[derive(Debug, Args)]
pub struct Compress {
    #[command(flatten)]
    pub files: Files,
    /// Type of the elements. `auto` takes the type that holds most bytes of a .safetensors file,
    /// and for other files tries samples; `bytes` is for data of any other kind
    #[arg(long, value_enum, default_value_t, value_name = "TYPE")]
    pub dtype: Choice,
    /// Leave out what this program adds behind the frames' data, and which the original passes
    /// over: checksums, and the index by which parts of the file are found
    #[arg(long)]
    pub plain: bool,
}

#[derive(Debug, Args)]
pub struct Decompress {
    #[command(flatten)]
    pub files: Files,
    /// Decode what can be decoded, whatever checksums and index say: for saving what is left of a
    /// damaged file. The result may be wrong
    #[arg(long)]
    pub no_verify: bool,
}

/// What both directions have in common.
#[derive(Debug, Args)]
pub struct Files {
    /// Files to read; `-` is standard input
    #[arg(required = true, value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// File to write, or a directory; `-` is standard output. Without it, the result lies beside
    /// its source, and standard input goes to standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Store, or restore, the difference to this file, which must have the same length
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub threads: Threads,
    /// Overwrite files that exist, and write compressed data to a terminal
    #[arg(short, long)]
    pub force: bool,
    /// Keep the source (the default)
    #[arg(short, long, overrides_with = "rm")]
    pub keep: bool,
    /// Remove the source, once the result is on the disk and has been decoded and compared with it.
    /// A source with bytes that no frame holds is kept, and nothing is written
    #[arg(long, overrides_with = "keep")]
    pub rm: bool,
    /// No progress, no summary: errors only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Most threads that may be asked for.
const MAX_THREADS: i64 = 1024;

#[derive(Debug, Args)]
pub struct Threads {
    /// Threads that code, beside one that reads and one that writes; as many as there are cores
    /// unless given
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
    /// Files to look into; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// One JSON object for each file, a line each. A ratio is null where there is no data, and
    /// `trailing_bytes` counts what follows the only frame of a file, which is not decoded
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Files to decode; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The file to which the difference was stored. Without it, only the difference is decoded
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub threads: Threads,
    /// Say nothing of files that are sound
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// Compressed files to look into
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// One JSON object for each file, a line each
    #[arg(long)]
    pub json: bool,
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
    /// Only these rows, its parts along the first dimension: `0..10` are the first ten
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
    let parse = || {
        let (start, end) = text.split_once("..")?;
        let range = start.parse().ok()?..end.parse().ok()?;
        (range.start <= range.end).then_some(range)
    };
    parse().ok_or_else(|| "two numbers are needed, such as 0..10".to_owned())
}

#[derive(Debug, Args)]
pub struct Bench {
    /// File to measure with: uncompressed weights
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Type of the elements
    #[arg(long, value_enum, default_value_t, value_name = "TYPE")]
    pub dtype: Choice,
    /// Threads that code
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: u16,
    /// Runs of each kind, of which the median counts; others come before them to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// A JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// Types as the command line names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Choice {
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

impl Choice {
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
