//! Finding the tensors of uncompressed input.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use zipnn::io::ReadAt;
use zipnn::tensor::{Metadata, MetadataError, MetadataReader};

use crate::content::beginning::{PEEK_LEN, may_list_tensors};
use crate::fs::input::Input;

/// Finds the tensors of an input of any name, and returns to its beginning. Returns `None` if its
/// format is not known.
///
/// The headers of some formats are not at the beginning. A pipe of such a format has no known
/// tensors.
pub fn read(input: &mut Input) -> io::Result<Option<Metadata>> {
    let mut bytes = Vec::new();
    if let Some(layout) = read_beginning(input, &mut bytes)? {
        input.rewind(bytes)?;
        return Ok(Some(layout));
    }
    let layout = match input.len() {
        Some(len) => match read_parts(input, len)? {
            Some(layout) => Some(layout),
            None => input.endpoint().path().and_then(|path| external_data(path, len)),
        },
        None => None,
    };
    input.rewind(bytes)?;
    Ok(layout)
}

/// Reads a header at the beginning. `bytes` then hold what was read.
fn read_beginning(input: &mut Input, bytes: &mut Vec<u8>) -> io::Result<Option<Metadata>> {
    loop {
        let needed = match Metadata::parse_header(bytes) {
            Ok(layout) => return Ok(Some(layout)),
            Err(MetadataError::Truncated { needed, .. }) if may_list_tensors(bytes) => needed,
            Err(_) => return Ok(None),
        };
        // Checks the first bytes before reading as many bytes as the file states.
        let missing = needed.max(PEEK_LEN as u64) - bytes.len() as u64;
        if input.read_up_to(missing, bytes)? < missing {
            return Ok(None);
        }
    }
}

/// Reads headers anywhere in a file.
fn read_parts(input: &mut Input, len: u64) -> io::Result<Option<Metadata>> {
    let mut reader = MetadataReader::new(len);
    let mut bytes = Vec::new();
    while let Some(range) = reader.wanted() {
        bytes.clear();
        input.go_to(range.start)?;
        input.read_up_to(range.end - range.start, &mut bytes)?;
        if reader.feed(&bytes).is_err() {
            return Ok(None);
        }
    }
    Ok(reader.finish().ok())
}

/// Finds the tensors in a data file of `len` bytes of an ONNX model, which lies beside the model:
/// `m.onnx.data` or `m.onnx_data` beside `m.onnx`.
pub fn external_data(path: &Path, len: u64) -> Option<Metadata> {
    let location = path.file_name().and_then(OsStr::to_str)?;
    // Opening another kind of file, such as a named pipe, may block.
    let model = model_of(path).filter(|model| model.is_file())?;
    let model = File::open(model).ok()?;
    let mut reader = MetadataReader::new(model.size().ok()?);
    let read = |range: Range<u64>, bytes: &mut Vec<u8>| {
        bytes.resize((range.end - range.start) as usize, 0);
        model.read_exact_at(bytes, range.start).map_err(|_| MetadataError::NoTensors)
    };
    reader.feed_all(read).ok()?;
    reader.external(location, len).ok()
}

/// Returns the path of the ONNX model to which a data file belongs by its name.
fn model_of(data: &Path) -> Option<PathBuf> {
    const EXTENSION: &str = ".onnx";
    let (stem, rest) = data.file_name()?.to_str()?.split_once(EXTENSION)?;
    (!rest.is_empty()).then(|| data.with_file_name(format!("{stem}{EXTENSION}")))
}
