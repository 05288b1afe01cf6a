//! `zipnn cat`.

use std::ffi::OsStr;
use std::path::Path;

use crate::args::Cat;
use crate::content::npy;
use crate::content::tensors::Tensors;
use crate::fs::endpoint::Endpoint;
use crate::fs::output::Output;
use crate::fs::target;
use crate::job::commit;
use crate::report::failure::{self, Failure, say};

/// Number of bytes that are decoded at a time.
const PART_LEN: u64 = 4 << 20;

/// Writes a tensor, or some of its rows, and returns the exit status.
pub fn run(arguments: &Cat) -> u8 {
    failure::status(write_tensor(arguments))
}

fn write_tensor(arguments: &Cat) -> Result<(), Failure> {
    let source = Endpoint::new(&arguments.file);
    let destination = arguments.output.as_deref().map_or(Endpoint::Standard, Endpoint::new);
    let base = arguments.delta.as_deref().map(Endpoint::new);
    for needed in [Some(&source), base.as_ref()].into_iter().flatten() {
        if target::is_source(needed, &destination) {
            return Err(commit::would_be_read_and_written(&destination));
        }
    }
    let metadata = source.path().and_then(|path| path.metadata().ok());
    let mut tensors =
        Tensors::open(&source, arguments.search_bases.with(arguments.delta.as_deref()))?;
    let tensor = tensors.tensor(&arguments.tensor)?;
    let mut shape = tensor.shape.clone();
    let mut range = tensor.range.clone();
    if let Some(rows) = &arguments.rows {
        range = tensor.rows(rows.clone()).map_err(|error| {
            Failure::usage(&source, format_args!("tensor {:?}: {error}", tensor.name))
                .hint(format_args!("its type is {:?}, its shape {:?}", tensor.dtype, tensor.shape))
        })?;
        shape[0] = rows.end - rows.start;
    }
    tensors.check_available(&tensor.name, &range)?;
    let header = match arguments.npy || has_npy_name(&destination) {
        true => npy::header(&tensor.dtype, &shape).ok_or_else(|| {
            Failure::new(&source, format_args!("NumPy has no type for {}", tensor.dtype))
                .hint("write the bare bytes, to a file whose name does not end with .npy")
        })?,
        false => Vec::new(),
    };
    let mut output = Output::create(&destination, arguments.force)?;
    output.write(&header)?;
    let mut part = vec![0; PART_LEN.min(range.end - range.start) as usize];
    while !range.is_empty() {
        let len = PART_LEN.min(range.end - range.start) as usize;
        tensors.read_into(range.start, &mut part[..len])?;
        output.write(&part[..len])?;
        range.start += len as u64;
    }
    output.finish(metadata.as_ref())?;
    if let Some(warning) = tensors.warning() {
        say(warning);
    }
    Ok(())
}

/// Returns whether a file is for NumPy, by its name.
fn has_npy_name(destination: &Endpoint) -> bool {
    destination.path().and_then(Path::extension) == Some(OsStr::new("npy"))
}
