//! What kind of file it is, going by its first bytes alone.

use std::fs::File;
use std::io::{self, BufRead, Read};

use zipnn::tensor::safetensors::Metadata;

use crate::fs::endpoint::Place;

/// The first bytes of a file that is compressed as a whole.
pub const MAGIC: [u8; 2] = *b"ZN";
/// Length of the first bytes of a `.safetensors` file that distinguish it: the length of its header,
/// and the first byte of the header's JSON.
pub const PEEK_LEN: usize = Metadata::PREFIX_LEN as usize + 1;

/// Returns whether a file begins as a `.safetensors` file does. A `.znn` file never does: taken for
/// the length of a header, its first bytes are a number that no file has bytes for.
pub fn is_safetensors(source: &Place) -> bool {
    const LONGEST: u64 = Metadata::MAX_HEADER_LEN;
    let Some(first) = peek(source) else { return false };
    let [len @ .., json] = first;
    u64::from_le_bytes(len) <= LONGEST && may_begin_json(json)
}

/// Returns whether a file begins as a `.znn` file does. The length of a header can do so as well.
pub fn is_znn(source: &Place) -> bool {
    peek(source).is_some_and(|first| first.starts_with(&MAGIC)) && !is_safetensors(source)
}

/// Returns whether the JSON of a header may begin with a byte: an object, or a blank before one.
pub fn may_begin_json(byte: u8) -> bool {
    matches!(byte, b'{' | b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns the first bytes of a file, without taking them from a pipe.
fn peek(source: &Place) -> Option<[u8; PEEK_LEN]> {
    let mut first = [0; PEEK_LEN];
    match source {
        // Reading from anything but a regular file would consume its bytes.
        Place::Path(path) => {
            let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
            let mut file = if is_file { File::open(path).ok()? } else { return None };
            file.read_exact(&mut first).ok()?;
        }
        Place::Standard => {
            first = *io::stdin().lock().fill_buf().ok()?.first_chunk()?;
        }
    }
    Some(first)
}
