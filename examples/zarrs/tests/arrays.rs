//! Whole arrays in memory, with and without shards.

use std::borrow::Cow;
use std::sync::Arc;

use zarrs::array::codec::api::{
    BytesToBytesCodecTraits, CodecOptions, CodecTraits,
};
use zarrs::array::{Array, ArrayBuilder, ArraySubset, BytesRepresentation, data_type};
use zarrs::storage::byte_range::ByteRange;
use zarrs::storage::store::MemoryStore;
use zarrs::storage::{ReadableStorageTraits, StoreKey, WritableStorageTraits};
use zipnn_zarrs::{Configuration, ZipnnCodec, register};

const SIDE: u64 = 512;

/// Numbers as they are in models: their exponents repeat.
fn weights() -> Vec<f32> {
    (0..SIDE * SIDE).map(|number| ((number * 7919) % 10_007) as f32 / 100_000.0 - 0.05).collect()
}

fn array(store: &Arc<MemoryStore>, subchunk: Option<u64>, dtype: &str) -> Array<MemoryStore> {
    let codec = ZipnnCodec::new(Configuration { dtype: Some(dtype.into()), ..Default::default() });
    let shape = vec![SIDE, SIDE];
    let mut builder = ArrayBuilder::new(shape.clone(), shape, data_type::float32(), 0.0f32);
    builder.bytes_to_bytes_codecs(vec![Arc::new(codec)]);
    if let Some(side) = subchunk {
        builder.subchunk_shape(vec![side, side]);
    }
    let array = builder.build(store.clone(), "/").unwrap();
    array.store_metadata().unwrap();
    array
}

#[test]
fn arrays_round_trip() {
    register();
    let data = weights();
    for subchunk in [None, Some(64)] {
        for dtype in ["float32", "int64", "bytes"] {
            let store = Arc::new(MemoryStore::new());
            array(&store, subchunk, dtype).store_chunk(&[0, 0], data.clone()).unwrap();
            let len = store.size_key(&StoreKey::new("c/0/0").unwrap()).unwrap().unwrap();
            assert!(len < SIDE * SIDE * 4, "{len}");
            // The metadata alone describes the codec.
            let array = Array::open(store, "/").unwrap();
            let all: Vec<f32> = array.retrieve_array_subset(&array.subset_all()).unwrap();
            assert_eq!(all, data);
            let row = ArraySubset::new_with_ranges(&[100..101, 50..300]);
            let part: Vec<f32> = array.retrieve_array_subset(&row).unwrap();
            assert_eq!(part, data[100 * 512 + 50..100 * 512 + 300]);
        }
    }
}

#[test]
fn ranges_are_decoded_alone() {
    let data: Vec<u8> = weights().iter().flat_map(|number| number.to_le_bytes()).collect();
    let dtype = Some("float32".into());
    let codec = Arc::new(ZipnnCodec::new(Configuration { dtype, ..Default::default() }));
    assert!(codec.partial_decoder_capability().partial_decode);
    let options = CodecOptions::default();
    let mut file = codec.encode(Cow::Borrowed(&data), &options).unwrap().into_owned();
    let bound = BytesRepresentation::FixedSize(data.len() as u64);
    let bound = codec.encoded_representation(&bound).size().unwrap();
    assert!((file.len() as u64) <= bound);
    // Damage at the end does not affect what is before it.
    let damaged = file.len() - 100_000;
    file[damaged] ^= 1;

    let representation = BytesRepresentation::FixedSize(data.len() as u64);
    let decoder =
        codec.clone().partial_decoder(Arc::new(file.clone()), &representation, &options).unwrap();
    let regions = [ByteRange::FromStart(8, Some(1000)), ByteRange::FromStart(5, Some(0))];
    let parts = decoder.partial_decode_many(Box::new(regions.into_iter()), &options);
    assert_eq!(parts.unwrap().unwrap(), [&data[8..1008], &[]]);
    let error = decoder.partial_decode(ByteRange::Suffix(8), &options).unwrap_err().to_string();
    assert!(error.contains("zipnn: frame 0, chunk"), "{error}");
    let error = codec.decode(Cow::Borrowed(&file), &representation, &options).unwrap_err();
    assert!(error.to_string().contains("zipnn: frame 0, chunk"), "{error}");
    let len = data.len() as u64;
    for region in [ByteRange::FromStart(len, Some(1)), ByteRange::FromStart(len + 1, None)] {
        assert!(decoder.partial_decode(region, &options).is_err());
    }
}

#[test]
fn chunks_are_no_longer_than_the_array_states() {
    let data = vec![0; 1 << 20];
    let codec = ZipnnCodec::new(Configuration::default());
    let options = CodecOptions::default();
    let file = codec.encode(Cow::Borrowed(&data), &options).unwrap();
    let representation = BytesRepresentation::FixedSize(1000);
    assert!(codec.decode(file, &representation, &options).is_err());
}

#[test]
fn garbage_is_an_error() {
    register();
    let store = Arc::new(MemoryStore::new());
    let array = array(&store, None, "float32");
    for garbage in [&b""[..], b"ZN", b"garbage of some length, and more of it"] {
        store.set(&StoreKey::new("c/0/0").unwrap(), garbage.to_vec().into()).unwrap();
        assert!(array.retrieve_chunk::<Vec<f32>>(&[0, 0]).is_err());
    }
}

#[test]
fn unknown_options_are_an_error() {
    register();
    let store = Arc::new(MemoryStore::new());
    array(&store, None, "float32");
    let key = StoreKey::new("zarr.json").unwrap();
    let metadata = store.get(&key).unwrap().unwrap();
    let text = String::from_utf8(metadata.to_vec()).unwrap();
    let text = text.replace("\"checksums\"", "\"level\"");
    store.set(&key, text.into_bytes().into()).unwrap();
    assert!(Array::open(store, "/").is_err());
}
