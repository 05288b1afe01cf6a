//! Writes the annex of a frame.

use crate::checksum::checksum;
use crate::format::{FRAME_CHECKSUM_LEN, RECORD_HEADER_LEN, kind};
use crate::frame::annex::{Annex, record_header};
use crate::frame::write::envelope::Envelope;
use crate::options::Options;

/// Returns the length in bytes of the annex, without padding, of a frame of `chunks` chunks.
pub(crate) fn annex_len(chunks: usize, options: &Options, envelope: &Envelope) -> usize {
    if !is_written(options, envelope) {
        return 0;
    }
    let with_header = |body_len: usize| body_len.saturating_add(RECORD_HEADER_LEN);
    let mut len = Annex::MAGIC.len() + with_header(FRAME_CHECKSUM_LEN);
    if options.checksums && chunks > 0 {
        len = len.saturating_add(with_header(chunks.saturating_mul(size_of::<u64>())));
    }
    if envelope.position.is_first {
        let base_len = options.base.map_or(0, |_| with_header(2 * size_of::<u64>()));
        let seal_len = if is_sealed(options, envelope) { with_header(0) } else { 0 };
        len = len.saturating_add(base_len + seal_len);
    }
    len
}

fn is_written(options: &Options, envelope: &Envelope) -> bool {
    options.checksums
        || is_sealed(options, envelope)
        || envelope.position.is_first && options.base.is_some()
}

/// Returns whether the first frame announces an index. Only files of several frames have one.
fn is_sealed(options: &Options, envelope: &Envelope) -> bool {
    options.index && envelope.position.is_indexed && envelope.streaming
}

/// The length of an aligned frame and the length of its data are equal modulo this number.
const ALIGNMENT: usize = 8;
/// Maximum length of padding.
pub(crate) const MAX_PADDING: usize = RECORD_HEADER_LEN + ALIGNMENT - 1;

/// Returns the length of the padding of an aligned frame in bytes.
///
/// It makes the length of the frame equal to the length of its data modulo 8. In an annex, the
/// padding is a record; without an annex, it consists of zeros.
pub(crate) fn padding(content_len: usize, annex_len: usize, decoded_len: usize) -> usize {
    let missing =
        (decoded_len % ALIGNMENT + ALIGNMENT - (content_len + annex_len) % ALIGNMENT) % ALIGNMENT;
    match annex_len {
        1.. if missing > 0 => RECORD_HEADER_LEN + missing,
        _ => missing,
    }
}

/// Writes the annex and the padding into `dst`, which has exactly their length.
///
/// `dst` contains zeros. The frame consists of `prefix` and a payload with the checksum `payload`.
pub(crate) fn write(
    (prefix, payload): (&[u8], u64),
    checksums: &[u64],
    padding: usize,
    options: &Options,
    envelope: &Envelope,
    dst: &mut [u8],
) {
    let mut records = Records::new(dst);
    if !checksums.is_empty() {
        records.begin(kind::CHECKSUMS, size_of_val(checksums));
        checksums.iter().for_each(|&checksum| records.number(checksum));
    }
    if envelope.position.is_first {
        if let Some(base) = options.base {
            records.begin(kind::BASE, 2 * size_of::<u64>());
            records.number(base.len);
            records.number(base.checksum);
        }
        if is_sealed(options, envelope) {
            records.begin(kind::SEALED, 0);
        }
    }
    if let Some(body_len) = padding.checked_sub(RECORD_HEADER_LEN) {
        records.begin(kind::PADDING, body_len);
        records.pass_over(body_len);
    }
    records.frame_checksum(envelope.position.decoded_offset, prefix, payload);
}

/// Writes the records of an annex, one after another.
pub(crate) struct Records<'d> {
    dst: &'d mut [u8],
    filled: usize,
}

impl<'d> Records<'d> {
    /// Begins an annex that fills `dst`.
    pub(crate) fn new(dst: &'d mut [u8]) -> Self {
        let mut records = Self { dst, filled: 0 };
        records.bytes(&Annex::MAGIC);
        records
    }

    /// Begins a record. The caller must add its body.
    pub(crate) fn begin(&mut self, kind: u8, body_len: usize) {
        self.bytes(&record_header(kind, body_len));
    }

    /// Adds a number to a body.
    pub(crate) fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// Adds bytes to a body.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.dst[self.filled..][..bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    /// Skips the next bytes, which stay unchanged.
    fn pass_over(&mut self, len: usize) {
        self.filled += len;
    }

    /// Adds the record with the checksums of the prefix, the payload and the annex before it.
    ///
    /// `payload` is the checksum of the payload.
    pub(crate) fn frame_checksum(&mut self, decoded_offset: u64, prefix: &[u8], payload: u64) {
        self.begin(kind::FRAME_CHECKSUM, FRAME_CHECKSUM_LEN);
        self.number(decoded_offset);
        self.number(checksum(prefix));
        self.number(payload);
        self.number(checksum(&self.dst[..self.filled]));
    }
}
