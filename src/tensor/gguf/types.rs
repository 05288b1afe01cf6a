//! Types of tensors in GGUF files.

use crate::model::records::Record;

/// A type of tensors, which are sequences of blocks.
pub(super) struct Type {
    pub(super) name: &'static str,
    /// Number of elements of a block.
    pub(super) elements: u64,
    /// Length of a block in bytes.
    pub(super) len: u64,
}

/// Types whose blocks are single elements, from `ggml_type` of ggml: number, name, and length of an
/// element in bytes.
const ELEMENTS: [(u32, &str, u64); 8] = [
    (0, "F32", 4),
    (1, "F16", 2),
    (24, "I8", 1),
    (25, "I16", 2),
    (26, "I32", 4),
    (27, "I64", 8),
    (28, "F64", 8),
    (30, "BF16", 2),
];

/// Returns the type with a number, or `None` if it is unknown.
pub(super) fn from_code(code: u32) -> Option<Type> {
    let element = ELEMENTS.into_iter().find(|element| element.0 == code);
    if let Some((_, name, len)) = element {
        return Some(Type { name, elements: 1, len });
    }
    let record = Record::from_code(u8::try_from(code).ok()?)?;
    Some(Type { name: record.name(), elements: record.elements(), len: record.len() as u64 })
}
