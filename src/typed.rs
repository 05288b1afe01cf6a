//! Compresses and decompresses slices of numbers instead of bytes, without copying them.
//!
//! [`Element`] is implemented for types of the crate [`half`](https://docs.rs/half/2), and requires
//! `Pod` of the crate [`bytemuck`](https://docs.rs/bytemuck/1): both are public dependencies.

use alloc::vec::Vec;

use bytemuck::Pod;
use bytemuck::allocation::try_zeroed_vec;
use half::{bf16, f16};

use crate::chunk::decode::DecodeScratch;
use crate::chunk::encode::EncodeScratch;
use crate::dtype::DType;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::file::frames::Frames;
use crate::limits::Limits;
use crate::older_file::OlderFile;
use crate::oneshot;
use crate::options::Options;
use crate::plane_layout::PlaneLayout;

/// Defines how slices of an element type are compressed.
///
/// The format has a code for three of the types: `f32`, [`half::f16`] and [`half::bf16`]. Elements
/// of the other types (integers, `f64` and `bool`) are stored as bytes, in the layout that suits
/// them best: see [`Self::options`].
pub trait Element: bytemuck::NoUninit + sealed::Sealed {
    /// The type in the header of a frame, or `None` if the format has no code for the type. Frames
    /// of such elements can have any type in the header.
    const DTYPE: Option<DType>;
    /// The layout in which elements of this type compress best.
    const LAYOUT: PlaneLayout;
    /// The name of the type in `.safetensors` files.
    const SAFETENSORS: &'static str;

    /// Returns the default options for elements of this type.
    ///
    /// ```
    /// use zipnn::Limits;
    /// use zipnn::typed::{Element, compress_slice, decompress_slice};
    ///
    /// let ids: Vec<u64> = (0..1000).collect();
    /// let file = compress_slice(&ids, &u64::options())?;
    /// assert!(file.len() < 3000);
    /// assert_eq!(decompress_slice::<u64>(&file, &Limits::default())?, ids);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn options() -> Options {
        Options::new(Self::LAYOUT.dtype()).layout(Self::LAYOUT)
    }
}

mod sealed {
    use alloc::vec::Vec;

    use bytemuck::Pod;

    use crate::error::DecodeErrorKind;

    /// Converts bytes to elements.
    pub trait Sealed: Copy {
        /// A type of the same size for which all bytes are valid.
        type Plain: Pod + core::fmt::Debug;

        /// Converts bytes to elements in the same memory.
        fn from_plain(plain: Vec<Self::Plain>) -> Result<Vec<Self>, DecodeErrorKind>;
    }
}

macro_rules! elements {
    ($($element:ty: $dtype:expr, $layout:ident, $name:literal;)*) => {$(
        impl Element for $element {
            const DTYPE: Option<DType> = $dtype;
            const LAYOUT: PlaneLayout = PlaneLayout::$layout;
            const SAFETENSORS: &'static str = $name;
        }

        impl sealed::Sealed for $element {
            type Plain = Self;

            fn from_plain(plain: Vec<Self>) -> Result<Vec<Self>, DecodeErrorKind> {
                Ok(plain)
            }
        }
    )*};
}

// `docs/LAYOUTS.md` compares the layouts of elements of eight bytes.
elements! {
    f32: Some(DType::F32), FOUR_ROTATED, "F32";
    f16: Some(DType::F16), TWO, "F16";
    bf16: Some(DType::BF16), TWO_ROTATED, "BF16";
    f64: None, FOUR_ROTATED, "F64";
    u8: None, ONE, "U8";
    i8: None, ONE, "I8";
    u16: None, TWO, "U16";
    i16: None, TWO, "I16";
    u32: None, FOUR, "U32";
    i32: None, FOUR, "I32";
    u64: None, FOUR, "U64";
    i64: None, FOUR, "I64";
}

impl Element for bool {
    const DTYPE: Option<DType> = None;
    const LAYOUT: PlaneLayout = PlaneLayout::ONE;
    const SAFETENSORS: &'static str = "BOOL";
}

/// Only the bytes 0 and 1 are valid.
impl sealed::Sealed for bool {
    type Plain = u8;

