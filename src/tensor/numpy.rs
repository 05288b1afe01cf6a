//! Headers of `.npy` files, which hold one array.
//!
//! Such a file begins with a magic number, a version, and the length of a description in the syntax
//! of a Python dictionary. NumPy documents the format under `numpy.lib.format`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::tensor::error::MetadataError;
use crate::tensor::info::TensorInfo;

/// The magic number at the beginning of a file.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest description to parse, in bytes. NumPy refuses descriptions of more than 10,000.
const MAX_DESCRIPTION_LEN: u64 = 1 << 16;

/// Types by their names in a description.
const TYPES: [(&str, &str); 13] = [
    ("<f4", "F32"),
    ("<f2", "F16"),
    ("<f8", "F64"),
    ("<c8", "C64"),
    ("<i8", "I64"),
    ("<i4", "I32"),
    ("<i2", "I16"),
    ("|i1", "I8"),
    ("<u8", "U64"),
    ("<u4", "U32"),
    ("<u2", "U16"),
    ("|u1", "U8"),
    ("|b1", "BOOL"),
];

/// Returns whether a file that begins with `bytes` is a `.npy` file.
pub(crate) fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Parses the header of an array called `name`, which begins with `bytes` and, with the header, has
/// `len` bytes. Its range counts from the beginning of the header.
///
/// # Errors
///
/// `Truncated` if the header is longer than `bytes`, `InvalidHeader`, `InvalidTensor` and
/// `MissingData`.
pub(crate) fn parse(bytes: &[u8], name: &str, len: u64) -> Result<TensorInfo, MetadataError> {
    let (description, start) = description(bytes)?;
    let unsupported = || MetadataError::InvalidHeader {
        reason: "the description of the array is not as NumPy writes it".into(),
    };
    let parsed = Description::parse(description).ok_or_else(unsupported)?;
    let data_len = parsed.data_len().ok_or(MetadataError::InvalidTensor { name: name.into() })?;
    let end = start.saturating_add(data_len);
    if end > len {
        return Err(MetadataError::MissingData { name: name.into(), needed: end, have: len });
    }
    Ok(TensorInfo::new(name, parsed.dtype(), parsed.shape, start..end))
}

/// Returns the description and its end.
fn description(bytes: &[u8]) -> Result<(&str, u64), MetadataError> {
    let have = bytes.len() as u64;
    let invalid = |reason: &str| MetadataError::InvalidHeader { reason: reason.to_string() };
    let Some(&[major, _, a, b, c, d]) = bytes.get(MAGIC.len()..MAGIC.len() + 6) else {
        return Err(MetadataError::Truncated { needed: MAGIC.len() as u64 + 6, have });
    };
    let (start, len) = match major {
        1 => (MAGIC.len() + 4, u16::from_le_bytes([a, b]).into()),
        2 | 3 => (MAGIC.len() + 6, u32::from_le_bytes([a, b, c, d])),
        _ => return Err(invalid("the version of the array's format is not supported")),
    };
    if u64::from(len) > MAX_DESCRIPTION_LEN {
        return Err(MetadataError::HeaderTooLong { len: len.into() });
    }
    let end = start + len as usize;
    let text =
        bytes.get(start..end).ok_or(MetadataError::Truncated { needed: end as u64, have })?;
    let text = core::str::from_utf8(text).map_err(|_| invalid("the description is not UTF-8"))?;
    Ok((text, end as u64))
}

/// The description of an array.
struct Description<'d> {
    descr: &'d str,
    shape: Vec<u64>,
}

