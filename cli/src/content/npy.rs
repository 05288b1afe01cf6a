//! The header of NumPy's file format, version 1.0 and 2.0, as NumPy documents it under
//! `numpy.lib.format`.

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The offset of the data is a multiple of this.
const ALIGNMENT: usize = 64;

/// Returns the header of a file that holds an array in C order; `None` if NumPy has no such type.
///
/// Types that only extensions of NumPy support, bfloat16 and floats of 8 bits, become bytes of the
/// same width, which can be viewed as the type.
pub fn header(dtype: &str, shape: &[u64]) -> Option<Vec<u8>> {
    let descr = match dtype {
        "BOOL" => "|b1",
        "U8" => "|u1",
        "I8" => "|i1",
        "U16" => "<u2",
        "I16" => "<i2",
        "U32" => "<u4",
        "I32" => "<i4",
        "U64" => "<u8",
        "I64" => "<i8",
        "F16" => "<f2",
        "F32" => "<f4",
        "F64" => "<f8",
        "C64" => "<c8",
        "BF16" => "|V2",
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => "|V1",
        _ => return None,
    };
    let dims: Vec<String> = shape.iter().map(u64::to_string).collect();
    let tuple = match &dims[..] {
        [dim] => format!("({dim},)"),
        dims => format!("({})", dims.join(", ")),
    };
    let mut dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple}, }}");
    // Version 1.0 stores the length in two bytes, version 2.0 in four.
    let is_short = dict.len() + 2 * ALIGNMENT <= usize::from(u16::MAX);
    let len_bytes = if is_short { 2 } else { 4 };
    let prefix = MAGIC.len() + 2 + len_bytes;
    let len = (prefix + dict.len() + 1).next_multiple_of(ALIGNMENT) - prefix;
    while dict.len() + 1 < len {
        dict.push(' ');
    }
    dict.push('\n');
    let mut header = MAGIC.to_vec();
    header.extend([if is_short { 1 } else { 2 }, 0]);
    header.extend_from_slice(&(len as u32).to_le_bytes()[..len_bytes]);
    header.extend_from_slice(dict.as_bytes());
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_align_the_data() {
        for shape in [&[][..], &[7], &[3, 4], &[u64::MAX; 255]] {
            let header = header("F32", shape).unwrap();
            assert_eq!(header.len() % ALIGNMENT, 0);
            assert!(header.ends_with(b"\n"));
        }
        let header = String::from_utf8_lossy(&header("BF16", &[7]).unwrap()[10..]).into_owned();
        assert_eq!(header.trim_end(), "{'descr': '|V2', 'fortran_order': False, 'shape': (7,), }");
    }

    #[test]
    fn unknown_types_have_no_header() {
        assert_eq!(header("F4", &[2]), None);
    }
}
