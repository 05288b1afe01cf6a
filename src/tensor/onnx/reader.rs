//! Locates the tensors of a model by reading parts of it.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::error::MetadataError;
use crate::tensor::info::TensorInfo;
use crate::tensor::metadata::Metadata;
use crate::tensor::onnx::fields::{Action, Message};
use crate::tensor::onnx::tensor::RawTensor;
use crate::tensor::onnx::wire::{self, Field, MAX_HEAD_LEN, Value, WireError};

/// Fewest and most bytes to read at once.
const WINDOW: Range<u64> = 4 << 10..256 << 10;
/// Maximum length of a name, a shape or another short field.
const MAX_SHORT_LEN: u64 = 64 << 10;

/// Maximum number of tensors. A tensor takes some 20 times as much memory as a file needs for it.
const MAX_TENSORS: usize = 1 << 20;

/// Returns whether a file that begins with `bytes` may be a model: whether its first field is the
/// version of the format.
pub(crate) fn may_be_onnx(bytes: &[u8]) -> bool {
    // The length of a safetensors header can begin with the same bytes.
    let is_len = matches!(bytes, [_, _, _, _, 0, 0, 0, 0, ..]);
    matches!(bytes, [0x08, 1..=0x7f, ..]) && !is_len
}

/// Locates the tensors of a model.
pub(crate) struct OnnxReader {
    file_len: u64,
    /// Offset of the next field.
    at: u64,
    /// Number of bytes to read next.
    window: u64,
    /// Messages that contain the next field, with their ends, outermost first.
    open: Vec<(Message, u64)>,
    tensor: RawTensor,
    tensors: Vec<TensorInfo>,
    /// Tensors in other files, with the names of the files.
    external: Vec<(String, TensorInfo)>,
}

impl OnnxReader {
    /// Returns a reader for a file of this length.
    pub(crate) fn new(file_len: u64) -> Self {
        Self {
            file_len,
            at: 0,
            window: WINDOW.start,
            open: vec![(Message::Model, file_len)],
            tensor: RawTensor::default(),
            tensors: Vec::new(),
            external: Vec::new(),
        }
    }

    /// Returns the range of the file to read next, or `None` at the end.
    pub(crate) fn wanted(&self) -> Option<Range<u64>> {
        let end = self.at.saturating_add(self.window).min(self.file_len);
        (self.at < self.file_len).then_some(self.at..end)
    }

    /// Accepts the bytes of the wanted range.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), MetadataError> {
        let start = self.at;
        let end = start + bytes.len() as u64;
        while self.at < end {
            let rest = &bytes[(self.at - start) as usize..];
            match self.read_field(rest, end)? {
                Step::Read => {}
                Step::Needs(len) => {
                    // More of the file is needed for a field that begins in the window.
                    self.window = WINDOW.start.max(len);
                    return Ok(());
                }
            }
        }
        // Fields that follow one another are read in larger parts.
        let is_skipped = self.at > end;
        self.window = if is_skipped { WINDOW.start } else { (2 * self.window).min(WINDOW.end) };
        Ok(())
    }

    /// Reads the field at the beginning of `rest`, which ends at the offset `end`.
    fn read_field(&mut self, rest: &[u8], end: u64) -> Result<Step, MetadataError> {
        self.close();
        let Some(&(message, message_end)) = self.open.last() else { return Err(malformed()) };
        let field = match wire::field(rest) {
            Ok(field) => field,
            Err(WireError::Cut) if end < message_end => return Ok(Step::Needs(MAX_HEAD_LEN)),
            Err(_) => return Err(malformed()),
        };
        let Field { number, value, head_len } = field;
        let start = self.at + head_len as u64;
        let range = start..start.saturating_add(value.len());
        if range.end > message_end {
            return Err(malformed());
        }
        match (message.action(number).ok_or_else(malformed)?, value) {
            (Action::Open(message), Value::Bytes(_)) => {
                if message == Message::Tensor {
                    if self.tensors.len() + self.external.len() >= MAX_TENSORS {
                        return Err(invalid("the model has more than a million tensors"));
                    }
                    self.tensor = RawTensor::default();
                }
                self.open.push((message, range.end));
                self.at = range.start;
                return Ok(Step::Read);
            }
            (Action::Open(_), Value::Number(_)) => return Err(malformed()),
            (Action::Take, _) => {
                if value.len() > MAX_SHORT_LEN {
                    return Err(malformed());
                }
                if range.end > end {
                    return Ok(Step::Needs(range.end - self.at));
                }
                let bytes = &rest[head_len..head_len + value.len() as usize];
                let taken = match message {
                    Message::External => self.tensor.take_external(number, bytes),
                    _ => self.tensor.take(number, value, bytes),
                };
                taken.ok_or_else(malformed)?;
            }
            (Action::Locate, Value::Bytes(_)) if !range.is_empty() => {
                self.tensor.locate(range.clone());
            }
            (Action::Locate | Action::Skip, _) => {}
        }
        self.at = range.end;
        self.close();
        Ok(Step::Read)
    }

    /// Closes all messages that end before the next field.
    fn close(&mut self) {
        while let Some(&(message, _)) = self.open.last().filter(|open| open.1 <= self.at) {
            self.open.pop();
            if message != Message::Tensor {
                continue;
            }
            if let Some(located) = core::mem::take(&mut self.tensor).finish() {
                match located.location {
                    None => self.tensors.push(located.tensor),
                    Some(location) => self.external.push((location, located.tensor)),
                }
            }
        }
    }

    /// Returns the tensors in the model.
    pub(crate) fn finish(self) -> Result<Metadata, MetadataError> {
        Metadata::scattered(self.file_len, self.tensors)
    }

    /// Returns the tensors in another file of `len` bytes, which the model calls `location`.
    pub(crate) fn external(&self, location: &str, len: u64) -> Result<Metadata, MetadataError> {
        let is_there = |(file, _): &&(String, TensorInfo)| file == location;
        let tensors = self.external.iter().filter(is_there).map(|(_, tensor)| tensor.clone());
        let tensors: Vec<TensorInfo> = tensors.collect();
        match tensors.iter().find(|tensor| tensor.range.end > len) {
            Some(TensorInfo { name, range, .. }) => {
                Err(MetadataError::MissingData { name: name.clone(), needed: range.end, have: len })
            }
            None => Metadata::scattered(len, tensors),
        }
    }
}

/// The result of reading a field.
enum Step {
    Read,
    /// The field needs this many bytes from its beginning on.
    Needs(u64),
}

fn malformed() -> MetadataError {
    invalid("the file is no ONNX model")
}

fn invalid(reason: &str) -> MetadataError {
    MetadataError::InvalidHeader { reason: reason.to_string() }
}
