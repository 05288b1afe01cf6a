//! The command-line arguments.

mod help;

use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use zipnn::frame::PlaneLayout;
use zipnn::{DType, Options, PlaneCode, Profile};

use crate::base::content::Bases;
use crate::base::dependents::Dependents;
use crate::base::plan::SetPlan;

/// Compress AI model weights without loss, in ZipNN's `.znn` format.
#[derive(Debug, Parser)]
#[command(name = "zipnn", version, after_help = help::examples(help::FIRST_STEPS), arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compress files: IN becomes IN.znn
    #[command(after_help = help::examples(help::COMPRESS))]
    Compress(Compress),
    /// Decompress files: IN.znn becomes IN, and X.znn.safetensors becomes X.safetensors
    #[command(after_help = help::examples(help::DECOMPRESS))]
    Decompress(Decompress),
    /// Describe the frames and tensors of compressed files, from headers and a few samples
    #[command(after_help = help::examples(help::INFO))]
    Info(Info),
    /// Explain what files shrink to and why, and which command to run next
    ///
    /// Reads files of any kind, compressed or not. Compresses samples with every level (the
    /// default, --extended and --max), and writes nothing. Reports the kind of each file, what each
    /// type of data shrinks to and why, any problems, and the command to run next. The exit status
    /// is 1 if a file is damaged or incomplete, needs repair, or lacks its base.
    #[command(after_help = help::examples(help::DOCTOR))]
    Doctor(Doctor),
    /// Decode compressed files and verify their checksums, without writing anything
    #[command(after_help = help::examples(help::VERIFY))]
    Verify(Verify),
    /// List the tensors of compressed files
    #[command(after_help = help::examples(help::LS))]
    Ls(Ls),
    /// Write one tensor of a compressed file, reading only its part of the file
    #[command(after_help = help::examples(help::CAT))]
    Cat(Cat),
    /// Compare two .safetensors files tensor by tensor, and show what has changed
    #[command(after_help = help::examples(help::DIFF))]
    Diff(Diff),
    /// Detect and repair .safetensors files that the original ZipNN damaged
    ///
    /// The script of the original ZipNN, releases 0.5.1 to 0.5.4, stores tensors that it does not
    /// compress with their bits rotated, and may omit its list of compressed tensors. This command
    /// detects rotated tensors by their values and reports them. It writes a repaired file only
    /// with --output or --write.
    ///
    /// It also removes a list of compressed tensors that belongs to another file. Tools that save
    /// tensors with the metadata of a compressed file leave such lists.
    #[command(after_help = help::repair_examples())]
    Repair(Repair),
    /// Make differences independent of their bases: a whole file replaces IN.znn
    ///
    /// The bases can then be changed or removed, unless other files need them.
    #[command(after_help = help::examples(help::FLATTEN))]
    Flatten(Flatten),
    /// Measure compression ratio and speed on your own file, in memory
    #[command(after_help = help::examples(help::BENCH))]
    Bench(Bench),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = help::examples(help::COMPLETIONS))]
    Completions(Completions),
    /// Write manual pages: zipnn.1, and one for each command
    #[command(after_help = help::examples(help::MAN))]
    Man(Man),
}

#[derive(Debug, Clone, Default, Args)]
pub struct Compress {
    #[command(flatten)]
    pub files: Files,
    /// Element type of all data. `auto` uses the types of the tensors in safetensors, GGUF, NumPy,
    /// PyTorch and ONNX files, and samples other files; `bytes` is for data without a type
    #[arg(long, value_enum, default_value_t, value_name = "TYPE")]
    pub dtype: TypeChoice,
    /// Compress each tensor inside .safetensors files: X.safetensors becomes X.znn.safetensors,
    /// which the original's patch of `safetensors` loads tensor by tensor. A result that is larger
    /// than its source is written only with --force
    #[arg(long, conflicts_with_all = ["dtype", "delta", "base", "hub"])]
    pub inside_safetensors: bool,
    /// Leave out the checksums, and the index that makes reading parts of the file fast. The
    /// original writes neither, and ignores both
    #[arg(long, conflicts_with = "base")]
    pub plain: bool,
    /// Write files that decompress up to three times as fast. Sparse data, integers, differences
    /// and the quantised tensors of GGUF files also become smaller. The original cannot read such
    /// files
    #[arg(long)]
    pub extended: bool,
    /// Write the smallest files, for archives and slow networks. Compressing takes 10 to 25 times
    /// as long as by default, and decompressing 4 to 9 times. The original cannot read such files
    #[arg(long, conflicts_with = "extended")]
    pub max: bool,
    /// Code of the planes in files of --extended
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "CODE",
        requires = "extended",
        conflicts_with = "max"
    )]
    pub plane_code: PlaneCodeChoice,
    /// Store equal tensors of all files only once, and similar tensors as differences. Each result
    /// is then either whole, or a difference to whole files, which must be kept. With --hub, this
    /// applies to the files of all revisions. Implies --extended. `zipnn flatten` makes a
    /// difference independent again
    #[arg(long, conflicts_with_all = ["delta", "plain", "inside_safetensors"])]
    pub dedup: bool,
    /// Which files are differences, and to which.
    #[arg(skip)]
    pub plan: Arc<SetPlan>,
}

