//! Finds the frames after damaged headers in a file without a valid index.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use zipnn::file::Directory;
use zipnn::frame::{HEADER_LEN, Header, MAGIC};
use zipnn::tensor::Metadata;
use zipnn::tensor::TensorInfo;
use zipnn::{Limits, Options};

use crate::base::content::Bases;
use crate::content::{data_header, tensors};
use crate::fs::endpoint::Endpoint;

/// Number of bytes that are searched at a time.
const PART_LEN: usize = 1 << 20;

/// Returns the directory of a file with damaged headers.
///
/// All bytes between the last frame before the damage and the first frame after it count as one
/// frame. Its decoded length is the rest of the data. Only the header of a `.safetensors` file
/// states the length of all data, so this returns `None` for other data.
pub fn directory(source: &Endpoint, bases: Bases<'_>) -> Option<Directory> {
    let archive = tensors::open_archive(source, bases).ok()?;
    archive.cut()?;
    let layout = archive.layout().ok()?.clone();
    let mut file = BufReader::new(tensors::open_file(source).ok()?);
    let file_len = file.seek(SeekFrom::End(0)).ok()?;
    let mut directory = Directory::new();
    let before = archive.directory().entries().iter();
    for entry in before.take_while(|entry| entry.range().end <= file_len) {
        directory.push(entry.len, entry.decoded_len)?;
    }
    let start = directory.file_len();
    let (found, behind) = find(&mut file, start, file_len).ok()??;
    let lost = start_of(&behind, &directory, &layout)?.checked_sub(directory.decoded_len())?;
    directory.push(found - start, lost)?;
    behind.iter().try_for_each(|header| directory.push(header.frame_len, header.decoded_len))?;
    Some(directory)
}

/// Returns the offset in the data of the frames after the damage. They end where the last tensor
/// ends, or where bytes after the last tensor end.
fn start_of(behind: &[Header], before: &Directory, layout: &Metadata) -> Option<u64> {
    let end = data_header::end_of(layout);
    let mut starts = vec![end];
    for header in behind {
        let next = starts.last().and_then(|start| start.checked_sub(header.decoded_len));
        let Some(next) = next else { break };
        starts.push(next);
    }
    let follows_tensors =
        before.entries().iter().all(|entry| begins_frame(layout, entry.decoded_range().end));
    if !follows_tensors {
        // Bytes of unknown length may follow the last tensor.
        return starts.get(behind.len()).copied();
    }
    // The first `count` frames hold the rest of the tensors.
    let is_possible = |&count: &usize| {
        let mut breaks = starts[..count].iter().map(|start| starts[count] + (end - start));
        starts[count] >= before.decoded_len() && breaks.all(|at| begins_frame(layout, at))
    };
    (1..starts.len()).rev().find(is_possible).map(|count| starts[count])
}

/// Returns whether a frame may begin at an offset in a file whose frames match its tensors.
fn begins_frame(layout: &Metadata, at: u64) -> bool {
    /// Long tensors are divided into frames of whole chunks.
    const STEP: u64 = Options::DEFAULT_CHUNK_LEN as u64;
    at == layout.data_start()
        || layout.tensors().iter().any(|TensorInfo { range, .. }| {
            at == range.end || range.contains(&at) && (at - range.start).is_multiple_of(STEP)
        })
}

/// Searches after `start` for consecutive frames up to the end of the file. Returns the offset of
/// the first one, and the headers of all.
fn find(
    file: &mut BufReader<File>,
    start: u64,
    file_len: u64,
) -> io::Result<Option<(u64, Vec<Header>)>> {
    let mut rejected = HashSet::new();
    let mut part = Vec::new();
    let mut at = start + 1;
    while at < file_len {
        part.clear();
        file.seek(SeekFrom::Start(at))?;
        file.take(PART_LEN as u64).read_to_end(&mut part)?;
        for (offset, _) in
            part.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC)
        {
            let found = at + offset as u64;
            if let Some(headers) = headers_from(file, found, file_len, &mut rejected)? {
                return Ok(Some((found, headers)));
            }
        }
        // The last byte may begin a frame.
        at += part.len().max(2) as u64 - 1;
    }
    Ok(None)
}

/// Reads the headers of all frames from `start` to the end of the file, or returns `None` if there
/// is other data between them. Skips offsets that were rejected before, so that the time is linear
/// in the length of the file.
fn headers_from(
    file: &mut BufReader<File>,
    start: u64,
    file_len: u64,
    rejected: &mut HashSet<u64>,
) -> io::Result<Option<Vec<Header>>> {
    let mut headers = Vec::new();
    let mut at = start;
    while at < file_len {
        let mut bytes = Vec::new();
        let header = match rejected.insert(at) {
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
