//! What the types of elements are called for people: as `--dtype` names them.
//!
//! A frame's header has no type for bytes of any other kind: it names float8_e4m3fn for a single
//! plane, and the float of the same width for integers. So the header alone says little, and
//! tensors around the frame count for more.

use zipnn::DType;
use zipnn::frame::{Form, Header};
use zipnn::tensor::safetensors::Metadata;

use crate::args::dtype_name;

/// What bytes of any kind are called, and elements of types that no layout is made for.
pub const BYTES: &str = "bytes";

fn of_tensor(dtype: Option<DType>) -> &'static str {
    dtype.map_or(BYTES, dtype_name)
}

/// Returns what the elements of a frame are called; `None` where it has no data. `layout` is that
/// of the tensors in the file, and `offset` is where the data of the frame begins in it.
pub fn of_frame(header: &Header, layout: Option<&Metadata>, offset: u64) -> Option<&'static str> {
    if header.decoded_len == 0 {
        return None;
    }
    let declared = layout.map(|layout| declared_at(layout, offset));
    Some(match (header.layout().planes(), header.layout().is_rotated()) {
        (1, _) => of_single_plane(header, declared),
        // The layout of integers, and of float16 unless a tensor says otherwise.
        (2, false) if declared.is_some_and(|dtype| dtype != Some(header.dtype)) => BYTES,
        (4, false) => BYTES,
        _ => dtype_name(header.dtype),
    })
}

/// Frames of bytes name float8_e4m3fn, so that only a shape or a tensor proves it.
fn of_single_plane(header: &Header, declared: Option<Option<DType>>) -> &'static str {
    match (header.dtype, declared) {
        (_, Some(Some(dtype))) if dtype.size() == 1 => dtype_name(dtype),
        (_, Some(_)) => BYTES,
        (DType::F8E4M3, None) if header.form == Form::Bytes => BYTES,
        (dtype, None) => dtype_name(dtype),
    }
}

/// Returns the type of the tensor whose data is at this offset, if there is one and its type has a
/// layout.
fn declared_at(layout: &Metadata, offset: u64) -> Option<DType> {
    let tensors = layout.tensors();
    let number = tensors.partition_point(|tensor| tensor.range.end <= offset);
    tensors.get(number).filter(|tensor| tensor.range.contains(&offset))?.dtype()
}

/// A set of types in the order in which they came up: there are only so many.
#[derive(Debug, Default)]
pub struct Types(Vec<&'static str>);

impl Types {
    /// Returns the types of tensors with data: of each its type and its length.
    pub fn of_tensors(tensors: impl Iterator<Item = (Option<DType>, u64)>) -> Self {
        let mut types = Self::default();
        tensors.filter(|(_, len)| *len > 0).for_each(|(dtype, _)| types.add(of_tensor(dtype)));
        types
    }

    /// Adds a type, once.
    pub fn add(&mut self, name: &'static str) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// Returns all of them for people, between what comes before and what follows; nothing where
    /// there is none.
    pub fn text(&self, before: &str, behind: &str) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        format!("{before}{}{behind}", self.0.join(" and "))
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
    fn only_proven_types_are_named() {
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
    fn tensors_prove_types() {
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