impl<'d> Description<'d> {
    /// Parses a description in the form in which NumPy writes it. Returns `None` for other forms and
    /// for arrays of structs.
    fn parse(text: &'d str) -> Option<Self> {
        let rest = text.strip_prefix("{'descr': '")?;
        let (descr, rest) = rest.split_once("', 'fortran_order': ")?;
        let (order, rest) = rest.split_once(", 'shape': (")?;
        let (shape, rest) = rest.split_once(')')?;
        let is_end = matches!(rest.trim_end_matches(['\n', ' ']), ", }" | "}");
        let dims = shape.split(',').map(str::trim).filter(|dim| !dim.is_empty());
        let mut shape = dims.map(|dim| dim.parse().ok()).collect::<Option<Vec<u64>>>()?;
        match order {
            "False" => {}
            // Bytes in another order have no shape that lists the outermost dimension first.
            "True" => {
                shape = [shape.iter().try_fold(1_u64, |len, &dim| len.checked_mul(dim))?].into()
            }
            _ => return None,
        }
        (is_end && !descr.contains('\'')).then_some(Self { descr, shape })
    }

    /// Returns the name of the type, or NumPy's name if safetensors files have no such type.
    fn dtype(&self) -> String {
        let known = TYPES.into_iter().find(|known| known.0 == self.descr);
        known.map_or(self.descr, |known| known.1).to_string()
    }

    /// Returns the length of all elements in bytes.
    fn data_len(&self) -> Option<u64> {
        let kind = self.descr.get(1..2)?;
        let size: u64 = self.descr.get(2..)?.parse().ok()?;
        // Lengths of texts count characters of four bytes.
        let size = if kind == "U" { size.checked_mul(4)? } else { size };
        self.shape.iter().try_fold(size, |len, &dim| len.checked_mul(dim))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn header(version: u8, description: &str) -> Vec<u8> {
        let mut header = [MAGIC, &[version, 0]].concat();
        let len = description.len() as u32;
        header.extend(&len.to_le_bytes()[..if version == 1 { 2 } else { 4 }]);
        header.extend(description.as_bytes());
        header
    }

    fn describe(version: u8, descr: &str, order: &str, shape: &str) -> Vec<u8> {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}  \n");
        header(version, &text)
    }

    #[test]
    fn arrays_are_described_as_numpy_writes_them() {
        for (version, descr, order, shape, dtype, dims, len) in [
            (1, "<f4", "False", "(3, 4)", "F32", &[3, 4][..], 48),
            (2, "|b1", "False", "(5,)", "BOOL", &[5], 5),
            (3, "<i8", "False", "()", "I64", &[], 8),
            (1, "<f2", "True", "(3, 4)", "F16", &[12], 24),
            (1, "|V2", "False", "(7,)", "|V2", &[7], 14),
            (1, ">f8", "False", "(0, 7)", ">f8", &[0, 7], 0),
            (1, "<U3", "False", "(2,)", "<U3", &[2], 24),
        ] {
            let bytes = describe(version, descr, order, shape);
            let start = bytes.len() as u64;
            let expected = TensorInfo::new("a", dtype, dims, start..start + len);
            assert_eq!(parse(&bytes, "a", start + len), Ok(expected), "{descr}");
            let missing = parse(&bytes, "a", start + len - 1);
            assert!(len == 0 || matches!(missing, Err(MetadataError::MissingData { .. })));
            for cut in 0..bytes.len() {
                let error = parse(&bytes[..cut], "a", u64::MAX);
                assert!(matches!(error, Err(MetadataError::Truncated { .. })), "{cut}: {error:?}");
            }
        }
    }

    #[test]
    fn other_descriptions_are_errors() {
        for bytes in [
            describe(1, "<f4", "No", "(3,)"),
            describe(1, "<f4", "False", "(x,)"),
            describe(1, "<f", "False", "(3,)"),
            describe(1, "<f8", "False", "(18446744073709551615,)"),
            describe(1, "<f8", "True", "(18446744073709551615, 2)"),
            describe(9, "<f4", "False", "(3,)"),
            header(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }"),
            header(1, ""),
            [MAGIC, &[2, 0, 0xff, 0xff, 0xff, 0xff]].concat(),
        ] {
            assert!(parse(&bytes, "a", u64::MAX).is_err(), "{bytes:?}");
        }
    }
}
