//! Calls the kernels of a level.

#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::plane::avx2;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
use crate::plane::avx512;
use crate::plane::scalar;
#[cfg(all(feature = "simd", target_endian = "little"))]
use crate::plane::wide;
use crate::simd::Kernels;

macro_rules! kernels {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        impl Kernels {$(
            pub(crate) fn $name(self, $($argument: $type),*) {
                match self {
                    Self::Scalar => scalar::$name($($argument),*),
                    #[cfg(all(feature = "simd", target_endian = "little"))]
                    Self::Portable => wide::$name($($argument),*),
                    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
                    Self::Avx2(token) => avx2::$name(token, $($argument),*),
                    #[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
                    Self::Avx512(token) => avx512::$name(token, $($argument),*),
                }
            }
        )*}
    };
}

kernels! {
    split2(words: &[u8], low: &mut [u8], high: &mut [u8]);
    split2_rotated(words: &[u8], low: &mut [u8], high: &mut [u8]);
    split4(words: &[u8], planes: [&mut [u8]; 4]);
    split4_rotated(words: &[u8], planes: [&mut [u8]; 4]);
    merge2(low: &[u8], high: &[u8], words: &mut [u8]);
    merge2_rotated(low: &[u8], high: &[u8], words: &mut [u8]);
    merge4(planes: [&[u8]; 4], words: &mut [u8]);
    merge4_rotated(planes: [&[u8]; 4], words: &mut [u8]);
}
