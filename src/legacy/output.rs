//! Collects decoded data within limits.

use std::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::legacy::rotation::unrotate;
use crate::limits::Limits;
use crate::try_alloc::reserve_decoded;

/// Decoded data, the methods found so far, and the limits.
#[derive(Debug)]
pub(super) struct Output<'l> {
    limits: &'l Limits,
    /// Decoded data that has not been dropped.
    pub(super) data: Vec<u8>,
    /// Length of the decoded data that has been dropped.
    dropped: u64,
    /// Distinct names of the methods found so far.
    pub(super) methods: Vec<&'static str>,
    /// Number of bytes of the original data that the file lacks.
    pub(super) lost: u64,
}

impl<'l> Output<'l> {
    /// Creates an empty output.
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self { limits, data: Vec::new(), dropped: 0, methods: Vec::new(), lost: 0 }
    }

    /// Returns the decoded length in bytes, including dropped data.
    pub(super) fn total(&self) -> u64 {
        self.dropped.saturating_add(self.data.len() as u64)
    }

    /// Drops the data, but keeps counting its length.
    pub(super) fn drop_data(&mut self) {
        self.dropped = self.total();
        self.data.clear();
    }

    /// Adds the name of a method unless it is listed already.
    pub(super) fn add_method(&mut self, method: &'static str) {
        if !self.methods.contains(&method) {
            self.methods.push(method);
        }
    }

    /// Returns the maximum decoded length of a frame of `frame_len` bytes.
    pub(super) fn allowance(&self, frame_len: usize) -> u64 {
        let earned = (frame_len as u64).saturating_mul(self.limits.expansion.into());
        earned.min(self.limits.decoded_bytes.saturating_sub(self.total()))
    }

    /// Returns the error for a frame that decodes to at least `len` bytes and exceeds its limit.
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

    /// Appends `len` zeros for the data of a frame of `frame_len` bytes, and returns them.
    pub(super) fn grow(
        &mut self,
        len: u64,
        frame_len: usize,
    ) -> Result<&mut [u8], DecodeErrorKind> {
        self.check(len, frame_len)?;
        let more = usize::try_from(len).unwrap_or(usize::MAX);
        reserve_decoded(&mut self.data, more, len)?;
        let start = self.data.len();
        self.data.resize(start.saturating_add(more), 0);
        Ok(self.data.get_mut(start..).unwrap_or_default())
    }

    /// Appends data that a frame of `frame_len` bytes stores raw, after undoing any rotation.
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
