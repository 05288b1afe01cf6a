/**
 * Decompresses `.znn` files to buffers of a GPU, with WebGPU. The first call of any function loads the
 * WebAssembly.
 */

/// <reference path="./platform.d.ts" />
import type { Bytes } from './decode.js';
import type { DType, OpenOptions, RangeReader, TensorData } from './index.js';

export { ZipnnError } from './decode.js';

/** Loads the WebAssembly ahead of time, from another place if `source` is given. */
export function init(source?: string | URL | Response | Bytes | WebAssembly.Module): Promise<void>;

/**
 * Returns a device of the default adapter, with the longest buffers that it supports. Returns
 * `undefined` if there is no adapter or no WebGPU.
 */
export function requestDevice(): Promise<GPUDevice | undefined>;

export interface GpuOptions extends OpenOptions {
  /** Name of the tensor. Without it, the whole file is decompressed. */
  name?: string;
  /** Buffer to write to, with the usage `STORAGE`. By default, a new one is created. */
  buffer?: GPUBuffer;
  /** First byte to write, a multiple of 4; 0 by default. */
  offset?: number;
  /** `'f32'` widens elements of the types BF16 and F16, which shaders cannot use everywhere. */
  as?: 'f32';
}

interface Decoded {
  /** Name, type and shape of the tensor; `undefined` for a whole file. */
  name?: string;
  /** Type in the file. With `as: 'f32'`, the result has elements of 32 bits. */
  dtype?: DType;
  shape?: number[];
}

/** Data in a buffer of the GPU. */
export interface DecodedOnGpu extends Decoded {
  decodedOn: 'gpu';
  buffer: GPUBuffer;
  /** Position of the data in the buffer. */
  offset: number;
  byteLength: number;
}

/** Data in memory, because there is no device. */
export interface DecodedOnProcessor extends Decoded {
  decodedOn: 'processor';
  data: TensorData;
}

/**
 * Decompresses a tensor, or a whole file, to a buffer of a GPU.
 *
 * The promise is fulfilled when the data has been verified. Without a device, the data is decompressed
 * on the processor, and `decodedOn` says so.
 *
 * A `Response` or a stream is decompressed while it arrives; it needs a `name`. Other sources are read
 * by ranges, as by `openArchive`.
 */
export function decodeToGpuBuffer(
  device: GPUDevice,
  source: string | URL | Blob | Bytes | RangeReader | Response | ReadableStream<Uint8Array>,
  options?: GpuOptions,
): Promise<DecodedOnGpu>;
export function decodeToGpuBuffer(
  device: GPUDevice | undefined,
  source: string | URL | Blob | Bytes | RangeReader | Response | ReadableStream<Uint8Array>,
  options?: GpuOptions,
): Promise<DecodedOnGpu | DecodedOnProcessor>;