impl Compress {
    /// Returns the profile, which decides which readers can decode the results.
    pub fn profile(&self) -> Profile {
        profile(self.extended || self.is_set(), self.max)
    }

    /// Returns whether files may become differences to files that are found for them.
    pub fn is_set(&self) -> bool {
        self.dedup || !self.files.base.is_empty()
    }

    /// Returns the arguments for verifying the result of a file. Files to which it refers may not
    /// be at their recorded paths yet.
    pub fn files_to_verify(&self, source: &Path) -> Files {
        let mut files = self.files.clone();
        files.base.extend(self.plan.sources(source).iter().map(|base| base.path.clone()));
        files
    }
}

/// Returns the profile, which decides which readers can decode the result.
pub fn profile(extended: bool, max: bool) -> Profile {
    match (extended, max) {
        (_, true) => Profile::Max,
        (true, false) => Profile::Extended,
        (false, false) => Profile::Original,
    }
}

/// Returns the name of the profile.
pub fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Max => "max",
        Profile::Extended => "extended",
        _ => "original",
    }
}

#[derive(Debug, Clone, Args)]
pub struct Decompress {
    #[command(flatten)]
    pub files: Files,
    /// Recover as much as possible of a damaged or incomplete file, without verifying its index.
    /// Chunks that cannot be decoded become zeros, and the result ends where the file was cut off.
    /// If data is lost or a checksum does not match, the exit status is 1 and the source is kept.
    /// In this case, nothing is written with --rm
    #[arg(long)]
    pub no_verify: bool,
}

/// Arguments that `compress` and `decompress` share.
#[derive(Debug, Clone, Default, Args)]
pub struct Files {
    /// Files or directories to read; `-` is standard input
    #[arg(required_unless_present = "hub", value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// File or directory to write to; `-` is standard output. The default is beside the source, or
    /// standard output for standard input. Links are followed and kept; pipes, devices and
    /// descriptors are written as streams. Results get the modification time, permissions, owner
    /// and group of their source, as far as the system allows, but no extended attributes
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Compress or decompress the difference to this file, which must have the same length
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    /// File or directory with bases, such as a revision in the cache of the Hub; can be given
    /// several times. `compress` stores tensors that resemble tensors of these files as differences
    /// to them, whatever their order and names, and records the paths of the files. `decompress`
    /// looks in BASE for files that are not at their recorded paths. Implies --extended
    #[arg(long, value_name = "BASE", conflicts_with = "delta")]
    pub base: Vec<PathBuf>,
    #[command(flatten)]
    pub threads: Threads,
    /// Overwrite existing files, read from or write to a terminal, and compress Git LFS pointers
    #[arg(short, long)]
    pub force: bool,
    /// Keep the source (the default)
    #[arg(short, long, overrides_with = "rm")]
    pub keep: bool,
    /// Remove each source after its result is on disk, and has been decoded and compared with the
    /// source. Only regular files are removed: links, pipes and devices are an error, and a source
    /// that changes during the run is kept. If a source has data after its only frame, nothing is
    /// written
    #[arg(long, overrides_with = "keep")]
    pub rm: bool,
    #[command(flatten)]
    pub many: Many,
    /// Print only errors: no progress, no summary
    #[arg(short, long)]
    pub quiet: bool,
    /// The differences that the run knows.
    #[arg(skip)]
    pub dependents: Arc<Dependents>,
}

impl Files {
    /// Returns where the bases of compressed files are.
    pub fn bases(&self) -> Bases<'_> {
        Bases { delta: self.delta.as_deref(), search: &self.base }
    }

    /// Returns the arguments for one of many files, with its number of threads and no messages.
    pub fn of_one(&self, threads: usize) -> Self {
        let threads = Threads { threads: u16::try_from(threads).ok() };
        Self { threads, quiet: true, ..self.clone() }
    }
}

