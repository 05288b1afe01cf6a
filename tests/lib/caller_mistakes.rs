//! What a caller gets wrong is an error, never a panic and never a wrong result.

use std::io::{Read, Write};

use zipnn::frame::{DecodeScratch, DecodeTable, EncodeScratch, Form, Frame, Scratch};
use zipnn::io::EncoderBuilder;
use zipnn::{DType, DecodeErrorKind, Decoder, EncodeError, Encoder, Limits, Options, delta};

const OPTIONS: Options = Options::new(DType::BF16).plain().chunk_log2(12);

/// Two chunks and a bit, whose upper planes are coded.
fn data() -> Vec<u8> {
    (0..4200_u32).flat_map(|i| [i as u8, (i * i % 7) as u8]).collect()
}

#[test]
fn options_out_of_range() {
    for exponent in [0, 1, 63, 255] {
        let options = OPTIONS.chunk_log2(exponent);
        let expected = EncodeError::InvalidChunkSize(exponent);
        assert_eq!(zipnn::compress(&data(), &options), Err(expected));
        assert!(Encoder::new(Vec::new(), options).is_err());
    }
    assert!(EncoderBuilder::new(OPTIONS).frame_len(0).build(Vec::new()).is_err());
}

#[test]
fn the_widest_options_work() {
    let options = OPTIONS.chunk_log2(62);
    let file = zipnn::compress(&data(), &options).unwrap();
    assert_eq!(zipnn::decompress(&file, &Limits::default()).unwrap(), data());
    let builder = EncoderBuilder::new(options).frame_len(usize::MAX);
    let mut encoder = builder.build(Vec::new()).unwrap();
    encoder.write_all(&data()).unwrap();
    let file = encoder.finish().unwrap();
    assert_eq!(zipnn::decompress(&file, &Limits::default()).unwrap(), data());
}

#[test]
fn too_little_room_to_compress() {
    let needed = zipnn::compress(&data(), &OPTIONS).unwrap().len();
    assert!(needed < zipnn::compress_bound(data().len(), &OPTIONS));
    let mut dst = vec![0; needed - 1];
    let expected = EncodeError::OutputTooSmall { needed: needed as u64, have: needed as u64 - 1 };
    let mut scratch = EncodeScratch::new();
    let error = zipnn::compress_into(&data(), &mut dst, &OPTIONS, &mut scratch);
    assert_eq!(error, Err(expected));
    #[cfg(feature = "rayon")]
    {
        let pool = zipnn::parallel::ScratchPool::new();
        let error = zipnn::parallel::par_compress_into(&data(), &mut dst, &OPTIONS, &pool);
        assert_eq!(error, Err(expected));
    }
}

#[test]
fn an_output_is_unchanged_after_an_error() {
    let mut file = b"before".to_vec();
    let scratch = &mut EncodeScratch::new();
    let error = zipnn::compress_append(&data(), &mut file, &OPTIONS.chunk_log2(1), scratch);
    assert_eq!(error, Err(EncodeError::InvalidChunkSize(1)));
    assert_eq!(file, b"before");
}

/// Checks that an error fits `?` under any error type, and prints no fact twice.
fn check_error(error: impl std::error::Error + Send + Sync + 'static) -> String {
    let text = error.to_string();
    if let Some(source) = error.source() {
        assert!(!text.contains(&source.to_string()), "{text}");
    }
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert_eq!(boxed.to_string(), text);
    text
}

