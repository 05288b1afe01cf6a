//! What a file is, by its first bytes.

use std::ffi::OsStr;
use std::path::Path;

use zipnn::tensor::Metadata;

use crate::content::beginning;
use crate::content::reasons;
use crate::report::units;

/// Number of bytes that are examined.
pub const BEGINNING: u64 = 512;

/// First bytes of formats without tensors that zipnn knows.
const OTHERS: [(&[u8], &str); 6] = [
    (b"\x89HDF", "an HDF5 file"),
    (b"\x80\x02", "a pickle, as PyTorch wrote before release 1.6"),
    (b"PK\x03\x04", "a zip archive"),
    (b"<!DOCTYPE", HTML),
    (b"<!doctype", HTML),
    (b"<html", HTML),
];
/// What a download often is if it failed.
pub const HTML: &str = "an HTML page";

/// Describes a file that is not compressed by zipnn.
pub fn describe(first: &[u8], layout: Option<&Metadata>, path: Option<&Path>) -> String {
    let Some(layout) = layout else { return without_tensors(first) };
    let format = match first {
        [b'G', b'G', b'U', b'F', ..] => "a GGUF file",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "a NumPy file",
        [b'P', b'K', ..] if has_extension(path, "npz") => "a NumPy archive",
        [b'P', b'K', ..] => "a PyTorch file",
        _ if beginning::lists_tensors(first) => "a safetensors file",
        _ => "ONNX data",
    };
    format!("{format} with {}", units::count(layout.tensors().len() as u64, "tensor"))
}

fn has_extension(path: Option<&Path>, extension: &str) -> bool {
    path.and_then(Path::extension) == Some(OsStr::new(extension))
}

fn without_tensors(first: &[u8]) -> String {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if let Some(image) = reasons::image_format(first) {
        return format!("an image in the format {image}");
    }
    if let Some(format) = reasons::format(first).filter(|&format| format != "zip") {
        return format!("a file that {format} has compressed");
    }
    match OTHERS.iter().find(|(magic, _)| first.starts_with(magic)) {
        Some((_, name)) => (*name).to_owned(),
        None if !first.is_empty() && first.iter().all(is_text) => "a text file".to_owned(),
        None => "a file of unknown format".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_formats() {
        for (first, expected) in [
            (&b"\x1f\x8b\x08"[..], "a file that gzip has compressed"),
            (b"\x89PNG\r\n", "an image in the format PNG"),
            (b"PK\x03\x04\x14\0\0\0\x08\0", "a zip archive"),
            (b"<!DOCTYPE html>", HTML),
            (b"{\"a\": 1}\n", "a text file"),
            (b"\0\x01\x02", "a file of unknown format"),
        ] {
            assert_eq!(describe(first, None, None), expected);
        }
    }
}
