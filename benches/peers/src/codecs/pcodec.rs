//! pcodec, which compresses sequences of numbers.

use std::marker::PhantomData;

use half::f16;
use pco::ChunkConfig;
use pco::data_types::Number;
use zipnn::DType;

use super::{Codec, Failure};

/// `pco` with its defaults: one file a piece. It allocates what it needs besides the output in every
/// call.
pub struct Pco<T> {
    config: ChunkConfig,
    numbers: PhantomData<T>,
}

/// `pco` for numbers of this type. Types that it does not know, bfloat16 and floats of one byte, it
/// gets as unsigned integers.
pub fn new(dtype: DType) -> Box<dyn Codec> {
    match dtype {
        DType::F32 => Box::new(Pco::<f32>::new()),
        DType::F16 => Box::new(Pco::<f16>::new()),
        DType::BF16 => Box::new(Pco::<u16>::new()),
        _ => Box::new(Pco::<u8>::new()),
    }
}

impl<T> Pco<T> {
    fn new() -> Self {
        Self { config: ChunkConfig::default().with_enable_8_bit(true), numbers: PhantomData }
    }
}

/// Pieces and buffers begin where an allocation does or a multiple of 4 MiB behind, so that they are
/// aligned for numbers.
impl<T: Number + bytemuck::Pod> Codec for Pco<T> {
    fn name(&self) -> &'static str {
        "pco"
    }

    fn compress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, Failure> {
        let room = dst.len();
        let numbers: &[T] = bytemuck::cast_slice(src);
        let rest = pco::standalone::simple_compress_into(numbers, &self.config, dst)?;
        Ok(room - rest.len())
    }

    fn decompress(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), Failure> {
        let numbers: &mut [T] = bytemuck::cast_slice_mut(dst);
        pco::standalone::simple_decompress_into(src, numbers)?;
        Ok(())
    }
}