#[test]
fn errors_are_errors_everywhere() {
    let decode = zipnn::decompress(b"ZN", &Limits::default()).unwrap_err();
    assert_eq!(check_error(decode), "frame 0: input is truncated: 32 bytes needed, 2 there");
    assert_eq!(check_error(decode.kind()), "input is truncated: 32 bytes needed, 2 there");
    check_error(EncodeError::InvalidThreshold);
    check_error("int8".parse::<DType>().unwrap_err());

    let file = zipnn::compress(&data(), &OPTIONS).unwrap();
    let mut decoder = Decoder::new(&file[..100], Limits::default());
    let error = match &mut decoder {
        Ok(decoder) => decoder.read(&mut [0; 10]).unwrap_err(),
        Err(_) => decoder.unwrap_err(),
    };
    let inner: &zipnn::DecodeError = error.get_ref().unwrap().downcast_ref().unwrap();
    assert_eq!(error.to_string(), inner.to_string());
    let kind: std::io::Error = inner.kind().into();
    assert!(kind.get_ref().unwrap().is::<zipnn::DecodeError>());
}

#[test]
fn errors_have_the_right_kind() {
    use std::io::ErrorKind;
    let kind = |kind: DecodeErrorKind| std::io::Error::from(kind).kind();
    assert_eq!(kind(DecodeErrorKind::Truncated { needed: 2, have: 1 }), ErrorKind::UnexpectedEof);
    assert_eq!(kind(DecodeErrorKind::FooterMissing), ErrorKind::UnexpectedEof);
    assert_eq!(kind(DecodeErrorKind::OutOfMemory { requested: 1 }), ErrorKind::OutOfMemory);
    assert_eq!(kind(DecodeErrorKind::UnsupportedMethod(9)), ErrorKind::Unsupported);
    assert_eq!(kind(DecodeErrorKind::UnsupportedVersion([0, 1, 1])), ErrorKind::Unsupported);
    assert_eq!(kind(DecodeErrorKind::BaseRequired), ErrorKind::InvalidInput);
    assert_eq!(kind(DecodeErrorKind::CorruptStream), ErrorKind::InvalidData);
    let kind = |error: EncodeError| std::io::Error::from(error).kind();
    assert_eq!(kind(EncodeError::OutOfMemory { requested: 1 }), ErrorKind::OutOfMemory);
    assert_eq!(kind(EncodeError::InvalidThreshold), ErrorKind::InvalidInput);
}

#[test]
fn files_that_are_no_tensors() {
    let decompress = |file: &[u8]| zipnn::decompress_tensor(file, &Limits::default());
    let file = zipnn::compress(&data(), &OPTIONS).unwrap();
    let error = decompress(&file).unwrap_err();
    assert_eq!((error.kind(), error.location().frame), (DecodeErrorKind::NotATensor, Some(0)));

    let mut file = zipnn::compress_tensor(&data(), Form::Torch, &[42, 100], &OPTIONS).unwrap();
    assert_eq!(decompress(&file).unwrap().shape, [42, 100]);
    let wrong = zipnn::typed::decompress_tensor::<f32>(&file, &Limits::default()).unwrap_err();
    assert!(matches!(wrong.kind(), DecodeErrorKind::WrongDType { .. }), "{wrong}");
    // The shape begins behind the header: its length, and a tag before each dimension.
    file[34] = 43;
    assert_eq!(decompress(&file).unwrap_err().kind(), DecodeErrorKind::InvalidShape);
    assert!(zipnn::decompress(&file, &Limits::default()).is_ok());
    assert!(decompress(&file[..33]).is_err());
}

#[test]
fn too_little_room_to_decode() {
    let file = zipnn::compress(&data(), &OPTIONS).unwrap();
    let frame = Frame::parse(&file).unwrap();
    let needed = frame.decoded_len();
    let mut dst = vec![0; needed as usize - 1];
    let mut scratch = DecodeScratch::new();
    let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
    let error = frame.decode_into(&mut dst, &mut scratch).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::OutputTooSmall { needed, have: needed - 1 });

    // A chunk fits exactly or not at all.
    for len in [0, 4095, 4097] {
        let error = frame.decode_chunk(0, &mut vec![0; len], &mut scratch).unwrap_err();
        let expected = DecodeErrorKind::OutputTooSmall { needed: 4096, have: len as u64 };
        assert_eq!((error.kind(), error.location().chunk), (expected, Some(0)));
    }
}

