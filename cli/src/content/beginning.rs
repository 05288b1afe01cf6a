//! Detecting the kind of a file by its first bytes.

use std::fs::File;
use std::io::{self, BufRead, Read};

use zipnn::frame::MAGIC;
use zipnn::tensor::safetensors::{MAX_HEADER_LEN, PREFIX_LEN};

use crate::fs::endpoint::Endpoint;

/// Number of bytes that distinguish a `.safetensors` file: the length of its header, and the first
/// byte of the header's JSON.
pub const PEEK_LEN: usize = PREFIX_LEN as usize + 1;

/// Returns whether a file begins like a `.safetensors` file. A `.znn` file never does: read as the
/// length of a header, its first bytes are too large a number.
pub fn is_safetensors(source: &Endpoint) -> bool {
    peek(source).is_some_and(begins_safetensors)
}

/// Returns whether a file with these first bytes begins like a `.safetensors` file.
pub fn begins_safetensors(first: [u8; PEEK_LEN]) -> bool {
    let [len @ .., json] = first;
    u64::from_le_bytes(len) <= MAX_HEADER_LEN && may_begin_json(json)
}

/// Returns whether a file begins like a `.znn` file, and not like a `.safetensors` file.
pub fn is_znn(source: &Endpoint) -> bool {
    peek(source).is_some_and(|first| first.starts_with(&MAGIC)) && !is_safetensors(source)
}

/// Returns whether data that begins with `bytes` may begin with a header that lists tensors: whether
/// it may be a `.safetensors`, GGUF or `.npy` file.
pub fn may_list_tensors(bytes: &[u8]) -> bool {
    match bytes.first_chunk::<PEEK_LEN>() {
        Some([.., json]) => begins_array(bytes) || may_begin_json(*json),
        None => true,
    }
}

/// Returns whether data begins like a `.safetensors`, GGUF or `.npy` file.
pub fn lists_tensors(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|first| begins_safetensors(*first)) || begins_array(bytes)
}

fn begins_array(bytes: &[u8]) -> bool {
    const GGUF: &[u8] = b"GGUF";
    const NPY: &[u8] = b"\x93NUMPY";
    bytes.starts_with(GGUF) || bytes.starts_with(NPY)
}

/// Returns whether the JSON of a header may begin with a byte: an opening brace or white space.
fn may_begin_json(byte: u8) -> bool {
    matches!(byte, b'{' | b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns the first bytes of a file, without consuming bytes of a pipe.
fn peek(source: &Endpoint) -> Option<[u8; PEEK_LEN]> {
    let mut first = [0; PEEK_LEN];
    match source {
        // Reading from anything but a regular file would consume its bytes.
        Endpoint::Path(path) => {
            let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
            let mut file = if is_file { File::open(path).ok()? } else { return None };
            file.read_exact(&mut first).ok()?;
        }
        Endpoint::Standard => {
            first = *io::stdin().lock().fill_buf().ok()?.first_chunk()?;
        }
    }
    Some(first)
}