/// Heading of options for directories and caches.
const MANY: &str = "Directories and caches";
/// Heading of the same options for commands without caches.
const DIRECTORIES: &str = "Directories";

/// Options for directories and caches.
#[derive(Debug, Clone, Default, Args)]
pub struct Many {
    /// Process only files whose uncompressed names match: `*.pt`, or `part/**/*.bin` relative to
    /// the directory. Can be given several times, and each pattern must match a file. The default
    /// for compressing is files that usually hold weights (.safetensors, .bin, .pt, .pth, .ckpt,
    /// .gguf, .ggml, .onnx, .onnx_data, .npy, .npz, .h5, .msgpack), and for decompressing .znn and
    /// .znn.safetensors files. A directory without such files is not an error
    #[arg(help_heading = MANY, long = "match", value_name = "GLOB", value_parser = pattern)]
    pub patterns: Vec<String>,
    /// Include hidden files and directories. Links are never followed
    #[arg(help_heading = MANY, long)]
    pub hidden: bool,
    /// Update the names of shards in the indexes of a model, `*.index.json`: in directories, and
    /// beside each file that an index names. With --output, the indexes are written beside the
    /// results. If an index cannot be read, no file is processed
    #[arg(help_heading = MANY, long)]
    pub rewrite_index: bool,
    /// Process a model in the cache of the Hugging Face Hub, given as ORG/NAME. Replaces its files
    /// in all revisions, as --rm does, and updates its indexes
    #[arg(
        help_heading = MANY, long, value_name = "MODEL",
        conflicts_with_all = ["inputs", "output", "delta", "keep"]
    )]
    pub hub: Option<String>,
    /// Directory of the cache for --hub. The default is taken from HF_HUB_CACHE or HF_HOME
    #[arg(
        help_heading = MANY, long, value_name = "DIR",
        requires = "hub", conflicts_with = "inputs"
    )]
    pub cache: Option<PathBuf>,
}

/// Options for directories, for commands that only read.
#[derive(Debug, Clone, Args)]
pub struct Search {
    /// Read only files whose uncompressed names match: `*.pt`, or `part/**/*.bin` relative to the
    /// directory. Can be given several times, and each pattern must match a file
    #[arg(help_heading = DIRECTORIES, long = "match", value_name = "GLOB", value_parser = pattern)]
    pub patterns: Vec<String>,
    /// Include hidden files and directories
    #[arg(help_heading = DIRECTORIES, long)]
    pub hidden: bool,
}

/// Returns an error for an empty pattern, such as an unset variable.
fn pattern(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the pattern is empty; to take all files, use '*'".to_owned());
    }
    Ok(text.to_owned())
}

/// Maximum number of threads.
const MAX_THREADS: i64 = 1024;

#[derive(Debug, Clone, Default, Args)]
pub struct Threads {
    /// Number of threads that compress or decompress, besides one that reads and one that writes
    /// each file. The default is the number of cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    threads: Option<u16>,
}

impl Threads {
    /// Returns the number of threads that compress or decompress.
    pub fn count(&self) -> usize {
        self.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, NonZero::get),
            usize::from,
        )
    }
}

#[derive(Debug, Args)]
pub struct Info {
    /// Files, or directories to search for .znn and .znn.safetensors files; a directory without
    /// such files is an error. `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print a JSON object for each file, on a line of its own. `ratio` is null if there is no
    /// data. `trailing_bytes` counts bytes after the only frame of a file, which are not decoded.
    /// `dtypes` lists types by their names for `compress --dtype`, `planes` the compressed length
    /// of each plane of each type, `hardly_shrinks` the reasons why data hardly shrinks, and
    /// `tensors` the tensors. If a file is incomplete or damaged, `complete` is false and the exit
    /// status is 1
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Files, compressed or not, and directories with files of weights; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print a JSON object for each file, on a line of its own. `estimates` has an entry for each
    /// level, `planes` the size of each plane of the samples, `findings` problems and other
    /// observations, and `next` the commands to run
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub search: Search,
}

/// Where commands that only read look for bases.
#[derive(Debug, Clone, Default, Args)]
pub struct SearchBases {
    /// File or directory in which to look for bases that are not at their recorded paths; can be
    /// given several times
    #[arg(long, value_name = "BASE", conflicts_with = "delta")]
    pub base: Vec<PathBuf>,
}

