//! Reads ranges of changed files, and of arbitrary bytes, with several sources. Where reading and
//! decoding from front to back both succeed, they agree.
#![no_main]

use std::io::{Cursor, Write};
use std::sync::Mutex;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::seek::Seeker;
use zipnn::{Archive, DecodeErrorKind};
use zipnn_fuzz::{AnyEncoder, Data, LIMITS};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    bytes: &'a [u8],
    encoder: AnyEncoder,
    data: Data,
    changes: Vec<(u16, u8)>,
    cut: u16,
    ranges: Vec<(u16, u16)>,
}

fuzz_target!(init: zipnn_fuzz::ignore_checksums(), |input: Input<'_>| {
    read(input.bytes, &input.ranges);
    let data = &input.data.0[..input.data.0.len().min(4000)];
    let mut encoder = input.encoder.0.build(Vec::new()).unwrap();
    encoder.write_all(data).unwrap();
    let mut file = encoder.finish().unwrap();
    zipnn_fuzz::change(&mut file, &input.changes);
    read(&file, &input.ranges);
    let len = file.len() - usize::from(input.cut) % file.len();
    read_partial(&file[..len]);
});

/// All that is available of a file that was cut off can be read, or is damaged.
fn read_partial(file: &[u8]) {
    let Ok(archive) = Archive::open_partial(file, LIMITS) else { return };
    let available_len = archive.available_len();
    assert!(available_len <= archive.decoded_len());
    let mut data = vec![0; available_len as usize];
    let is_sound = archive.read_into(0, &mut data).is_ok();
    assert_eq!(is_sound, archive.damage().unwrap().is_empty());
    let _ = archive.tensors();
}

fn read(file: &[u8], ranges: &[(u16, u16)]) {
    let mut seeker = Seeker::new(file.len() as u64, LIMITS);
    let suffix = ranges.first().map_or(0, |&(len, _)| usize::from(len).min(file.len()));
    let is_fed = seeker.feed_suffix(&file[file.len() - suffix..]).is_ok();
    let Ok(archive) = Archive::open(file, LIMITS) else { return };
    // A short suffix takes another read, to which limits apply.
    if let (true, Ok(other)) = (is_fed, Archive::with_seeker(file, seeker)) {
        assert_eq!(other.directory(), archive.directory());
    }
    // Copies what is read, while the first borrows it.
    let copying = Mutex::new(Cursor::new(file));
    let copying = Archive::with_seeker(copying, archive.seeker().clone()).unwrap();
    let whole = zipnn::decompress(file, &LIMITS);
    let len = archive.decoded_len();
    let _ = archive.tensors();
    let _ = archive.damage().unwrap();
    for &(start, range_len) in ranges {
        let start = u64::from(start) % (len + 1);
        let end = len.min(start + u64::from(range_len));
        let mut part = vec![0xa5; (end - start) as usize];
        let result = archive.read_into(start, &mut part).map_err(kind);
        let mut copied = vec![0x5a; part.len()];
        assert_eq!(copying.read_into(start, &mut copied).map_err(kind), result);
        if let (Ok(()), Ok(whole)) = (result, &whole) {
            assert_eq!(part, whole[start as usize..end as usize]);
            assert_eq!(copied, part);
        }
    }
}

fn kind(error: zipnn::ArchiveError) -> Option<DecodeErrorKind> {
    match error {
        zipnn::ArchiveError::Decode(error) => Some(error.kind()),
        _ => None,
    }
}
