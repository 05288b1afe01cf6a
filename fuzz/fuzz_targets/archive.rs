//! Files, with changes anywhere, of which ranges are read: what comes out is what decoding from front
//! to back gives, where both succeed. Arbitrary bytes as a file, too.
#![no_main]

use std::io::{Cursor, Write};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zipnn::Archive;
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

/// Whatever a file that was cut off says, all that is available can be read, or is damaged.
fn read_partial(file: &[u8]) {
    let Ok(archive) = Archive::open_partial(Cursor::new(file), LIMITS) else { return };
    let available_len = archive.available_len();
    assert!(available_len <= archive.decoded_len());
    let mut data = vec![0; available_len as usize];
    let is_sound = archive.read_into(0, &mut data).is_ok();
    assert_eq!(is_sound, archive.damage().unwrap().is_empty());
    let _ = archive.tensors();
}

fn read(file: &[u8], ranges: &[(u16, u16)]) {
    let Ok(archive) = Archive::open(Cursor::new(file), LIMITS) else { return };
    let whole = zipnn::decompress(file, &LIMITS);
    let len = archive.decoded_len();
    let _ = archive.tensors();
    let _ = archive.damage().unwrap();
    for &(start, range_len) in ranges {
        let start = u64::from(start) % (len + 1);
        let end = len.min(start + u64::from(range_len));
        let mut part = vec![0xa5; (end - start) as usize];
        if let (Ok(()), Ok(whole)) = (archive.read_into(start, &mut part), &whole) {
            assert_eq!(part, whole[start as usize..end as usize]);
        }
    }
}