impl SearchBases {
    /// Returns where bases are, with the base of a difference to a whole file.
    pub fn with<'a>(&'a self, delta: Option<&'a Path>) -> Bases<'a> {
        Bases { delta, search: &self.base }
    }
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Files, or directories to search for .znn and .znn.safetensors files; a directory without
    /// such files is an error. `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Base of the difference, if the file does not name it. Without a base, only the difference is
    /// decoded, and the checksums of the data are not verified
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub search_bases: SearchBases,
    #[command(flatten)]
    pub threads: Threads,
    /// Print only errors, and nothing about sound files
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// Compressed files, or directories to search for .safetensors.znn and .znn.safetensors files;
    /// a directory without such files is an error. --match selects other compressed files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print a JSON object for each file, on a line of its own, with unabridged names
    #[arg(long)]
    pub json: bool,
    /// Base of the difference, which is needed to read the list of tensors
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub search_bases: SearchBases,
    #[command(flatten)]
    pub search: Search,
}

#[derive(Debug, Args)]
pub struct Cat {
    /// Compressed file to read from
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Name of the tensor, as `zipnn ls` lists it
    #[arg(value_name = "TENSOR")]
    pub tensor: String,
    /// File to write. The default is standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Base of the difference. Only the needed parts of the base are read. Its own checksum is
    /// therefore not verified, but the checksums of the data are
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub search_bases: SearchBases,
    /// Write only these rows, the slices along the first dimension: `0..10` are the first ten. Rows
    /// must begin and end on whole bytes
    #[arg(long, value_name = "A..B", value_parser = rows)]
    pub rows: Option<Range<u64>>,
    /// Write a .npy file, which NumPy loads, instead of bare bytes. This is the default if the name
    /// of the output ends with .npy. Types that NumPy lacks become bytes of the same width:
    /// bfloat16 becomes `|V2`, which can be viewed as `ml_dtypes.bfloat16`, and float8 becomes
    /// `|V1`
    #[arg(long)]
    pub npy: bool,
    /// Overwrite an existing file, or write to a terminal
    #[arg(short, long)]
    pub force: bool,
}

