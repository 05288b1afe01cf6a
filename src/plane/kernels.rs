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
    (wide, $avx2:ident, $avx512:expr, $name:ident, $($argument:ident),*) => {
        wide::$name($($argument),*)
    };
    (avx2, $avx2:ident, $avx512:expr, $name:ident, $($argument:ident),*) => {
        avx2::$name($avx2, $($argument),*)
    };
    (avx512, $avx2:ident, $avx512:expr, $name:ident, $($argument:ident),*) => {
        avx512::$name($avx512, $($argument),*)
    };
}

/// Defines methods, each with the modules of its fastest kernels for AVX2 and for AVX-512.
macro_rules! kernels {
    ($($name:ident($($argument:ident: $type:ty),*), $avx2:ident, $avx512:ident;)*) => {
        impl Kernels {$(
            pub(crate) fn $name(self, $($argument: $type),*) {
                match self {
                    Self::Scalar => scalar::$name($($argument),*),
                    #[cfg(all(feature = "simd", target_endian = "little"))]
                    Self::Portable => wide::$name($($argument),*),
                    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
                    Self::Avx2(_avx2) => call!($avx2, _avx2, (), $name, $($argument),*),
                    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
                    Self::Avx512(_avx512, _avx2) => {
                        call!($avx512, _avx2, _avx512, $name, $($argument),*);
                    }
                }
            }
        )*}
    };
}

kernels! {
    split2(words: &[u8], low: &mut [u8], high: &mut [u8]), wide, avx512;
    split2_rotated(words: &[u8], low: &mut [u8], high: &mut [u8]), avx2, avx512;
    split4(words: &[u8], planes: [&mut [u8]; 4]), avx2, avx512;
    split4_rotated(words: &[u8], planes: [&mut [u8]; 4]), avx2, avx512;
    merge2(low: &[u8], high: &[u8], words: &mut [u8]), wide, wide;
    merge2_rotated(low: &[u8], high: &[u8], words: &mut [u8]), avx2, avx2;
    merge4(planes: [&[u8]; 4], words: &mut [u8]), avx2, avx2;
    merge4_rotated(planes: [&[u8]; 4], words: &mut [u8]), avx2, avx2;
}
