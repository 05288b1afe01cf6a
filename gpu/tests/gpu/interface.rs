//! The interface of the decoder, and mistakes of its callers.

use wgpu::BufferUsages;
use zipnn::frame::Frame;
use zipnn::gpu::ChunkInput;
use zipnn::{Archive, ArchiveError, DType, DecodeErrorKind, Limits, Options, delta};
use zipnn_gpu::{GpuDecoder, GpuError};

use crate::common::data::{noise, weights};
use crate::device::gpu;

/// Returns a file of three tensors, of which the second begins within a word.
fn tensors() -> Vec<u8> {
    let header = r#"{"a":{"dtype":"BF16","shape":[150000],"data_offsets":[0,300000]},"b":{"dtype":"U8","shape":[13],"data_offsets":[300000,300013]},"c":{"dtype":"F16","shape":[50001],"data_offsets":[300013,400015]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(weights(DType::BF16, 300_000, 1));
    file.extend(noise(13, 2));
    file.extend(weights(DType::F16, 100_002, 3));
    file
}

#[test]
fn tensors_load() {
    let gpu = gpu();
    let file = zipnn::compress(&tensors(), &Options::auto().checksums(true)).unwrap();
    let archive = Archive::open(&file, Limits::default()).unwrap();
    for decoder in &gpu.decoders {
        for name in ["a", "b", "c"] {
            let expected = archive.read_tensor_bytes(name).unwrap();
            let buffer = pollster::block_on(decoder.load_tensor(&archive, name)).unwrap();
            assert!(gpu.read(&buffer, expected.len()) == expected, "{name}");
        }
        let error = pollster::block_on(decoder.load_tensor(&archive, "d")).unwrap_err();
        assert!(matches!(error, GpuError::Archive(ArchiveError::NoSuchTensor { .. })), "{error}");
    }
}

/// Executors with several threads need futures that can be sent.
#[test]
fn futures_can_be_sent() {
    fn check<T: Send>(_: &T) {}
    let gpu = gpu();
    let file = zipnn::compress(&tensors(), &Options::auto()).unwrap();
    let archive = Archive::open(file.clone(), Limits::default()).unwrap();
    check(&gpu.decoders[1].load_tensor(&archive, "a"));
    check(&gpu.decoders[1].decode_frame(&file));
}

/// Tensors longer than a binding may be are bound in windows.
#[test]
fn a_tensor_longer_than_a_binding() {
    let gpu = gpu();
    let len = 150 << 20;
    let header = format!(r#"{{"a":{{"dtype":"U8","shape":[{len}],"data_offsets":[0,{len}]}}}}"#);
    let mut data = (header.len() as u64).to_le_bytes().to_vec();
    data.extend(header.as_bytes());
    data.extend((0..len).map(|at: usize| (at >> 17) as u8));
    assert!(len as u64 > gpu.device.limits().max_storage_buffer_binding_size);
    let file = zipnn::compress(&data, &Options::bytes()).unwrap();
    let archive = Archive::open(&file, Limits::default()).unwrap();
    let buffer = pollster::block_on(gpu.decoders[1].load_tensor(&archive, "a")).unwrap();
    assert!(gpu.read(&buffer, len) == data[data.len() - len..]);
}

#[test]
fn chunks_of_several_frames_in_one_encoder() {
    let gpu = gpu();
    let parts = [weights(DType::BF16, 70_000, 1), weights(DType::F32, 5001, 2), noise(3, 3)];
    let dtypes = [DType::BF16, DType::F32, DType::F8E4M3];
    let files = parts
        .iter()
        .zip(dtypes)
        .map(|(part, dtype)| zipnn::compress(part, &Options::new(dtype).checksums(true)).unwrap());
    let files: Vec<Vec<u8>> = files.collect();
    let chunks = files.iter().enumerate().flat_map(|(number, file)| {
        ChunkInput::of_frame(&Frame::parse(file).unwrap(), number as u64).collect::<Vec<_>>()
    });
    let expected = parts.concat();
    let buffer = gpu.buffer(&vec![0; expected.len() + 100]);
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let verification = gpu.decoders[1].decode_into(&mut encoder, chunks, &buffer, 4).unwrap();
    gpu.queue.submit([encoder.finish()]);
    pollster::block_on(verification.finish()).unwrap();
    assert!(gpu.read(&buffer, expected.len() + 4)[4..] == expected);
}

#[test]
fn a_base_on_the_gpu() {
    let gpu = gpu();
    let base = weights(DType::BF16, 100_003, 1);
    let mut data = base.clone();
    data.iter_mut().step_by(7).for_each(|byte| *byte ^= 1);
    let options = Options::new(DType::BF16).chunk_log2(14).checksums(true);
    let file = delta::compress(&data, &base, &options).unwrap();
    let padded = [&[9; 10][..], &base].concat();
    let buffer = gpu.buffer(&padded);
    for decoder in &gpu.decoders {
        let decoded = decoder.decode_delta_frame(&file, &buffer, 10);
        let decoded = pollster::block_on(decoded).unwrap();
        assert!(gpu.read(&decoded, data.len()) == data);
        // The checksums are of the data, so a wrong base is found.
        let error = pollster::block_on(decoder.decode_delta_frame(&file, &buffer, 8)).unwrap_err();
        let GpuError::Decode(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), DecodeErrorKind::ChecksumMismatch);
        assert_eq!(error.location().chunk, Some(0));
        let error = pollster::block_on(decoder.decode_frame(&file)).unwrap_err();
        let GpuError::Decode(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), DecodeErrorKind::BaseRequired);
    }
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let chunks = ChunkInput::of_frame(&Frame::parse(&file).unwrap(), 0);
    let same = gpu.decoders[0].decode_delta_into(&mut encoder, chunks, (&buffer, 0), (&buffer, 0));
    assert!(matches!(same.unwrap_err(), GpuError::SameBuffer));
    let plain = zipnn::compress(&data, &options).unwrap();
    let error = gpu.decoders[0].decode_delta_frame(&plain, &buffer, 0);
    let GpuError::Decode(error) = pollster::block_on(error).unwrap_err() else { panic!("decoded") };
    assert_eq!(error.kind(), DecodeErrorKind::NotADelta);
}

