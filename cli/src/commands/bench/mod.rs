//! `zipnn bench`.
//!
//! Cuts the file into pieces and frames as `compress` does, and compresses and decompresses every
//! piece in memory.

mod measure;
mod results;

use std::io::{self, Write};

use zipnn::delta::Delta;
use zipnn::tensor::Metadata;
use zipnn::{Options, Profile};

use crate::args::{self, Bench, TypeChoice};
use crate::base::content::Base;
use crate::commands::bench::measure::{Measurement, Memory, Piece};
use crate::commands::bench::results::Results;
use crate::content::types::Types;
use crate::fs::endpoint::Endpoint;
use crate::fs::input::Input;
use crate::job::framing::Framing;
use crate::report::failure::{self, Failure};

/// Maximum number of bytes of data whose length is not known beforehand.
const MAX_OF_PIPE: u64 = 1 << 30;

/// Measures ratio and speed, prints them, and returns the exit status.
pub fn run(arguments: &Bench) -> u8 {
    let profiles = match arguments.all {
        true => vec![Profile::Original, Profile::Extended, Profile::Max],
        false => vec![args::profile(arguments.extended, arguments.max)],
    };
    failure::status(profiles.into_iter().try_for_each(|profile| measure_file(arguments, profile)))
}

fn measure_file(arguments: &Bench, profile: Profile) -> Result<(), Failure> {
    let source = Endpoint::new(&arguments.file);
    let mut input = Input::open(&source)?;
    let piece_len = arguments.piece.unwrap_or(Options::DEFAULT_FRAME_LEN as u64);
    let is_small_difference = arguments.delta.is_some() && profile != Profile::Original;
    let mut framing = Framing::new(arguments.dtype, piece_len, &mut input, is_small_difference)
        .map_err(|error| input.failure(error))?;
    let data = read_data(&mut input, &source)?;
    let base = read_base(arguments, data.len() as u64, &source)?;
    let mut options = arguments
        .dtype
        .options()
        .profile(profile)
        .plane_code(arguments.plane_code.code())
        .checksums(arguments.checksums);
    if base.is_some() {
        options = options.delta(Delta::File);
    }
    let measurement = Measurement {
        options,
        threads: arguments.threads.into(),
        runs: arguments.runs.into(),
        memory: if arguments.piece.is_some() { Memory::OfOnePiece } else { Memory::OfAllPieces },
    };
    let (times, dtypes) = measurement
        .run(&cut(&data, base.as_deref(), &mut framing))
        .map_err(|message| Failure::new(&source, message))?;
    let dtypes = known_types(arguments.dtype, &data).unwrap_or(dtypes);
    let results = Results { arguments, profile, dtypes, times };
    let text = if arguments.json { results.json() } else { results.text(&source) };
    writeln!(io::stdout(), "{text}").map_err(|error| Failure::writing("-", error))?;
    if results.times.round_trip {
        return Ok(());
    }
    Err(Failure::new(&source, "decompressing the result gave other data")
        .hint("this is a bug: please report it with the file"))
}

/// Reads the whole input to memory. Returns an error for a pipe that may have no end.
fn read_data(input: &mut Input, source: &Endpoint) -> Result<Vec<u8>, Failure> {
    let most = match input.is_seekable() {
        true => u64::MAX,
        false => MAX_OF_PIPE,
    };
    let mut data = Vec::new();
    input.read_up_to(most, &mut data).map_err(|error| input.failure(error))?;
    match data.len() as u64 == most {
        false => Ok(data),
        true => Err(Failure::new(source, "has no known length, and does not end after 1 GiB")
            .hint("bench keeps all data in memory: write the data to a file and name the file")),
    }
}

/// Returns the types from the command line or from the header of the file.
fn known_types(choice: TypeChoice, data: &[u8]) -> Option<Types> {
    if choice != TypeChoice::Auto {
        let mut types = Types::default();
        types.add(choice.name());
        return Some(types);
    }
    let layout = Metadata::parse_header(data).ok()?;
    let tensors = layout.tensors().iter().map(|tensor| (tensor.dtype(), tensor.len()));
    Some(Types::of_tensors(tensors))
}

/// Reads the whole base, if there is one. It must have `len` bytes, as `subject` has.
fn read_base(arguments: &Bench, len: u64, subject: &Endpoint) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &arguments.delta else { return Ok(None) };
    let mut base = Base::open(path)?;
    let mut bytes = Vec::new();
    base.read(len, &mut bytes, subject)?;
    base.finish(subject)?;
    Ok(Some(bytes))
}

/// Returns the pieces of the data; one empty piece for an empty file. A base has the same length.
fn cut<'d>(data: &'d [u8], base: Option<&'d [u8]>, framing: &mut Framing) -> Vec<Piece<'d>> {
    let mut cut = Vec::new();
    let mut rest = data;
    while !rest.is_empty() || cut.is_empty() {
        let (len, knowledge) = framing.next();
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
        let start = data.len() - rest.len();
        let base = base.map(|base| &base[start..start + len]);
        let (data, behind) = rest.split_at(len);
        cut.push(Piece { data, knowledge, base });
        rest = behind;
    }
    cut
}
