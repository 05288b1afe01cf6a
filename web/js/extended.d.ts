/**
 * Decompresses `.znn` files and reads their tensors, also of files that were compressed with `--extended`
 * or `--max`. Needs vector instructions of WebAssembly, which all browsers have since 2023.
 */

export {
  ZipnnDecompressStream, ZipnnError, bf16ToF32, createFetch, createPool, decompress, f16ToF32, f8e4m3ToF32,
  f8e5m2ToF32, init, openArchive, streamTensors, toFloat32,
} from './index.js';
export type {
  Archive, Bytes, DType, DecompressOptions, Fetch, FetchFunction, FetchOptions, FloatDType, FrameDType, FrameInfo,
  Limits, OpenOptions, Place, Progress, RangeReader, ReadOptions, Tensor, TensorArrays, TensorData, TensorInfo,
  WorkerPool,
} from './index.js';
