//! Finding the frames behind damaged headers in a file without a usable index.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zipnn::{Directory, HEADER_LEN, Header, Limits};

use super::data_header;
use super::place::Place;
use super::tensors;

/// Bytes that are searched at a time.
const PART: usize = 1 << 20;

/// Returns the places of all frames of a file with damaged headers. What lies between the frames
/// before the damage and those behind it counts as one frame.
///
/// Its decoded length is what the other frames lack of the data, whose length only the header of a
/// `.safetensors` file says: for other data, there is no result.
pub fn directory(source: &Place, base: Option<&Path>) -> Option<Directory> {
    let mut archive = tensors::open_archive(source, base).ok()?;
    archive.cut()?;
    let data_len = data_header::end_of(archive.layout().ok()?);
    let mut file = tensors::open_file(source).ok()?;
    let file_len = file.seek(SeekFrom::End(0)).ok()?;
    let mut directory = Directory::new();
    let before = archive.directory().entries().iter();
    for entry in before.take_while(|entry| entry.range().end <= file_len) {
        directory.push(entry.len, entry.decoded_len)?;
    }
    let start = directory.file_len();
    let (found, behind) = find(&mut file, start, file_len).ok()??;
    let decoded_behind =
        behind.iter().try_fold(0_u64, |sum, header| sum.checked_add(header.decoded_len))?;
    let lost = data_len.checked_sub(directory.decoded_len())?.checked_sub(decoded_behind)?;
    directory.push(found - start, lost)?;
    behind.iter().try_for_each(|header| directory.push(header.frame_len, header.decoded_len))?;
    Some(directory)
}

/// Searches for frames that follow one another up to the end of the file. Returns where the first
/// of them begins, behind `start`, and the headers of all.
fn find(
    file: &mut BufReader<File>,
    start: u64,
    file_len: u64,
) -> io::Result<Option<(u64, Vec<Header>)>> {
    let mut refused = HashSet::new();
    let mut part = Vec::new();
    let mut at = start + 1;
    while at < file_len {
        part.clear();
        file.seek(SeekFrom::Start(at))?;
        file.take(PART as u64).read_to_end(&mut part)?;
        for (offset, _) in part.windows(2).enumerate().filter(|(_, pair)| pair == b"ZN") {
            let found = at + offset as u64;
            if let Some(headers) = headers_from(file, found, file_len, &mut refused)? {
                return Ok(Some((found, headers)));
            }
        }
        // The last byte may be the first of a pair.
        at += part.len().max(2) as u64 - 1;
    }
    Ok(None)
}

/// Reads the headers of the frames from `start` to the end of the file; `None` if there is anything
/// else. A place that has been refused is not tried again, so that time grows with the file alone.
fn headers_from(
    file: &mut BufReader<File>,
    start: u64,
    file_len: u64,
    refused: &mut HashSet<u64>,
) -> io::Result<Option<Vec<Header>>> {
    let mut headers = Vec::new();
    let mut at = start;
    while at < file_len {
        let mut bytes = Vec::new();
        let header = match refused.insert(at) {
            true => {
                file.seek(SeekFrom::Start(at))?;
                file.take(HEADER_LEN as u64).read_to_end(&mut bytes)?;
                Header::parse_following(&bytes).ok()
            }
            false => None,
        };
        let is_possible = |header: &Header| {
            let is_inside = header.frame_len <= file_len - at;
            is_inside && Limits::default().check(header.decoded_len, header.frame_len, 0).is_ok()
        };
        let Some(header) = header.filter(is_possible) else { return Ok(None) };
        at += header.frame_len;
        headers.push(header);
    }
    Ok(Some(headers))
}
