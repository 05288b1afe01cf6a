//! Differences to a base: what is compressed is the exclusive or of two inputs of equal length, a
//! fine-tuned model and the model that it came from, say.
//!
//! The file does not say which base it needs. With another one of the same length, what comes out
//! is not the original data.
//!
//! ```
//! use zipnn::{DType, Limits, Options, delta};
//!
//! let base = vec![0x3f; 10_000];
//! let mut tuned = base.clone();
//! tuned[1234] = 0x3e;
//!
//! let file = delta::compress(&tuned, &base, &Options::new(DType::BF16))?;
//! assert!(file.len() < 1000);
//! assert_eq!(delta::decompress(&file, &base, &Limits::default())?, tuned);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::vec::Vec;

use crate::chunk::DecodeScratch;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::frame::Delta;
use crate::limits::Limits;
use crate::oneshot;
use crate::options::Options;

/// Replaces `data` by its exclusive or with as many bytes of `base`: the way there and back.
pub fn apply(data: &mut [u8], base: &[u8]) {
    for (byte, base) in data.iter_mut().zip(base) {
        *byte ^= base;
    }
}

/// Compresses the difference between `src` and `base` into a file of one frame.
///
/// # Errors
///
/// `BaseLength` if the two are not of one length; `InvalidChunkSize`.
pub fn compress(src: &[u8], base: &[u8], options: &Options) -> Result<Vec<u8>, EncodeError> {
    if src.len() != base.len() {
        return Err(EncodeError::BaseLength {
            expected: src.len() as u64,
            found: base.len() as u64,
        });
    }
    let mut difference = src.to_vec();
    apply(&mut difference, base);
    oneshot::compress(&difference, &options.delta(Delta::Bytes))
}

/// Decompresses a file that holds the difference to `base`.
///
/// # Errors
///
/// `NotADelta` if it holds none, `BaseLength`, and whatever is wrong with the file.
pub fn decompress(src: &[u8], base: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    if oneshot::file_delta(src)? == Delta::None {
        return Err(DecodeErrorKind::NotADelta.into());
    }
    let mut dst = match oneshot::decode_legacy(src, limits) {
        Some(decoded) => {
            let decoded = decoded?;
            check_base_len(decoded.len() as u64, base.len() as u64)?;
            decoded
        }
        None => {
            let expected = oneshot::decoded_len(src, limits)?;
            check_base_len(expected, base.len() as u64)?;
            let mut dst = crate::memory::zeroed(expected)?;
            oneshot::decode_frames(src, &mut dst, &mut DecodeScratch::new())?;
            dst
        }
    };
    apply(&mut dst, base);
    Ok(dst)
}

fn check_base_len(expected: u64, found: u64) -> Result<(), DecodeErrorKind> {
    if expected == found { Ok(()) } else { Err(DecodeErrorKind::BaseLength { expected, found }) }
}

#[cfg(feature = "std")]
pub use io::{DeltaDecoder, DeltaReader};

#[cfg(feature = "std")]
mod io {
    use std::io::{self, Read};

    use super::apply;
    use crate::error::{DecodeError, DecodeErrorKind};
    use crate::frame::Delta;
    use crate::limits::Limits;
    use crate::stream::Decoder;

    /// Reads the exclusive or of two readers, which must end together.
    ///
    /// Copied into an [`Encoder`](crate::Encoder) whose options say [`Delta::File`], it makes a
    /// file that holds a difference.
    #[derive(Debug)]
    pub struct DeltaReader<R, B> {
        data: R,
        base: B,
        len: u64,
        /// What every further read is to return, after the two have not ended together.
        failure: Option<DecodeErrorKind>,
    }

    impl<R: Read, B: Read> DeltaReader<R, B> {
        /// The difference between `data` and `base`, in either direction.
        pub fn new(data: R, base: B) -> Self {
            Self { data, base, len: 0, failure: None }
        }
    }

    impl<R: Read, B: Read> Read for DeltaReader<R, B> {
        /// `BaseTooShort` and `BaseTooLong`, besides what the two readers return.
        fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
            /// Bytes of the base that are held at a time.
            const PART: usize = 1 << 14;
            if let Some(kind) = self.failure {
                return Err(DecodeError::from(kind).into());
            }
            let mut base = [0; PART];
            let room = output.len().min(PART);
            let filled = self.data.read(&mut output[..room])?;
            let wanted = if filled == 0 { room.min(1) } else { filled };
            let found = read_full(&mut self.base, &mut base[..wanted])?;
            if found != filled {
                let kind = if found < filled {
                    DecodeErrorKind::BaseTooShort { found: self.len + found as u64 }
                } else {
                    DecodeErrorKind::BaseTooLong { expected: self.len }
                };
                self.failure = Some(kind);
                return Err(DecodeError::from(kind).into());
            }
            apply(&mut output[..filled], &base[..filled]);
            self.len += filled as u64;
            Ok(filled)
        }
    }

    /// Fills `output` as far as the reader goes.
    fn read_full(reader: &mut impl Read, output: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < output.len() {
            match reader.read(&mut output[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Decompresses a file that holds the difference to a base.
    #[derive(Debug)]
    pub struct DeltaDecoder<R, B>(DeltaReader<Decoder<R>, B>);

    impl<R: Read, B: Read> DeltaDecoder<R, B> {
        /// A decoder of the file that `inner` reads.
        ///
        /// # Errors
        ///
        /// As [`Decoder::new`], and `NotADelta`.
        pub fn new(inner: R, base: B, limits: Limits) -> io::Result<Self> {
            let decoder = Decoder::open(inner, limits)?;
            match decoder.header().delta {
                Delta::None => Err(DecodeError::from(DecodeErrorKind::NotADelta).into()),
                _ => Ok(Self(DeltaReader::new(decoder, base))),
            }
        }
    }

    impl<R: Read, B: Read> Read for DeltaDecoder<R, B> {
        fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
            self.0.read(output)
        }
    }
}
