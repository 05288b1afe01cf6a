//! Where decoded data goes.

use std::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::legacy::rotation::unrotate;
use crate::limits::Limits;

/// The data of the frames so far, what was met on the way, and how much more there may be.
#[derive(Debug)]
pub(super) struct Output<'l> {
    limits: &'l Limits,
    /// Decoded data.
    pub(super) data: Vec<u8>,
    /// Bytes of decoded data that have been dropped.
    dropped: u64,
    /// Names of the methods that were met, each once.
    pub(super) methods: Vec<&'static str>,
    /// Bytes of the original data that the writer left out.
    pub(super) lost: u64,
}

impl<'l> Output<'l> {
    /// Without data.
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self { limits, data: Vec::new(), dropped: 0, methods: Vec::new(), lost: 0 }
    }

    /// Bytes decoded, those that were dropped too.
    pub(super) fn total(&self) -> u64 {
        self.dropped.saturating_add(self.data.len() as u64)
    }

    /// Forgets the data but not its length.
    pub(super) fn drop_data(&mut self) {
        self.dropped = self.total();
        self.data.clear();
    }

    /// Remembers the name of a method.
    pub(super) fn met(&mut self, method: &'static str) {
        if !self.methods.contains(&method) {
            self.methods.push(method);
        }
    }

    /// Most bytes that a frame of `frame_len` bytes may decode to.
    pub(super) fn allowance(&self, frame_len: usize) -> u64 {
        let earned = (frame_len as u64).saturating_mul(self.limits.expansion.into());
        earned.min(self.limits.decoded_bytes.saturating_sub(self.total()))
    }

    /// The error for a frame that decodes to `len` bytes or more, beyond its allowance.
    pub(super) fn excess(&self, len: u64, frame_len: usize) -> DecodeErrorKind {
        let limit = self.allowance(frame_len);
        match self.limits.check(len, frame_len as u64, self.total()) {
            Err(kind) => kind,
            Ok(()) => DecodeErrorKind::LimitExceeded { requested: len, limit },
        }
    }

    /// Checks that a frame of `frame_len` bytes may decode to `len`.
    pub(super) fn check(&self, len: u64, frame_len: usize) -> Result<(), DecodeErrorKind> {
        self.limits.check(len, frame_len as u64, self.total())?;
        self.limits.check_memory(frame_len as u64)
    }

    /// Zeros for the `len` bytes that a frame of `frame_len` bytes decodes to.
    pub(super) fn grow(
        &mut self,
        len: u64,
        frame_len: usize,
    ) -> Result<&mut [u8], DecodeErrorKind> {
        self.check(len, frame_len)?;
        let out_of_memory = DecodeErrorKind::OutOfMemory { requested: len };
        let more = usize::try_from(len).map_err(|_| out_of_memory)?;
        self.data.try_reserve(more).map_err(|_| out_of_memory)?;
        let start = self.data.len();
        self.data.resize(start.saturating_add(more), 0);
        Ok(self.data.get_mut(start..).unwrap_or_default())
    }

    /// Adds the data of a frame of `frame_len` bytes that is stored as it is but for rotation.
    pub(super) fn add_plain(
        &mut self,
        data: &[u8],
        planes: usize,
        rotated: bool,
        frame_len: usize,
    ) -> Result<(), DecodeError> {
        let dst = self.grow(data.len() as u64, frame_len)?;
        dst.copy_from_slice(data);
        if rotated { unrotate(planes, dst) } else { Ok(()) }
    }
}