    fn from_plain(plain: Vec<u8>) -> Result<Vec<Self>, DecodeErrorKind> {
        match plain.iter().find(|&&byte| byte > 1) {
            Some(&byte) => Err(DecodeErrorKind::InvalidBool(byte)),
            None => Ok(plain.into_iter().map(|byte| byte == 1).collect()),
        }
    }
}

/// Compresses the elements of a slice, as [`compress`](crate::compress) does bytes.
///
/// ```
/// use half::bf16;
/// use zipnn::{DType, Limits, Options};
///
/// let weights: Vec<bf16> = (0..1000).map(|i| bf16::from_f32(i as f32 / 1000.0)).collect();
/// let file = zipnn::typed::compress_slice(&weights, &Options::new(DType::BF16))?;
/// assert_eq!(zipnn::typed::decompress_slice::<bf16>(&file, &Limits::default())?, weights);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `WrongDType` if the options are not for the type of the elements, and the errors of
/// [`compress`](crate::compress).
pub fn compress_slice<T: Element>(src: &[T], options: &Options) -> Result<Vec<u8>, EncodeError> {
    check_options::<T>(options)?;
    with_le_bytes(src, |bytes| oneshot::compress(bytes, options))
}

/// Compresses the elements of a slice into the beginning of `dst`.
///
/// Returns the length of the file, as [`compress_into`](crate::compress_into) does for bytes.
///
/// ```
/// use zipnn::{DType, Limits, Options};
/// use zipnn::frame::EncodeScratch;
///
/// let options = Options::new(DType::F32);
/// let mut file = vec![0; zipnn::compress_bound(4000, &options)];
/// let mut scratch = EncodeScratch::new();
/// let len = zipnn::typed::compress_slice_into(&[1.5_f32; 1000], &mut file, &options, &mut scratch)?;
/// let weights = zipnn::typed::decompress_slice::<f32>(&file[..len], &Limits::default())?;
/// assert_eq!(weights, [1.5; 1000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `WrongDType` if the options are not for the type of the elements, and the errors of
/// [`compress_into`](crate::compress_into).
pub fn compress_slice_into<T: Element>(
    src: &[T],
    dst: &mut [u8],
    options: &Options,
    scratch: &mut EncodeScratch,
) -> Result<usize, EncodeError> {
    check_options::<T>(options)?;
    with_le_bytes(src, |bytes| oneshot::compress_into(bytes, dst, options, scratch))
}

fn check_options<T: Element>(options: &Options) -> Result<(), EncodeError> {
    let found = options.dtype();
    match T::DTYPE {
        Some(expected) if found != Some(expected) => {
            Err(EncodeError::WrongDType { expected, found })
        }
        _ => Ok(()),
    }
}

/// Calls a function with the little-endian bytes of elements. Copies them only on big-endian
/// machines.
fn with_le_bytes<T: Element, R>(src: &[T], run: impl FnOnce(&[u8]) -> R) -> R {
    if cfg!(target_endian = "little") {
        return run(bytemuck::cast_slice(src));
    }
    let mut swapped = bytemuck::cast_slice(src).to_vec();
    swap_on_big_endian::<T>(&mut swapped);
    run(&swapped)
}

/// Decompresses a file into elements, as [`decompress`](crate::decompress) does into bytes.
///
/// # Errors
///
/// `WrongDType` if a frame holds data of another type, `PartialElement` if the data ends within an
/// element, and the errors of [`decompress`](crate::decompress).
pub fn decompress_slice<T: Element>(src: &[u8], limits: &Limits) -> Result<Vec<T>, DecodeError> {
    check_dtype::<T>(src, limits)?;
    elements_from(oneshot::decoded_len(src, limits)?, |bytes| {
        oneshot::decompress_into(src, bytes, limits, &mut DecodeScratch::new()).map(drop)
    })
}

