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
use crate::job::framing::{self, Framing};
use crate::report::failure::{self, Failure};

/// Maximum number of bytes of data whose length is not known beforehand.
const MAX_OF_PIPE: u64 = 1 << 30;

/// What is measured, in memory.
struct Subject {
    source: Endpoint,
    data: Vec<u8>,
    /// The tensors of the data, if they decide on the pieces.
    tensors: Option<Metadata>,
    /// The base of the data, which has the same length.
    base: Option<Vec<u8>>,
}

/// Measures ratio and speed, prints them, and returns the exit status.
pub fn run(arguments: &Bench) -> u8 {
    let profiles = match arguments.all {
        true => vec![Profile::Original, Profile::Extended, Profile::Max],
        false => vec![args::profile(arguments.extended, arguments.max)],
    };
    let subject = Subject::read(arguments);
    failure::status(subject.and_then(|subject| {
        profiles.into_iter().try_for_each(|profile| subject.measure(arguments, profile))
    }))
}

impl Subject {
    fn read(arguments: &Bench) -> Result<Self, Failure> {
        let source = Endpoint::new(&arguments.file);
        let mut input = Input::open(&source)?;
        let tensors =
            framing::tensors(arguments.dtype, &mut input).map_err(|error| input.failure(error))?;
        let data = read_data(&mut input, &source)?;
        let base = read_base(arguments, data.len() as u64, &source)?;
        Ok(Self { source, data, tensors, base })
    }

    /// Measures a profile and prints the results.
    fn measure(&self, arguments: &Bench, profile: Profile) -> Result<(), Failure> {
        let mut options = arguments
            .dtype
            .options()
            .profile(profile)
            .plane_code(arguments.plane_code.code())
            .checksums(arguments.checksums);
        if self.base.is_some() {
            options = options.delta(Delta::File);
        }
        let measurement = Measurement {
            options,
            threads: arguments.threads.into(),
            runs: arguments.runs.into(),
            memory: arguments.piece.map_or(Memory::OfAllPieces, |_| Memory::OfOnePiece),
        };
        let (times, dtypes) = measurement
            .run(&self.cut(arguments, profile))
            .map_err(|message| Failure::new(&self.source, message))?;
        let dtypes = self.known_types(arguments.dtype).unwrap_or(dtypes);
        let results = Results { arguments, profile, dtypes, times };
        let text = if arguments.json { results.json() } else { results.text(&self.source) };
        writeln!(io::stdout(), "{text}").map_err(|error| Failure::writing("-", error))?;
        if results.times.round_trip {
            return Ok(());
        }
        Err(Failure::new(&self.source, "decompressing the result gave other data")
            .hint("this is a bug: please report it with the file"))
    }

    /// Returns the pieces of the data; one empty piece for an empty file.
    fn cut(&self, arguments: &Bench, profile: Profile) -> Vec<Piece<'_>> {
        let piece_len = arguments.piece.unwrap_or(Options::DEFAULT_FRAME_LEN as u64);
        let is_small_difference = self.base.is_some() && profile != Profile::Original;
        let mut framing =
            Framing::of(arguments.dtype, piece_len, self.tensors.clone(), is_small_difference);
        let mut cut = Vec::new();
        let mut start = 0;
        while start < self.data.len() || cut.is_empty() {
            let (len, knowledge) = framing.next();
            let rest = self.data.len() - start;
            let end = start + usize::try_from(len).map_or(rest, |len| len.min(rest));
            let base = self.base.as_ref().map(|base| &base[start..end]);
            cut.push(Piece { data: &self.data[start..end], knowledge, base });
            start = end;
        }
        cut
    }

    /// Returns the types from the command line or of the tensors.
    fn known_types(&self, choice: TypeChoice) -> Option<Types> {
        if choice != TypeChoice::Auto {
            let mut types = Types::default();
            types.add(choice.name());
            return Some(types);
        }
        let tensors = self.tensors.as_ref()?.tensors();
        Some(Types::of_tensors(tensors.iter().map(|tensor| (tensor.dtype(), tensor.len()))))
    }
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

/// Reads the whole base, if there is one. It must have `len` bytes, as `subject` has.
fn read_base(arguments: &Bench, len: u64, subject: &Endpoint) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &arguments.delta else { return Ok(None) };
    let mut base = Base::open(path)?;
    let mut bytes = Vec::new();
    base.read(len, &mut bytes, subject)?;
    base.finish(subject)?;
    Ok(Some(bytes))
}
