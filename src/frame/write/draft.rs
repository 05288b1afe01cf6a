//! A frame to be written: everything except its payload.

use crate::checksum::Hasher;
use crate::error::EncodeError;
use crate::format::HEADER_LEN;
use crate::frame::header::{Form, Header};
use crate::frame::shape;
use crate::frame::write::annex;
use crate::frame::write::envelope::Envelope;
use crate::frame::write::geometry::Geometry;
use crate::options::Options;

/// A frame whose options have been checked, and whose parts have known positions.
pub(crate) struct Draft<'a> {
    /// Length of the data.
    pub(crate) len: usize,
    pub(crate) options: Options,
    pub(crate) envelope: &'a Envelope<'a>,
    pub(crate) geometry: Geometry,
}

/// The checksum of the beginning of a payload.
#[derive(Default)]
pub(crate) struct Hashed {
    hasher: Hasher,
    len: usize,
}

impl Hashed {
    /// Adds the next bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len += bytes.len();
    }

    /// Returns the checksum of the whole payload.
    fn checksum(mut self, payload: &[u8]) -> u64 {
        self.hasher.update(&payload[self.len..]);
        self.hasher.checksum()
    }
}

impl<'a> Draft<'a> {
    /// Prepares a frame of `data`. Chooses a layout if the type of the data is unknown.
    pub(crate) fn new(
        data: &[u8],
        options: &Options,
        envelope: &'a Envelope<'a>,
    ) -> Result<Self, EncodeError> {
        Self::with_len(data.len(), &options.for_frame(data), envelope)
    }

    /// Prepares a frame of `len` bytes of data.
    pub(crate) fn with_len(
        len: usize,
        options: &Options,
        envelope: &'a Envelope<'a>,
    ) -> Result<Self, EncodeError> {
        options.check()?;
        check_shape(len, options, envelope)?;
        let geometry = Geometry::new(len, options, envelope);
        Ok(Self { len, options: *options, envelope, geometry })
    }

    /// Returns the length of annex and padding after `content_len` bytes of content.
    pub(crate) fn slack_len(&self, content_len: usize) -> usize {
        self.geometry.slack_len(content_len, self.len, self.envelope)
    }

    /// Returns whether the frame ends with an annex, which contains a checksum of the payload.
    pub(crate) fn has_annex(&self) -> bool {
        self.geometry.annex_len > 0
    }

    /// Completes a frame that begins with `content_len` bytes of content; returns its length.
    ///
    /// It writes the header, the shape, and the annex with the checksums of the chunks and of the
    /// payload, of which `hashed` knows the beginning.
    pub(crate) fn finish(
        &self,
        content_len: usize,
        hashed: Hashed,
        checksums: &[u64],
        frame: &mut [u8],
    ) -> usize {
        let (content, behind) = frame.split_at_mut(content_len);
        let (prefix, payload) = content.split_at_mut(self.geometry.payload_at);
        let slack = &mut behind[..self.slack_len(content_len)];
        slack.fill(0);
        let payload = if self.has_annex() { hashed.checksum(payload) } else { 0 };
        self.finish_around((content_len, payload), checksums, prefix, slack);
        content_len + slack.len()
    }

    /// Writes header and shape into the prefix, and the annex into the slack.
    ///
    /// The slack contains zeros. The tuple contains the length of the content, and the checksum of
    /// the payload, which is needed only with an annex.
    pub(super) fn finish_around(
        &self,
        (content_len, payload): (usize, u64),
        checksums: &[u64],
        prefix: &mut [u8],
        slack: &mut [u8],
    ) {
        let (options, envelope) = (&self.options, self.envelope);
        let header = Header {
            form: envelope.form,
            delta: options.delta,
            streaming: envelope.streaming,
            // The original also sets the flag for single planes, where it has no effect.
            rotated: options.layout.rotated || options.layout.planes == 1,
            frame_len: (content_len + slack.len()) as u64,
            ..Header::new(options.header_dtype, options.chunk_log2, self.len as u64)
        };
        // The logarithm of the next power of two, which overflows for the largest lengths.
        let frame_size_log2 =
            (usize::BITS - envelope.frame_len.saturating_sub(1).leading_zeros()) as u8;
        prefix[..HEADER_LEN].copy_from_slice(&header.to_bytes(frame_size_log2));
        if envelope.form != Form::Bytes {
            let shape = &mut prefix[HEADER_LEN..HEADER_LEN + envelope.shape_len()];
            shape::write(envelope.shape, shape);
        }
        if self.has_annex() {
            let padding = slack.len() - self.geometry.annex_len;
            annex::write((prefix, payload), checksums, padding, options, envelope, slack);
        }
    }
}

fn check_shape(len: usize, options: &Options, envelope: &Envelope) -> Result<(), EncodeError> {
    let shape = envelope.shape;
    let is_right = match envelope.form {
        Form::Bytes => shape.is_empty(),
        _ => {
            shape::checked_len(shape, options.header_dtype.size() as u64) == Some(len as u64)
                && shape.len() <= usize::from(u8::MAX)
        }
    };
    if is_right { Ok(()) } else { Err(EncodeError::InvalidShape) }
}