/// Decompresses a file into the beginning of `dst` and returns the number of elements.
///
/// [`decompress_into`](crate::decompress_into) does the same for bytes.
///
/// ```
/// use zipnn::{DType, Limits, Options};
/// use zipnn::frame::DecodeScratch;
///
/// let file = zipnn::typed::compress_slice(&[1.5_f32; 1000], &Options::new(DType::F32))?;
/// let mut weights = [0.0_f32; 1024];
/// let (limits, mut scratch) = (Limits::default(), DecodeScratch::new());
/// let len = zipnn::typed::decompress_slice_into(&file, &mut weights, &limits, &mut scratch)?;
/// assert_eq!(weights[..len], [1.5; 1000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The errors of [`decompress_slice`], and `OutputTooSmall`.
pub fn decompress_slice_into<T: Element + Pod>(
    src: &[u8],
    dst: &mut [T],
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<usize, DecodeError> {
    check_dtype::<T>(src, limits)?;
    decode(src, dst, limits, scratch)
}

/// Returns elements of `len` bytes in all, which `fill` writes directly to their final memory.
pub(crate) fn elements_from<T: Element, E: From<DecodeErrorKind>>(
    len: u64,
    fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<T>, E> {
    let mut elements = ElementBuf::new(len)?;
    fill(elements.as_bytes_mut())?;
    Ok(elements.finish()?)
}

/// Decompresses a tensor or array, and returns its shape and its elements in C order.
///
/// [`decompress_tensor`](crate::decompress_tensor) returns bytes instead.
///
/// ```
/// use zipnn::frame::Form;
/// use zipnn::{DType, Limits, Options};
///
/// let data = [1.0_f32, 2.0].map(f32::to_le_bytes).concat();
/// let file = zipnn::compress_tensor(&data, Form::Numpy, &[2, 1], &Options::new(DType::F32))?;
/// let (shape, elements) = zipnn::typed::decompress_tensor::<f32>(&file, &Limits::default())?;
/// assert_eq!((&shape[..], &elements[..]), (&[2, 1][..], &[1.0, 2.0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `WrongDType` if the elements have another type, and the errors of
/// [`decompress_tensor`](crate::decompress_tensor).
pub fn decompress_tensor<T: Element>(
    src: &[u8],
    limits: &Limits,
) -> Result<(Vec<u64>, Vec<T>), DecodeError> {
    let (_, shape) = oneshot::tensor_shape(src, limits)?;
    Ok((shape, decompress_slice(src, limits)?))
}

/// Holds memory for elements while a reader fills it with their bytes.
///
/// It suits readers that fill memory later or from several places, such as asynchronous readers.
///
/// ```
/// use zipnn::typed::ElementBuf;
///
/// let mut elements = ElementBuf::<u16>::new(4)?;
/// elements.as_bytes_mut().copy_from_slice(&[1, 0, 2, 1]);
/// assert_eq!(elements.finish()?, [1, 0x102]);
/// # Ok::<(), zipnn::DecodeErrorKind>(())
/// ```
#[derive(Debug, Clone)]
pub struct ElementBuf<T: Element>(Vec<T::Plain>);

impl<T: Element> ElementBuf<T> {
    /// Allocates memory for elements of `len` bytes in all, filled with zeros.
    ///
    /// # Errors
    ///
    /// `PartialElement` if `len` is not a multiple of the element's size; `OutOfMemory`.
    pub fn new(len: u64) -> Result<Self, DecodeErrorKind> {
        let size = size_of::<T>() as u64;
        if !len.is_multiple_of(size) {
            return Err(DecodeErrorKind::PartialElement { len });
        }
        usize::try_from(len / size)
            .ok()
            .and_then(|elements| try_zeroed_vec(elements).ok())
            .map(Self)
            .ok_or(DecodeErrorKind::OutOfMemory { requested: len })
    }

    /// Returns the bytes of all elements, in little-endian order.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }

    /// Converts the bytes to elements in the same memory.
    ///
    /// # Errors
    ///
    /// `InvalidBool` if a `bool` is neither 0 nor 1.
    pub fn finish(mut self) -> Result<Vec<T>, DecodeErrorKind> {
        swap_on_big_endian::<T>(self.as_bytes_mut());
        T::from_plain(self.0)
    }
}

fn decode<T: Element + Pod>(
    src: &[u8],
    dst: &mut [T],
    limits: &Limits,
    scratch: &mut DecodeScratch,
) -> Result<usize, DecodeError> {
    let bytes = oneshot::decompress_into(src, bytemuck::cast_slice_mut(dst), limits, scratch)?;
    let len = bytes / size_of::<T>();
    swap_on_big_endian::<T>(bytemuck::cast_slice_mut(&mut dst[..len]));
    Ok(len)
}

/// Checks that all data in a file is of the type `T`. Frames without data may be of any type.
fn check_dtype<T: Element>(src: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    if let Some(older) = OlderFile::probe(src) {
        let (len, found) = older.content(limits)?;
        // Some older layouts do not store the type.
        if let Some(found) = found.filter(|&found| T::DTYPE.is_some_and(|dtype| dtype != found)) {
            return Err(DecodeErrorKind::WrongDType { found: found.code() }.into());
        }
        return check_whole::<T>(len);
    }
    let mut len = 0_u64;
    for (number, frame) in (0..).zip(Frames::with_verification(src, limits.verify)) {
        let frame = frame?;
        if frame.decoded_len() > 0 && T::DTYPE.is_some_and(|dtype| dtype != frame.dtype()) {
            let found = frame.dtype().code();
            return Err(DecodeError::from(DecodeErrorKind::WrongDType { found }).in_frame(number));
        }
        len = len.saturating_add(frame.decoded_len());
    }
    check_whole::<T>(len)
}

fn check_whole<T>(len: u64) -> Result<(), DecodeError> {
    if !len.is_multiple_of(size_of::<T>() as u64) {
        return Err(DecodeErrorKind::PartialElement { len }.into());
    }
    Ok(())
}

/// Reverses the bytes of each element on big-endian machines, because files are little-endian.
fn swap_on_big_endian<T>(bytes: &mut [u8]) {
    if cfg!(target_endian = "big") {
        for element in bytes.chunks_exact_mut(size_of::<T>()) {
            element.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns every pattern of 16 bits, so that tests detect any changed value: quiet and
    /// signalling NaNs, both zeros, subnormals.
    fn all_patterns<T>(from_bits: fn(u16) -> T) -> Vec<T> {
        (0..=u16::MAX).map(from_bits).collect()
    }

    fn check_round_trip<T: Element + Pod>(numbers: &[T]) {
        let file = compress_slice(numbers, &T::options()).unwrap();
        let decoded = decompress_slice::<T>(&file, &Limits::default()).unwrap();
        assert_eq!(bytemuck::cast_slice::<T, u8>(&decoded), bytemuck::cast_slice::<T, u8>(numbers));

        let mut dst = alloc::vec![T::zeroed(); numbers.len() + 3];
        let len =
            decompress_slice_into(&file, &mut dst, &Limits::default(), &mut DecodeScratch::new())
                .unwrap();
        assert_eq!(len, numbers.len());
        assert_eq!(
            bytemuck::cast_slice::<T, u8>(&dst[..len]),
            bytemuck::cast_slice::<T, u8>(numbers)
        );
    }

    #[test]
    fn every_bit_pattern_survives() {
        check_round_trip(&all_patterns(bf16::from_bits));
        check_round_trip(&all_patterns(f16::from_bits));
        check_round_trip(&all_patterns(|bits| f32::from_bits(u32::from(bits) * 0x1_0001)));
    }

    #[test]
    fn every_type_survives() {
        check_round_trip(&all_patterns(|bits| bits as u8));
        check_round_trip(&all_patterns(|bits| bits as i8));
        check_round_trip(&all_patterns(|bits| bits));
        check_round_trip(&all_patterns(|bits| bits as i16));
        check_round_trip(&all_patterns(|bits| u32::from(bits) << 9));
        check_round_trip(&all_patterns(|bits| -i32::from(bits)));
        check_round_trip(&all_patterns(|bits| u64::from(bits) << 33));
        check_round_trip(&all_patterns(|bits| -i64::from(bits)));
        check_round_trip(&all_patterns(|bits| f64::from_bits(u64::from(bits) * 0x1_0001_0001)));
    }

    #[test]
    fn a_bool_is_zero_or_one() {
        let bools = all_patterns(|bits| bits % 3 == 0);
        let file = compress_slice(&bools, &bool::options()).unwrap();
        assert_eq!(decompress_slice::<bool>(&file, &Limits::default()).unwrap(), bools);
        let file = compress_slice(&[0_u8, 1, 2, 0], &u8::options()).unwrap();
        let error = decompress_slice::<bool>(&file, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::InvalidBool(2));
    }

    #[test]
    fn types_without_a_name_take_any_options() {
        let numbers: Vec<u64> = (0..1000).collect();
        for options in DType::ALL.map(Options::new) {
            let file = compress_slice(&numbers, &options).unwrap();
            assert_eq!(decompress_slice::<u64>(&file, &Limits::default()).unwrap(), numbers);
        }
        let by_four = compress_slice(&numbers, &u64::options()).unwrap();
        assert!(by_four.len() < compress_slice(&numbers, &Options::bytes()).unwrap().len());
    }

    #[test]
    fn no_numbers_at_all() {
        check_round_trip::<f32>(&[]);
        check_round_trip::<bf16>(&[]);
    }

    #[test]
    fn the_file_is_that_of_the_little_endian_bytes() {
        let numbers: Vec<f32> = (0..5000_u16).map(f32::from).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let file = oneshot::compress(&bytes, &Options::new(DType::F32)).unwrap();
        assert_eq!(compress_slice(&numbers, &Options::new(DType::F32)).unwrap(), file);
    }

    #[test]
    fn options_for_another_type_are_an_error() {
        let bytes = Options::new(DType::F32).layout(crate::plane_layout::PlaneLayout::ONE);
        for (options, found) in [
            (Options::new(DType::BF16), Some(DType::BF16)),
            (Options::bytes(), None),
            (Options::auto(), None),
            (bytes, None),
        ] {
            let expected = EncodeError::WrongDType { expected: DType::F32, found };
            assert_eq!(compress_slice(&[1.0_f32], &options), Err(expected));
            let scratch = &mut EncodeScratch::new();
            let into = compress_slice_into(&[1.0_f32], &mut [0; 999], &options, scratch);
            assert_eq!(into, Err(expected));
        }
    }

    #[test]
    fn the_layout_in_the_options_counts() {
        let layout = crate::plane_layout::PlaneLayout::FOUR;
        let file = compress_slice(&[1.0_f32], &Options::new(DType::F32).layout(layout)).unwrap();
        let frame = Frames::new(&file).next().unwrap().unwrap();
        assert_eq!(frame.index().header().layout(), layout);
        assert_eq!(decompress_slice::<f32>(&file, &Limits::default()).unwrap(), [1.0]);
    }

    #[test]
    fn another_type_is_an_error() {
        let file = compress_slice(&[1.0_f32; 100], &Options::new(DType::F32)).unwrap();
        let expected = DecodeErrorKind::WrongDType { found: DType::F32.code() };
        let error = decompress_slice::<bf16>(&file, &Limits::default()).unwrap_err();
        assert_eq!((error.kind(), error.location().frame), (expected, Some(0)));
        let mut dst = [bf16::ZERO; 200];
        let error =
            decompress_slice_into(&file, &mut dst, &Limits::default(), &mut DecodeScratch::new())
                .unwrap_err();
        assert_eq!(error.kind(), expected);
    }

    #[test]
    fn half_a_number_is_an_error() {
        let file = oneshot::compress(&[1; 1001], &Options::new(DType::F16)).unwrap();
        let error = decompress_slice::<f16>(&file, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::PartialElement { len: 1001 });
    }

    #[test]
    fn limits_and_room_are_checked() {
        let file = compress_slice(&[1.0_f32; 100], &Options::new(DType::F32)).unwrap();
        let limits = Limits::default().decoded_bytes(399);
        let error = decompress_slice::<f32>(&file, &limits).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { requested: 400, limit: 399 });
        let (limits, mut scratch) = (Limits::default(), DecodeScratch::new());
        let error =
            decompress_slice_into(&file, &mut [0_f32; 99], &limits, &mut scratch).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::OutputTooSmall { needed: 400, have: 396 });
    }

    #[test]
    #[cfg(feature = "std")]
    fn frames_without_data_may_be_of_any_type() {
        use std::io::Write;
        let frames = |dtype, data: &[u8]| {
            let mut encoder = crate::Encoder::new(Vec::new(), Options::new(dtype).plain()).unwrap();
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        };
        let mut file = frames(DType::F8E4M3, &[]);
        file.extend(frames(DType::BF16, &[0x80, 0x3f, 0x80, 0x3f]));
        let decoded = decompress_slice::<bf16>(&file, &Limits::default()).unwrap();
        assert_eq!(decoded, [bf16::ONE; 2]);
    }
}
