//! Calls the kernels of a level.

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::plane::avx2;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::plane::avx512;
use crate::plane::scalar;
#[cfg(all(feature = "simd", target_endian = "little"))]
use crate::plane::wide;
use crate::simd::Kernels;

/// Calls a kernel of a module, with the proof that the processor can run it.
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
macro_rules! call {
    (wide, $token:ident, $name:ident, $($argument:ident),*) => {
        wide::$name($($argument),*)
    };
    (avx2, $token:ident, $name:ident, $($argument:ident),*) => {
        avx2::$name($token, $($argument),*)
    };
}

/// Defines methods, each with the module of its fastest kernel for processors with AVX2.
macro_rules! kernels {
    ($($name:ident($($argument:ident: $type:ty),*), $fastest:ident;)*) => {
        impl Kernels {$(
            pub(crate) fn $name(self, $($argument: $type),*) {
                match self {
                    Self::Scalar => scalar::$name($($argument),*),
                    #[cfg(all(feature = "simd", target_endian = "little"))]
                    Self::Portable => wide::$name($($argument),*),
                    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
                    Self::Sse4_2(_) => wide::$name($($argument),*),
                    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
                    Self::Avx2(_token) => call!($fastest, _token, $name, $($argument),*),
                    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
                    Self::Avx512(token, _) => avx512::$name(token, $($argument),*),
                }
            }
        )*}
    };
}

kernels! {
    split2(words: &[u8], low: &mut [u8], high: &mut [u8]), wide;
    split2_rotated(words: &[u8], low: &mut [u8], high: &mut [u8]), avx2;
    split4(words: &[u8], planes: [&mut [u8]; 4]), avx2;
    split4_rotated(words: &[u8], planes: [&mut [u8]; 4]), avx2;
    merge2(low: &[u8], high: &[u8], words: &mut [u8]), wide;
    merge2_rotated(low: &[u8], high: &[u8], words: &mut [u8]), avx2;
    merge4(planes: [&[u8]; 4], words: &mut [u8]), avx2;
    merge4_rotated(planes: [&[u8]; 4], words: &mut [u8]), avx2;
}