#[test]
fn buffers_are_checked() {
    let gpu = gpu();
    let data = weights(DType::BF16, 1002, 1);
    let file = zipnn::compress(&data, &Options::new(DType::BF16)).unwrap();
    let frame = Frame::parse(&file).unwrap();
    let decode = |buffer: &wgpu::Buffer, offset| {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let chunks = ChunkInput::of_frame(&frame, 0);
        gpu.decoders[1].decode_into(&mut encoder, chunks, buffer, offset).map(drop)
    };
    let buffer = gpu.buffer(&[0; 1004]);
    decode(&buffer, 0).unwrap();
    decode(&buffer, 2).unwrap();
    for (offset, expected, have) in [(3, 1005, 1001), (4, 1004, 1000)] {
        let error = decode(&buffer, offset).unwrap_err();
        let GpuError::BufferTooSmall { needed, have: found } = error else { panic!("{error}") };
        assert_eq!((needed, found), (expected, have), "offset {offset}");
    }
    for offset in [5000, u64::MAX] {
        let error = decode(&buffer, offset).unwrap_err();
        assert!(matches!(error, GpuError::BufferTooSmall { have: 0, .. }), "{error}");
    }
    let other = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 2000,
        usage: BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    assert!(matches!(decode(&other, 0).unwrap_err(), GpuError::BufferUsage));
    let error = pollster::block_on(gpu.decoders[1].create_buffer(1 << 40)).unwrap_err();
    assert!(matches!(error, GpuError::DeviceLimit { .. }), "{error}");
}

#[test]
fn damage_in_a_file_has_its_place() {
    let gpu = gpu();
    let data = weights(DType::BF16, 3 << 20, 1);
    let mut file = zipnn::compress(&data, &Options::new(DType::BF16).checksums(true)).unwrap();
    let chunk = Frame::parse(&file).unwrap().index().chunk(5).unwrap();
    let range = chunk.plane_ranges().next().unwrap();
    file[range.start as usize + 1000] ^= 4;
    let archive = Archive::open(&file, Limits::default()).unwrap();
    let buffer = gpu.buffer(&vec![0; data.len()]);
    let loaded = gpu.decoders[1].load_into(&archive, 0..data.len() as u64, &buffer, 0);
    let GpuError::Decode(error) = pollster::block_on(loaded).unwrap_err() else { panic!() };
    assert_eq!(error.kind(), DecodeErrorKind::ChecksumMismatch);
    assert_eq!((error.location().frame, error.location().chunk), (Some(0), Some(5)));
    let beyond = gpu.decoders[1].load_into(&archive, 0..u64::MAX, &buffer, 0);
    assert!(pollster::block_on(beyond).is_err());
}

#[test]
fn a_lost_device_is_an_error() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let decoder = GpuDecoder::new(&device, &queue);
    let data = weights(DType::BF16, 5000, 1);
    let file = zipnn::compress(&data, &Options::new(DType::BF16)).unwrap();
    pollster::block_on(decoder.decode_frame(&file)).unwrap();
    device.destroy();
    let error = pollster::block_on(decoder.decode_frame(&file)).unwrap_err();
    assert!(matches!(error, GpuError::Device(_)), "{error}");
}
