//! The codec.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zarrs::array::codec::api::{
    BytesPartialDecoderTraits, BytesToBytesCodecTraits, CodecError, CodecMetadataOptions,
    CodecOptions, CodecTraits, PartialDecoderCapability, PartialEncoderCapability,
    RecommendedConcurrency,
};
use zarrs::array::{ArrayBytesRaw, BytesRepresentation};
use zarrs::metadata::ConfigurationSerialize;
use zarrs::plugin::{ZarrVersion, impl_extension_aliases};
use zipnn::frame::PlaneLayout;
use zipnn::{DType, DecodeError, Limits, Options, Profile, layout_search};

use crate::NAME;
use crate::partial::PartialDecoder;

/// The configuration of the codec in the metadata of an array.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The type of the elements. If it is absent or has no code in the format, samples of the data
    /// choose the layout.
    #[serde(default)]
    pub dtype: Option<String>,
    /// Whether the file contains checksums.
    #[serde(default = "enabled")]
    pub checksums: bool,
    /// Whether integers and sparse data are compressed further.
    #[serde(default)]
    pub extended: bool,
    /// Whether matrices of floats are made as small as possible, which takes more time.
    #[serde(default)]
    pub max: bool,
}

fn enabled() -> bool {
    true
}

impl Default for Configuration {
    fn default() -> Self {
        Self { dtype: None, checksums: true, extended: false, max: false }
    }
}

impl ConfigurationSerialize for Configuration {}

/// Compresses chunks without loss.
#[derive(Clone, Debug)]
pub struct ZipnnCodec {
    configuration: Configuration,
    /// The type, if it has a code in the format.
    dtype: Option<DType>,
}

impl ZipnnCodec {
    /// Creates the codec.
    pub fn new(configuration: Configuration) -> Self {
        let dtype = configuration.dtype.as_deref().and_then(|name| name.parse().ok());
        Self { configuration, dtype }
    }

    fn options(&self, data: &[u8]) -> Options {
        let options = match self.dtype {
            Some(dtype) => Options::new(dtype),
            None => {
                let layout = layout_search::layout(data, None, PlaneLayout::ONE);
                Options::bytes().layout(layout)
            }
        };
        self.choices(options)
    }

    fn choices(&self, options: Options) -> Options {
        let options = if self.configuration.checksums { options } else { options.plain() };
        options.profile(match self.configuration {
            Configuration { max: true, .. } => Profile::Max,
            Configuration { extended: true, .. } => Profile::Extended,
            _ => Profile::Original,
        })
    }
}

impl_extension_aliases!(ZipnnCodec, v3: NAME, v2: NAME);

impl CodecTraits for ZipnnCodec {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn configuration(
        &self,
        _version: ZarrVersion,
        _options: &CodecMetadataOptions,
    ) -> Option<zarrs::metadata::Configuration> {
        Some(self.configuration.clone().into())
    }

    fn partial_decoder_capability(&self) -> PartialDecoderCapability {
        PartialDecoderCapability { partial_read: false, partial_decode: true }
    }

    fn partial_encoder_capability(&self) -> PartialEncoderCapability {
        PartialEncoderCapability { partial_encode: false }
    }
}

impl BytesToBytesCodecTraits for ZipnnCodec {
    fn into_dyn(self: Arc<Self>) -> Arc<dyn BytesToBytesCodecTraits> {
        self
    }

    fn recommended_concurrency(
        &self,
        _decoded_representation: &BytesRepresentation,
    ) -> Result<RecommendedConcurrency, CodecError> {
        // `zarrs` works on many chunks at once.
        Ok(RecommendedConcurrency::new_maximum(1))
    }

    fn encode<'a>(
        &self,
        decoded_value: ArrayBytesRaw<'a>,
        _options: &CodecOptions,
    ) -> Result<ArrayBytesRaw<'a>, CodecError> {
        let options = self.options(&decoded_value);
        let file = zipnn::compress(&decoded_value, &options)
            .map_err(|error| CodecError::Other(format!("{NAME}: {error}")))?;
        Ok(Cow::Owned(file))
    }

    fn decode<'a>(
        &self,
        encoded_value: ArrayBytesRaw<'a>,
        decoded_representation: &BytesRepresentation,
        _options: &CodecOptions,
    ) -> Result<ArrayBytesRaw<'a>, CodecError> {
        let data =
            zipnn::decompress(&encoded_value, &limits(decoded_representation)).map_err(failed)?;
        Ok(Cow::Owned(data))
    }

    fn partial_decoder(
        self: Arc<Self>,
        input_handle: Arc<dyn BytesPartialDecoderTraits>,
        decoded_representation: &BytesRepresentation,
        _options: &CodecOptions,
    ) -> Result<Arc<dyn BytesPartialDecoderTraits>, CodecError> {
        Ok(Arc::new(PartialDecoder::new(input_handle, limits(decoded_representation))))
    }

    fn encoded_representation(
        &self,
        decoded_representation: &BytesRepresentation,
    ) -> BytesRepresentation {
        let Some(len) = decoded_representation.size().and_then(|len| usize::try_from(len).ok())
        else {
            return BytesRepresentation::UnboundedSize;
        };
        let bound = |options| zipnn::compress_bound(len, &self.choices(options)) as u64;
        let layouts = PlaneLayout::ALL.into_iter();
        let largest = layouts.map(|layout| bound(Options::bytes().layout(layout))).max();
        let bound =
            self.dtype.map_or(largest.unwrap_or_default(), |dtype| bound(Options::new(dtype)));
        BytesRepresentation::BoundedSize(bound)
    }
}

/// Returns limits that allow no more output than a chunk has.
fn limits(representation: &BytesRepresentation) -> Limits {
    Limits::new().decoded_bytes(representation.size().unwrap_or(u64::MAX))
}

/// Converts the error of a chunk that cannot be decoded.
pub fn failed(error: DecodeError) -> CodecError {
    CodecError::Other(format!("{NAME}: {error}"))
}