#[test]
fn too_little_scratch() {
    let file = zipnn::compress(&data(), &OPTIONS).unwrap();
    let frame = Frame::parse(&file).unwrap();
    let needed = frame.scratch_len();
    assert!(needed > 0);
    let (mut table, mut planes) = (DecodeTable::default(), vec![0; needed as usize - 1]);
    let mut dst = vec![0; frame.decoded_len() as usize];
    let error =
        frame.decode_into(&mut dst, &mut Scratch::new(&mut table, &mut planes)).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::ScratchTooSmall { needed, have: needed - 1 });
}

#[test]
fn chunks_that_are_not_there() {
    let file = zipnn::compress(&data(), &OPTIONS).unwrap();
    let frame = Frame::parse(&file).unwrap();
    let mut scratch = DecodeScratch::new();
    let mut scratch = scratch.with_len(frame.scratch_len()).unwrap();
    for number in [frame.chunk_count(), usize::MAX] {
        assert!(frame.index().chunk(number).is_none());
        let error = frame.decode_chunk(number, &mut [0; 4096], &mut scratch).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::OutOfRange);
    }
}

#[test]
fn planes_of_another_length() {
    let file = zipnn::compress(&data(), &OPTIONS).unwrap();
    let frame = Frame::parse(&file).unwrap();
    let chunk = frame.index().chunk(1).unwrap();
    let stored: Vec<&[u8]> =
        chunk.plane_ranges().map(|range| &file[range.start as usize..range.end as usize]).collect();
    let mut scratch = DecodeScratch::new();
    let mut scratch = scratch.with_len(chunk.scratch_len()).unwrap();
    let mut dst = vec![0; chunk.len() as usize];
    chunk.decode(&stored, &mut dst, &mut scratch).unwrap();
    assert_eq!(dst, data()[4096..8192]);

    let short = [stored[0], &stored[1][1..]];
    for planes in [&[][..], &stored[..1], &short] {
        let error = chunk.decode(planes, &mut dst, &mut scratch).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::Truncated { .. }), "{error}");
        assert!(error.location().plane.is_some());
    }
}

#[test]
fn bases_of_another_length() {
    let error = delta::compress(&data(), &data()[1..], &OPTIONS).unwrap_err();
    assert_eq!(error, EncodeError::BaseLength { expected: 8400, found: 8399 });
}

#[test]
fn inputs_that_are_no_files() {
    for input in
        [&b""[..], b"Z", b"PK\x03\x04 and so on, for more than the length of a header", &[0; 64]]
    {
        let error = zipnn::decompress(input, &Limits::default()).unwrap_err();
        let expected = match input.len() {
            0 | 1 => DecodeErrorKind::Truncated { needed: 32, have: input.len() as u64 },
            _ => DecodeErrorKind::BadMagic,
        };
        assert_eq!((error.kind(), error.location().frame), (expected, Some(0)));
        assert!(Decoder::new(input, Limits::default()).is_err());
    }
}

#[test]
fn reading_into_nothing_reads_nothing() {
    let file = zipnn::compress(&data(), &OPTIONS).unwrap();
    let mut decoder = Decoder::new(&file[..], Limits::default()).unwrap();
    assert_eq!(decoder.read(&mut []).unwrap(), 0);
    let mut decoded = Vec::new();
    decoder.read_to_end(&mut decoded).unwrap();
    assert_eq!(decoded, data());
    assert_eq!(decoder.read(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn a_bound_that_memory_cannot_hold_is_the_largest_there_is() {
    let options = Options::new(DType::F32).plain().chunk_log2(2);
    assert_eq!(zipnn::compress_bound(usize::MAX / 4, &options), usize::MAX);
}

#[test]
fn bytes_have_no_shape() {
    let error = zipnn::compress_tensor(
        &[0; 6],
        Form::Bytes,
        &[1, 2, 3],
        &Options::new(DType::F8E4M3).plain(),
    );
    assert_eq!(error.unwrap_err(), EncodeError::InvalidShape);
}
