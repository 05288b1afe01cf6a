//! Arbitrary bytes as a file of an old layout.
//!
//! Decoding returns an error, or data within the limits whose length the summary reports.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zipnn_fuzz::LIMITS;

/// Releases that wrote old layouts.
const RELEASES: [[u8; 3]; 5] = [[0, 1, 1], [0, 2, 0], [0, 2, 4], [0, 3, 1], [0, 3, 4]];

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut file = bytes.to_vec();
    let Some(beginning) = file.get_mut(..5) else { return };
    beginning[..2].copy_from_slice(b"ZN");
    let release = RELEASES[usize::from(beginning[4]) % RELEASES.len()];
    beginning[2..].copy_from_slice(&release);
    check(&file);
});

fn check(file: &[u8]) {
    if !zipnn::legacy::is_legacy(file) {
        return;
    }
    let decoded = zipnn::legacy::decode(file, &LIMITS);
    if let (Ok(decoded), Ok(summary)) = (&decoded, zipnn::legacy::summary(file, &LIMITS)) {
        assert!(decoded.len() as u64 <= LIMITS.decoded_bytes);
        assert_eq!(decoded.len() as u64, summary.decoded_len);
    }
}
