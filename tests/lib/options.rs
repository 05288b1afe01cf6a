//! Every option and every limit counts in every call that takes it, or is an error there.

use std::io::{self, Cursor, Read, Write};

use zipnn::delta::{BaseId, Delta, DeltaDecoder, DeltaEncoder};
use zipnn::file::{FrameWalk, Frames};
use zipnn::frame::{
    EncodeScratch, Form, Frame, FrameOpener, FramePosition, OpenOptions, PlaneLayout,
};
use zipnn::io::EncoderBuilder;
use zipnn::push::PushDecoder;
use zipnn::tensor::inside::{TensorError, TensorReader, TensorWriter};
use zipnn::{
    Archive, ArchiveError, DType, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder,
    Limits, Options, delta,
};

use crate::common::{data, golden};
use crate::tensor_files;

const LEN: usize = 400_000;

type Encoded = (&'static str, Result<Vec<u8>, EncodeError>);

fn ours(error: &io::Error) -> EncodeError {
    *error.get_ref().unwrap().downcast_ref().unwrap()
}

/// Compresses with these options in every way that there is.
fn encode_all(data: &[u8], base: &[u8], options: &Options) -> Vec<Encoded> {
    let numbers: Vec<half::bf16> = numbers_of(data);
    let into = |compress: &dyn Fn(&mut [u8]) -> Result<usize, EncodeError>| {
        // Bounds are of options that are in range.
        let mut dst = vec![0; 2 * data.len() + 1000];
        let len = compress(&mut dst)?;
        dst.truncate(len);
        Ok(dst)
    };
    let finish = |encoder: io::Result<Encoder<Vec<u8>>>| {
        let mut encoder = encoder.map_err(|error| ours(&error))?;
        encoder.write_all(data).unwrap();
        Ok(encoder.finish().unwrap())
    };
    let finish_delta = |encoder: io::Result<DeltaEncoder<Vec<u8>, Cursor<&[u8]>>>| {
        let mut encoder = encoder.map_err(|error| ours(&error))?;
        encoder.write_all(data).unwrap();
        Ok(encoder.finish().unwrap())
    };
    let builder = EncoderBuilder::new(*options).frame_len(1000);
    let scratch = EncodeScratch::new;
    let (pool, mut appended) = (zipnn::parallel::ScratchPool::new(), b"abc".to_vec());
    let shape = [data.len() as u64 / 2];
    let (first, base_reader) = (FramePosition::FIRST, || Cursor::new(base));
    vec![
        ("compress", zipnn::compress(data, options)),
        ("compress_tensor", zipnn::compress_tensor(data, Form::Torch, &shape, options)),
        ("compress_slice", zipnn::typed::compress_slice(&numbers, options)),
        ("compress_into", into(&|dst| zipnn::compress_into(data, dst, options, &mut scratch()))),
        (
            "compress_frame_into",
            into(&|dst| {
                zipnn::frame::compress_frame_into(data, dst, options, first, &mut scratch())
            }),
        ),
        ("par_compress", zipnn::parallel::par_compress(data, options)),
        (
            "compress_append",
            zipnn::compress_append(data, &mut appended, options, &mut scratch()).map(|len| {
                assert_eq!(appended.len(), 3 + len);
                appended.split_off(3)
            }),
        ),
        (
            "compress_slice_into",
            into(&|dst| zipnn::typed::compress_slice_into(&numbers, dst, options, &mut scratch())),
        ),
        (
            "par_compress_into",
            into(&|dst| zipnn::parallel::par_compress_into(data, dst, options, &pool)),
        ),
        ("delta::compress", delta::compress(data, base, options)),
        (
            "delta::compress_frame_into",
            into(&|dst| {
                let (part, scratch) = (&mut base.to_vec(), &mut scratch());
                delta::compress_frame_into(data, part, dst, options, first, scratch)
            }),
        ),
        ("Encoder", finish(Encoder::new(Vec::new(), *options))),
        ("EncoderBuilder", finish(builder.build(Vec::new()))),
        ("DeltaEncoder", finish_delta(DeltaEncoder::new(Vec::new(), base_reader(), *options))),
        ("build_delta", finish_delta(builder.build_delta(Vec::new(), base_reader()))),
        ("TensorWriter", write_tensor(data, true, options)),
    ]
}

fn numbers_of(data: &[u8]) -> Vec<half::bf16> {
    data.as_chunks().0.iter().map(|&bytes| half::bf16::from_le_bytes(bytes)).collect()
}

/// The file of a tensor of bfloat16, compressed inside.
fn write_tensor(data: &[u8], checksums: bool, options: &Options) -> Result<Vec<u8>, EncodeError> {
    let source = tensor_files::file_of(&[("w", "BF16", &[data.len() / 2], data.to_vec())]);
    let (header, data) = source.split_at(source.len() - data.len());
    let writer = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
    let mut writer = writer.checksums(checksums);
    let mut again = TensorWriter::new(Cursor::new(Vec::new()), header, data.len() as u64).unwrap();
    again = again.checksums(checksums);
    let written = writer.write(data, Some(options));
    let parallel = again.par_write(data, Some(options));
    assert_eq!(written.is_ok(), parallel.is_ok());
    match written {
        Ok(()) => Ok(writer.finish().unwrap().into_inner()),
        Err(TensorError::Encode { name, error }) if name == "w" => Err(error),
        Err(error) => panic!("{error}"),
    }
}

fn all_fail(options: &Options, expected: EncodeError) {
    let (data, base) = (data::weights(DType::BF16, 4000, 1), data::weights(DType::BF16, 4000, 2));
    for (call, result) in encode_all(&data, &base, options) {
        assert_eq!(result, Err(expected), "{call}, {options:?}");
    }
}

#[test]
fn options_out_of_range_are_errors_in_every_call() {
    let options = Options::new(DType::BF16);
    for threshold in [
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -1.0,
        -f32::MIN_POSITIVE,
        1.000001,
        5.0,
    ] {
        all_fail(&options.threshold(threshold), EncodeError::InvalidThreshold);
    }
    for exponent in [0, 1, 63, 64, 255] {
        all_fail(&options.chunk_log2(exponent), EncodeError::InvalidChunkSize(exponent));
    }
    let (data, base) = (data::weights(DType::BF16, 4000, 1), data::weights(DType::BF16, 4000, 2));
    for options in [0.0, -0.0, f32::MIN_POSITIVE, 0.5, 1.0].map(|part| options.threshold(part)) {
        for (call, result) in encode_all(&data, &base, &options) {
            assert!(result.is_ok(), "{call}, {options:?}");
        }
    }
}

#[test]
fn a_base_is_only_named_by_differences() {
    let (data, base) = (data::weights(DType::BF16, 4000, 1), data::weights(DType::BF16, 4000, 2));
    let options = Options::new(DType::BF16).base(BaseId::of(&base));
    for (call, result) in encode_all(&data, &base, &options) {
        let is_delta = call.to_lowercase().contains("delta");
        let expected = if is_delta { None } else { Some(EncodeError::BaseWithoutDelta) };
        assert_eq!(result.err(), expected, "{call}");
    }
}

#[test]
fn another_base_than_the_named_one_is_refused() {
    let data = data::weights(DType::BF16, 4000, 1);
    let base = data::weights(DType::BF16, 4000, 2);
    for other in [BaseId::of(&base[1..]), BaseId::of(&data)] {
        let options = Options::new(DType::BF16).delta(Delta::Bytes).base(other);
        assert_eq!(delta::compress(&data, &base, &options), Err(EncodeError::WrongBase));
        let encoder = DeltaEncoder::new(Vec::new(), Cursor::new(&base), options);
        let mut encoder = encoder.unwrap();
        encoder.write_all(&data).unwrap();
        // It would have to be read once more to see more than its length.
        let error = encoder.finish().err();
        assert_eq!(error.is_some(), other.len != base.len() as u64);
        assert!(error.is_none_or(|error| ours(&error) == EncodeError::WrongBase));
    }
}

#[test]
fn checksums_are_the_default_and_plain_leaves_out_everything() {
    let (data, base) = (data::weights(DType::BF16, 4000, 1), data::weights(DType::BF16, 4000, 2));
    let options = Options::new(DType::BF16);
    let plain = options.base(BaseId::of(&base)).plain();
    for ((call, file), (_, plain)) in
        encode_all(&data, &base, &options).into_iter().zip(encode_all(&data, &base, &plain))
    {
        if call == "TensorWriter" {
            assert_eq!(plain, Err(EncodeError::ChecksumsDiffer));
            continue;
        }
        let (file, plain) = (file.unwrap(), plain.unwrap());
        let is_file_of_frames = call.contains("ncoder") || call == "build_delta";
        let frames: Vec<Frame<'_>> =
            Frames::without_annexes(&file).collect::<Result<_, _>>().unwrap();
        for (number, frame) in frames.iter().enumerate() {
            let annex = Frame::parse(frame.bytes()).unwrap();
            let annex = annex.annex();
            assert_eq!(annex.has_checksums(), frame.decoded_len() > 0, "{call}");
            let promises = number == 0 && (is_file_of_frames || call.contains("frame_into"));
            assert_eq!(annex.is_sealed(), promises, "{call}");
            let is_last = number + 1 == frames.len();
            assert_eq!(annex.footer().is_some(), is_last && is_file_of_frames, "{call}");
        }
        let mut bytes = 0;
        for frame in Frames::new(&plain) {
            let frame = frame.unwrap();
            assert!(frame.slack().is_empty(), "{call}");
            assert!(frame.decoded_len() > 0, "{call}");
            bytes += frame.bytes().len();
        }
        assert_eq!(bytes, plain.len(), "{call}");
    }
}

#[test]
fn later_calls_replace_earlier_ones() {
    let data = data::weights(DType::BF16, 4000, 1);
    let options = Options::new(DType::BF16);
    let file = |options: Options| {
        let mut encoder = Encoder::new(Vec::new(), options).unwrap();
        encoder.write_all(&data).unwrap();
        encoder.finish().unwrap()
    };
    assert!(file(options.plain().checksums(true)) == file(options));
    assert!(file(options.checksums(true).plain()) == file(options.plain()));
    assert!(file(options.checksums(false)) != file(options.plain()), "the index stays");
    let mut encoder = EncoderBuilder::new(options.plain()).index(true).build(Vec::new()).unwrap();
    encoder.write_all(&data).unwrap();
    assert!(encoder.finish().unwrap() == file(options.checksums(false)));
}

#[test]
fn hand_made_files_are_those_of_an_encoder() {
    let data = data::weights(DType::BF16, 4000, 1);
    for plain in [false, true] {
        let options = Options::new(DType::BF16);
        let options = if plain { options.plain() } else { options };
        let mut file = Vec::new();
        let mut directory = zipnn::file::Directory::new();
        let mut dst = vec![0; zipnn::compress_bound(data.len(), &options)];
        let scratch = &mut EncodeScratch::new();
        let first = FramePosition::FIRST;
        let len =
            zipnn::frame::compress_frame_into(&data, &mut dst, &options, first, scratch).unwrap();
        file.extend_from_slice(&dst[..len]);
        directory.push(len as u64, data.len() as u64).unwrap();
        if !plain {
            assert_eq!(
                zipnn::decompress(&file, &Limits::default()).unwrap_err().kind(),
                DecodeErrorKind::FooterMissing
            );
            file.extend(directory.to_frame(Delta::None));
        }
        let mut encoder = Encoder::new(Vec::new(), options).unwrap();
        encoder.write_all(&data).unwrap();
        assert!(encoder.finish().unwrap() == file);
    }
}

#[test]
fn bounds_are_of_any_length_and_any_options() {
    for exponent in [0, 1, 2, 18, 62, 63, 64, 255] {
        for len in [0, 1, 1000, 1 << 31, usize::MAX / 2, usize::MAX - 1, usize::MAX] {
            for options in [Options::new(DType::F32), Options::new(DType::F32).plain()] {
                assert!(zipnn::compress_bound(len, &options.chunk_log2(exponent)) >= len);
            }
        }
    }
}

#[test]
fn options_that_exclude_each_other() {
    let build = |builder: EncoderBuilder| builder.build(Vec::new()).map(drop).map_err(|e| ours(&e));
    let build_delta = |builder: EncoderBuilder| {
        let encoder = builder.build_delta(Vec::new(), Cursor::new(&[]));
        encoder.map(drop).map_err(|error| ours(&error))
    };
    for (builder, expected) in [
        (EncoderBuilder::new(Options::bytes()).frame_len(0), Err(EncodeError::InvalidFrameSize)),
        (EncoderBuilder::new(Options::bytes()).frame_len(usize::MAX), Ok(())),
        (EncoderBuilder::new(Options::auto()), Ok(())),
        (EncoderBuilder::new(Options::auto().layout(PlaneLayout::TWO)), Ok(())),
        (EncoderBuilder::new(Options::auto()).frame_len(0), Err(EncodeError::InvalidFrameSize)),
    ] {
        assert_eq!(build(builder), expected, "{builder:?}");
        assert_eq!(build_delta(builder), expected, "{builder:?}");
    }
}

#[test]
fn options_of_a_tensor_fit_it_and_its_file() {
    let data = data::weights(DType::BF16, 4000, 1);
    let options = Options::new(DType::BF16);
    let (expected, found) = (DType::BF16, DType::F32);
    for (checksums, options, result) in [
        (true, Options::new(found), Err(EncodeError::WrongDType { expected, found: Some(found) })),
        (true, Options::auto(), Err(EncodeError::WrongDType { expected, found: None })),
        (true, options.plain(), Err(EncodeError::ChecksumsDiffer)),
        (false, options, Err(EncodeError::ChecksumsDiffer)),
        (true, options.delta(Delta::Bytes), Err(EncodeError::UnexpectedDelta)),
        (true, options, Ok(())),
        (false, options.plain(), Ok(())),
    ] {
        assert_eq!(write_tensor(&data, checksums, &options).map(drop), result, "{options:?}");
    }
}

/// A file in one of its forms, and a way to decode it.
struct Reading {
    name: &'static str,
    file: Vec<u8>,
    /// A byte of the file that only verifying looks at.
    unread: Option<usize>,
    read: fn(&[u8], Limits) -> Result<(), DecodeErrorKind>,
}

fn kind(error: &io::Error) -> DecodeErrorKind {
    error.get_ref().unwrap().downcast_ref::<DecodeError>().unwrap().kind()
}

fn base() -> Vec<u8> {
    data::weights(DType::BF16, LEN, 2)
}

fn read_archive(file: &[u8], limits: Limits) -> Result<(), DecodeErrorKind> {
    let read = |limits| {
        let archive = Archive::open(Cursor::new(file), limits)?;
        archive.read_into(0, &mut vec![0; LEN])
    };
    read(limits).map_err(|error| match error {
        ArchiveError::Decode(error) => error.kind(),
        error => panic!("{error}"),
    })
}

fn assemble(file: &[u8], limits: Limits) -> Result<(), DecodeError> {
    let mut decoder = PushDecoder::new(limits);
    let mut rest = file;
    while !rest.is_empty() {
        rest = &rest[decoder.push(rest)?..];
        while decoder.next_chunk()?.is_some() {}
    }
    decoder.finish()
}

/// Opens all frames and decodes none.
fn walk(file: &[u8], limits: Limits) -> Result<(), DecodeError> {
    let mut walk = FrameWalk::new(OpenOptions::new(limits));
    let mut rest = file;
    while walk.continues() && !rest.is_empty() {
        let mut opener = FrameOpener::new(walk.options());
        while let Some(range) = opener.wanted() {
            opener.feed(&rest[range.start as usize..range.end as usize])?;
        }
        let frame = walk.open(opener)?;
        rest = &rest[frame.header().frame_len as usize..];
    }
    walk.end()
}

type ReadTensor = fn(&mut TensorReader<Cursor<&[u8]>>, &mut Vec<u8>) -> Result<(), TensorError>;

fn read_tensor(file: &[u8], limits: Limits, read: ReadTensor) -> Result<(), DecodeErrorKind> {
    let mut reader = TensorReader::open(Cursor::new(file), limits).unwrap();
    read(&mut reader, &mut Vec::new()).map_err(|error| match error {
        TensorError::Decode { error, .. } => error.kind(),
        error => panic!("{error}"),
    })
}

/// All public functions that take limits.
fn readings() -> Vec<Reading> {
    let data = data::weights(DType::BF16, LEN, 1);
    let options = Options::new(DType::BF16);
    let file = zipnn::compress(&data, &options).unwrap();
    let unread = Some(file.len() - 1);
    let difference = delta::compress(&data, &base(), &options).unwrap();
    let unread_difference = Some(difference.len() - 1);
    let whole = |name, read| Reading { name, file: file.clone(), unread, read };
    let of_difference =
        |name, read| Reading { name, file: difference.clone(), unread: unread_difference, read };
    let inside = write_tensor(&data, true, &options).unwrap();
    let unread_inside = Some(tensor_files::parse(&inside).tensors()[0].range.end as usize - 20);
    let of_tensor =
        |name, read| Reading { name, file: inside.clone(), unread: unread_inside, read };
    #[allow(unused_mut, reason = "old layouts are a feature")]
    let mut readings = vec![
        whole("decoded_len", |file, limits| {
            zipnn::decoded_len(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        whole("decompress", |file, limits| {
            zipnn::decompress(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        whole("par_decompress", |file, limits| {
            zipnn::parallel::par_decompress(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        whole("decompress_slice", |file, limits| {
            let decoded = zipnn::typed::decompress_slice::<half::bf16>(file, &limits);
            decoded.map(drop).map_err(|error| error.kind())
        }),
        whole("verify", |file, limits| {
            zipnn::verify(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        whole("Decoder", |file, limits| {
            let decoder = Decoder::new(file, limits);
            let read = decoder.and_then(|mut decoder| decoder.read_to_end(&mut Vec::new()));
            read.map(drop).map_err(|error| kind(&error))
        }),
        whole("PushDecoder", |file, limits| assemble(file, limits).map_err(|error| error.kind())),
        whole("FrameWalk", |file, limits| walk(file, limits).map_err(|error| error.kind())),
        whole("Archive", read_archive),
        of_difference("delta::decompress", |file, limits| {
            delta::decompress(file, &base(), &limits).map(drop).map_err(|error| error.kind())
        }),
        of_difference("verify of a difference", |file, limits| {
            zipnn::verify(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        of_difference("DeltaDecoder", |file, limits| {
            let decoder = DeltaDecoder::new(file, Cursor::new(base()), limits);
            let read = decoder.and_then(|mut decoder| decoder.read_to_end(&mut Vec::new()));
            read.map(drop).map_err(|error| kind(&error))
        }),
        of_tensor("TensorReader::read", |file, limits| {
            read_tensor(file, limits, |reader, decoded| reader.read(0, decoded))
        }),
        of_tensor("TensorReader::par_read", |file, limits| {
            read_tensor(file, limits, |reader, decoded| reader.par_read(0, decoded))
        }),
    ];
    #[cfg(feature = "legacy")]
    readings.extend(old_readings());
    readings
}

/// Those of layouts of old, which have no checksums.
#[cfg(feature = "legacy")]
fn old_readings() -> Vec<Reading> {
    let mut cases = golden::cases().into_iter().filter(|case| !case.is_current());
    let case = cases.find(|case| case.base().is_none() && case.original_len() > 1000).unwrap();
    let old = |name, read| Reading { name, file: case.file(), unread: None, read };
    vec![
        old("legacy::decode", |file, limits| {
            zipnn::legacy::decode(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        old("legacy::summary", |file, limits| {
            zipnn::legacy::summary(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        old("decompress of an old layout", |file, limits| {
            zipnn::decompress(file, &limits).map(drop).map_err(|error| error.kind())
        }),
        old("decoded_len of an old layout", |file, limits| {
            zipnn::decoded_len(file, &limits).map(drop).map_err(|error| error.kind())
        }),
    ]
}

#[test]
fn every_call_keeps_to_every_limit() {
    let limits = Limits::default();
    for Reading { name, file, unread, read } in readings() {
        assert_eq!(read(&file, limits), Ok(()), "{name}");
        for (field, limits) in [
            ("decoded_bytes", limits.decoded_bytes(999)),
            ("expansion", limits.expansion(0)),
            ("frame_bytes", limits.frame_bytes(100)),
        ] {
            for verify in [false, true] {
                let kind = read(&file, limits.verify(verify)).unwrap_err();
                let is_expected = matches!(kind, DecodeErrorKind::LimitExceeded { .. });
                assert!(is_expected, "{name}, {field}: {kind}");
            }
        }
        let Some(unread) = unread else { continue };
        let mut damaged = file;
        damaged[unread] ^= 1;
        let kind = read(&damaged, limits).unwrap_err();
        assert_eq!(kind, DecodeErrorKind::ChecksumMismatch, "{name}");
        assert_eq!(read(&damaged, limits.verify(false)), Ok(()), "{name}");
    }
}

/// Tensors that are stored as they are take memory, too.
#[test]
fn tensors_that_are_not_compressed_keep_to_the_limits() {
    let data = data::noise(5000, 1);
    let file = write_tensor(&data, true, &Options::new(DType::BF16)).unwrap();
    let limits = Limits::default().decoded_bytes(4999);
    let expected = DecodeErrorKind::LimitExceeded { requested: 5000, limit: 4999 };
    assert_eq!(read_tensor(&file, limits, |reader, data| reader.read(0, data)), Err(expected));
    let limits = limits.decoded_bytes(5000);
    assert_eq!(read_tensor(&file, limits, |reader, data| reader.read(0, data)), Ok(()));
}

#[test]
fn unknown_data_gets_a_layout_of_its_own() {
    let auto = Options::auto();
    for dtype in DType::ALL {
        let data = data::weights(dtype, 1 << 20, 3);
        let typed = zipnn::compress(&data, &Options::new(dtype)).unwrap();
        for (name, file) in encode_unknown(&data, &auto) {
            let most = typed.len() * 101 / 100 + 500;
            assert!(file.len() <= most, "{name}, {dtype}: {} {}", file.len(), typed.len());
            assert!(zipnn::decompress(&file, &Limits::default()).unwrap() == data, "{name}");
        }
    }
}

#[test]
fn a_later_layout_ends_the_search() {
    let data = data::weights(DType::F32, 1 << 16, 3);
    let fixed = zipnn::compress(&data, &Options::bytes().layout(PlaneLayout::TWO)).unwrap();
    for (name, file) in encode_unknown(&data, &Options::auto().layout(PlaneLayout::TWO)) {
        let frame = Frame::parse(&file).unwrap();
        assert_eq!(frame.index().header().layout(), PlaneLayout::TWO, "{name}");
        assert!(name == "Encoder" || file == fixed, "{name}");
    }
}

/// Compresses in every way that may choose a layout.
fn encode_unknown(data: &[u8], options: &Options) -> Vec<(&'static str, Vec<u8>)> {
    let scratch = &mut EncodeScratch::new();
    let mut appended = Vec::new();
    zipnn::compress_append(data, &mut appended, options, scratch).unwrap();
    let mut into = vec![0; zipnn::compress_bound(data.len(), options)];
    let len = zipnn::compress_into(data, &mut into, options, scratch).unwrap();
    into.truncate(len);
    assert_eq!(zipnn::compressed_len(data, options, scratch), Ok(len));
    let mut encoder = Encoder::new(Vec::new(), *options).unwrap();
    encoder.write_all(data).unwrap();
    vec![
        ("compress", zipnn::compress(data, options).unwrap()),
        ("compress_append", appended),
        ("compress_into", into),
        ("par_compress", zipnn::parallel::par_compress(data, options).unwrap()),
        ("Encoder", encoder.finish().unwrap()),
    ]
}

#[test]
fn options_name_the_type_of_elements_only() {
    for dtype in DType::ALL {
        assert_eq!(Options::new(dtype).dtype(), Some(dtype));
        let same = Options::new(dtype).layout(PlaneLayout::of(dtype));
        assert_eq!(same.dtype(), Some(dtype));
        for options in [Options::bytes(), Options::auto()] {
            assert_eq!(options.layout(PlaneLayout::of(dtype)).dtype(), None);
        }
    }
    assert_eq!(Options::new(DType::BF16).layout(PlaneLayout::FOUR).dtype(), None);
    // The header names a type for them all the same.
    let file = zipnn::compress(&[1; 100], &Options::bytes()).unwrap();
    assert_eq!(Frame::parse(&file).unwrap().dtype(), DType::F8E4M3);
    assert_eq!(file, zipnn::compress(&[1; 100], &Options::new(DType::F8E4M3)).unwrap());
}
