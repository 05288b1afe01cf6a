//! Undoing the bit rotation that the original applies to a tensor before it compresses it.
//!
//! Rotation moves the sign of each element below its exponent, so that all exponent bits share a
//! byte. The original rotates whole words of four bytes, and leaves a shorter rest as it is.

use zipnn::DType;

/// Undoes the rotation of a bfloat16 element.
pub fn unrotate_bf16(element: u16) -> u16 {
    (element << 8) & 0x8000 | (element >> 1) & 0x7f80 | element & 0x7f
}

/// Undoes the rotation of a float32 element.
pub fn unrotate_f32(element: u32) -> u32 {
    (element << 8) & 0x8000_0000 | (element >> 1) & 0x7f80_0000 | element & 0x007f_ffff
}

/// Undoes the rotation of a tensor. Does nothing if the original does not rotate the type.
pub fn undo(data: &mut [u8], dtype: DType) {
    for word in data.as_chunks_mut::<4>().0 {
        let bits = u32::from_le_bytes(*word);
        let bits = match dtype {
            DType::F32 => unrotate_f32(bits),
            DType::BF16 => {
                let [low, high] = [bits as u16, (bits >> 16) as u16].map(unrotate_bf16);
                u32::from(high) << 16 | u32::from(low)
            }
            _ => return,
        };
        *word = bits.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use zipnn::{Limits, Options};

    use super::*;

    /// Clears the mark of rotation in a frame, so that the data stays rotated when decoded.
    fn rotate(data: &[u8], dtype: DType) -> Vec<u8> {
        const ROTATION_AT: usize = 6;
        let mut frame = zipnn::compress(data, &Options::new(dtype).plain()).unwrap();
        frame[ROTATION_AT] = 0;
        zipnn::decompress(&frame, &Limits::default()).unwrap()
    }

    #[test]
    fn undo_reverses_the_rotation_of_the_codec_for_every_length() {
        for dtype in [DType::BF16, DType::F32] {
            for len in 0..40_u8 {
                let data: Vec<u8> = (0..len).map(|i| i.wrapping_mul(37) ^ 0x5a).collect();
                let mut rotated = rotate(&data, dtype);
                assert!(rotated != data || len < 4);
                undo(&mut rotated, dtype);
                assert_eq!(rotated, data, "{dtype:?}, {len} bytes");
            }
        }
    }
}
