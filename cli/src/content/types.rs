//! The names of element types in output, as `--dtype` names them.
//!
//! The header of a frame cannot name every type: it names float8_e4m3fn for bytes, and the float of
//! the same width for integers. The type of the tensor in the frame therefore takes precedence.

use zipnn::DType;
use zipnn::frame::{Form, Header};
use zipnn::tensor::{Metadata, TensorInfo};

use crate::args::{BYTES, dtype_name};

fn of_tensor(dtype: Option<DType>) -> &'static str {
    dtype.map_or(BYTES, dtype_name)
}

/// Returns the name of a frame's element type; `None` if the frame has no data.
///
/// `layout` describes the tensors in the file, and `offset` is where the frame's data begins in it.
pub fn of_frame(header: &Header, layout: Option<&Metadata>, offset: u64) -> Option<&'static str> {
    if header.decoded_len == 0 {
        return None;
    }
    let declared = layout.map(|layout| declared_at(layout, offset));
    Some(match (header.layout().planes(), header.layout().is_rotated()) {
        (1, _) => of_single_plane(header, declared),
        // The layout of integers, and of float16 unless a tensor declares another type.
        (2, false) if declared.is_some_and(|dtype| dtype != Some(header.dtype)) => BYTES,
        (4, false) => BYTES,
        _ => dtype_name(header.dtype),
    })
}

/// Returns the name for a single plane. Frames of bytes name float8_e4m3fn as well, so only a shape
/// or a tensor proves that type.
fn of_single_plane(header: &Header, declared: Option<Option<DType>>) -> &'static str {
    match (header.dtype, declared) {
        (_, Some(Some(dtype))) if dtype.size() == 1 => dtype_name(dtype),
        (_, Some(_)) => BYTES,
        (DType::F8E4M3, None) if header.form == Form::Bytes => BYTES,
        (dtype, None) => dtype_name(dtype),
    }
}

/// Returns the type of the tensor at an offset of the data, if there is a tensor and its type has a
/// layout.
fn declared_at(layout: &Metadata, offset: u64) -> Option<DType> {
    tensor_at(layout.tensors(), offset)?.dtype()
}

/// Returns the tensor at an offset of the data.
pub fn tensor_at(tensors: &[TensorInfo], offset: u64) -> Option<&TensorInfo> {
    let number = tensors.partition_point(|tensor| tensor.range.end <= offset);
    tensors.get(number).filter(|tensor| tensor.range.contains(&offset))
}

/// A set of type names, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Types(Vec<&'static str>);

impl Types {
    /// Returns the types of tensors, given as type and length. Ignores tensors without data.
    pub fn of_tensors(tensors: impl Iterator<Item = (Option<DType>, u64)>) -> Self {
        let mut types = Self::default();
        tensors.filter(|(_, len)| *len > 0).for_each(|(dtype, _)| types.add(of_tensor(dtype)));
        types
    }

    /// Adds a type, unless the set holds it.
    pub fn add(&mut self, name: &'static str) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// Returns all names, between `before` and `after`; an empty text if there are none.
    pub fn text(&self, before: &str, after: &str) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        format!("{before}{}{after}", self.0.join(" and "))
    }

    /// Returns the names of all types.
    pub fn names(&self) -> &[&'static str] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use zipnn::Options;
    use zipnn::frame::PlaneLayout;

    use super::*;

    fn header(options: &Options, shape: Option<&[u64]>) -> Header {
        let data = [1; 64];
        let frame = match shape {
            Some(shape) => zipnn::compress_tensor(&data, Form::Torch, shape, options).unwrap(),
            None => zipnn::compress(&data, options).unwrap(),
        };
        Header::parse(&frame).unwrap()
    }

    #[test]
    fn names_only_proven_types() {
        let options = Options::new(DType::F8E4M3);
        for (options, shape, expected) in [
            (Options::new(DType::BF16), None, "bf16"),
            (Options::new(DType::F16), None, "f16"),
            (Options::new(DType::F32), None, "f32"),
            (Options::new(DType::F8E5M2), None, "f8e5m2"),
            (options, None, "bytes"),
            (options, Some(&[64][..]), "f8e4m3"),
            (options.layout(PlaneLayout::FOUR), None, "bytes"),
            (options.layout(PlaneLayout::TWO_ROTATED), None, "bf16"),
        ] {
            assert_eq!(of_frame(&header(&options, shape), None, 0), Some(expected), "{options:?}");
        }
        let empty = Header::parse(&zipnn::compress(&[], &options).unwrap()).unwrap();
        assert_eq!(of_frame(&empty, None, 0), None);
    }

    #[test]
    fn types_of_tensors_take_precedence() {
        for (dtype, frame, expected) in [
            ("F8_E4M3", PlaneLayout::ONE, "f8e4m3"),
            ("F8_E5M2", PlaneLayout::ONE, "f8e5m2"),
            ("U8", PlaneLayout::ONE, "bytes"),
            ("BF16", PlaneLayout::ONE, "bytes"),
            ("I16", PlaneLayout::TWO, "bytes"),
            ("F16", PlaneLayout::TWO, "f16"),
            ("I64", PlaneLayout::FOUR, "bytes"),
            ("F8_E4M3", PlaneLayout::TWO_ROTATED, "bf16"),
        ] {
            let json = format!(
                r#"{{"a":{{"dtype":"{dtype}","shape":[0,1],"data_offsets":[0,0]}},"b":{{"dtype":"{dtype}","shape":[8],"data_offsets":[0,LEN]}}}}"#
            );
            let bits = match dtype {
                "I64" => 64,
                "BF16" | "I16" | "F16" => 16,
                _ => 8,
            };
            let json = json.replace("LEN", &bits.to_string());
            let mut file = (json.len() as u64).to_le_bytes().to_vec();
            file.extend_from_slice(json.as_bytes());
            let layout = Metadata::parse_header(&file).unwrap();
            let header = header(&Options::new(DType::F8E4M3).layout(frame), None);
            let start = layout.data_start();
            assert_eq!(of_frame(&header, Some(&layout), start), Some(expected), "{dtype}");
            let beginning = of_frame(&header, Some(&layout), 0);
            assert_eq!(beginning == Some("bytes"), frame.planes() != 2 || !frame.is_rotated());
        }
    }
}