fn rows(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().ok();
    if let Some(row) = number(text) {
        return Err(format!("for only this row, use {row}..{}", row.saturating_add(1)));
    }
    match text.split_once("..").map(|(start, end)| (number(start), number(end))) {
        Some((Some(start), Some(end))) if start <= end => Ok(start..end),
        Some((Some(start), Some(end))) => {
            Err(format!("the end is before the start; use {end}..{start} for the rows between"))
        }
        _ => Err("give two numbers, such as 0..10 for the first ten rows".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct Flatten {
    /// Compressed files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Base of the difference, if it is one file that the compressed file does not name
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    #[command(flatten)]
    pub search_bases: SearchBases,
    /// Compress as `compress --extended` does
    #[arg(long)]
    pub extended: bool,
    /// Compress as `compress --max` does
    #[arg(long, conflicts_with = "extended")]
    pub max: bool,
    #[command(flatten)]
    pub threads: Threads,
    /// Print only errors: no progress, no summary
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// File with the old tensors, compressed or not
    #[arg(value_name = "A")]
    pub old: PathBuf,
    /// File with the new tensors, compressed or not
    #[arg(value_name = "B")]
    pub new: PathBuf,
    /// Print a JSON object that lists all tensors. `change` is the largest absolute difference of
    /// two elements, and null if it is not a finite number
    #[arg(long)]
    pub json: bool,
    /// List equal tensors as well
    #[arg(short, long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Repair {
    /// A .safetensors file, with or without tensors compressed inside
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the repaired file to OUT
    #[arg(short, long, value_name = "OUT", conflicts_with = "write")]
    pub output: Option<PathBuf>,
    /// Replace the file with the repaired file
    #[arg(long)]
    pub write: bool,
    /// Treat this tensor as rotated, regardless of its values. Can be given several times
    #[arg(long, value_name = "TENSOR")]
    pub rotated: Vec<String>,
    /// Treat this tensor as sound, regardless of its values. Can be given several times
    #[arg(long, value_name = "TENSOR")]
    pub sound: Vec<String>,
    /// List all examined tensors, including sound ones
    #[arg(short, long)]
    pub all: bool,
    /// Overwrite an existing file
    #[arg(short, long)]
    pub force: bool,
    /// Print only errors: no table
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct Bench {
    /// Uncompressed file to measure with. Data of a pipe must be shorter than 1 GiB
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Element type of the file
    #[arg(long, value_enum, default_value_t, value_name = "TYPE")]
    pub dtype: TypeChoice,
    /// Compress and decompress pieces of this length one by one, and reuse the memory of each piece
    /// for the next. By default, a run writes the whole file to memory, and the bandwidth of the
    /// memory limits the speed. SIZE is a number of bytes, or of KiB, MiB or GiB with K, M or G. It
    /// must be a multiple of 8, so that pieces contain whole elements. Large tensors begin new
    /// pieces, unless --dtype names a type
    #[arg(long, value_name = "SIZE", value_parser = piece)]
    pub piece: Option<u64>,
    /// Write and verify checksums as well, as `compress` and `decompress` do
    #[arg(long)]
    pub checksums: bool,
    /// Number of threads that compress or decompress
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub threads: u16,
    /// Compress as `compress --extended` does
    #[arg(long)]
    pub extended: bool,
    /// Compress as `compress --max` does
    #[arg(long, conflicts_with = "extended")]
    pub max: bool,
    /// Measure all levels, one after another: the default, --extended and --max
    #[arg(long, conflicts_with_all = ["extended", "max"])]
    pub all: bool,
    /// Code of the planes, as for `compress --extended`
    #[arg(
        long, value_enum, default_value_t, value_name = "CODE",
        requires = "extended", conflicts_with_all = ["max", "all"]
    )]
    pub plane_code: PlaneCodeChoice,
    /// Measure the difference to this file, which must have the same length
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    /// Number of runs for each measurement, after some to warm up. The result is the median
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// Print a JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// Shell that reads the script
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Directory to write to, which is created if needed
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// Length of the longest element in bytes.
const ELEMENT: u64 = 8;

/// Returns the length of a piece in bytes.
fn piece(text: &str) -> Result<u64, String> {
    let len = size(text).ok_or("give a number of bytes, such as 65536, 64K, 4M or 1G")?;
    match len {
        0 => Err("a piece has at least 8 bytes".to_owned()),
        len if len % ELEMENT == 0 => Ok(len),
        len => Err(format!(
            "a piece of {len} bytes would cut elements; use a multiple of {ELEMENT}, such as {}",
            len.checked_next_multiple_of(ELEMENT).unwrap_or(len / ELEMENT * ELEMENT)
        )),
    }
}

/// Returns the number of bytes of a size such as `4M`; `None` if it is none, or too large.
fn size(text: &str) -> Option<u64> {
    const UNITS: [(char, u64); 3] = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let unit = UNITS.into_iter().find_map(|(unit, len)| Some((text.strip_suffix(unit)?, len)));
    let (number, unit) = unit.unwrap_or((text, 1));
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Codes of planes by their names on the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PlaneCodeChoice {
    /// Fast for readers with vector instructions, slow for others
    #[default]
    Pivot,
    /// The original's code, of the same size, for readers without vector instructions
    Huffman,
}

impl PlaneCodeChoice {
    /// Returns the code of the library.
    pub fn code(self) -> PlaneCode {
        match self {
            Self::Pivot => PlaneCode::Pivot,
            Self::Huffman => PlaneCode::Huffman,
        }
    }
}

/// The choice of the element type on the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TypeChoice {
    /// The type has to be detected.
    #[default]
    Auto,
    /// All data consists of elements of this type.
    Elements(DType),
    /// The data consists of bytes without a type.
    Bytes,
}

impl TypeChoice {
    /// Returns the default options for the type. If it has to be detected, each frame replaces the
    /// layout.
    pub fn options(self) -> Options {
        match self {
            Self::Auto | Self::Bytes => Options::bytes(),
            Self::Elements(dtype) => Options::new(dtype),
        }
    }

    /// Returns the layout of the type; `None` if the type has to be detected.
    pub fn layout(self) -> Option<PlaneLayout> {
        match self {
            Self::Auto => None,
            Self::Elements(dtype) => Some(PlaneLayout::of(dtype)),
            Self::Bytes => Some(PlaneLayout::ONE),
        }
    }

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Elements(dtype) => dtype_name(dtype),
            Self::Bytes => BYTES,
        }
    }
}

/// Also accepts the names that PyTorch and safetensors use.
impl ValueEnum for TypeChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Auto,
            Self::Elements(DType::BF16),
            Self::Elements(DType::F16),
            Self::Elements(DType::F32),
            Self::Elements(DType::F8E4M3),
            Self::Elements(DType::F8E5M2),
            Self::Bytes,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.name());
        Some(match self {
            Self::Auto => value.help("Detect the type"),
            Self::Elements(dtype) => {
                value.help(dtype.name()).aliases([dtype.name(), dtype.safetensors_name()])
            }
            Self::Bytes => value.help("Any other data"),
        })
    }
}

/// The name for bytes, and for element types without a layout.
pub const BYTES: &str = "bytes";

/// Returns the name of a type on the command line.
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
