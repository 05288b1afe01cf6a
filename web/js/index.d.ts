/**
 * Compresses and decompresses `.znn` files, and reads their tensors. `zipnn/decode` only decompresses,
 * and is two fifths of the download.
 */

/// <reference path="./platform.d.ts" />
import type { Bytes, DType, DecompressOptions, Limits, Progress, WorkerPool } from './decode.js';

export * from './decode.js';

export interface CompressOptions {
  /**
   * Element type: `f32`, `f16`, `bf16`, `f8_e4m3`, `f8_e5m2`, or `bytes` for other data.
   *
   * By default, `auto`: the header of a `.safetensors` file determines the layout of each tensor, and
   * samples determine the layout of other data.
   */
  dtype?: string;
  /** Whether to write checksums, so that readers can detect damage. `true` by default. */
  checksums?: boolean;
  /** Whether to write an index, so that parts can be found without reading the whole file. `true` by default. */
  index?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: { read: number; written: number }) => void;
}

/** Compresses bytes to a `.znn` file with frames of 4 MiB of data. */
export function compress(source: Bytes, options?: CompressOptions): Promise<Uint8Array<ArrayBuffer>>;

/** Compresses a stream, as `CompressionStream` does. */
export class ZipnnCompressStream {
  constructor(options?: CompressOptions);
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Bytes>;
}

/** Description of a tensor in the header of a file. */
export interface TensorInfo {
  name: string;
  dtype: DType;
  /** Dimensions, outermost first; empty for a scalar. */
  shape: number[];
  /** Bytes of the decompressed file that hold the tensor. */
  range: [start: number, end: number];
}

/** Elements of a tensor. `BF16` and `F16` are a `Uint16Array`, types of 8 bits a `Uint8Array`. */
export type TensorData =
  | Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer> | BigUint64Array<ArrayBuffer> | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer> | Int16Array<ArrayBuffer> | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

export interface Tensor extends TensorInfo {
  data: TensorData;
}

/**
 * Decompresses a `.safetensors` file while it arrives. Yields each tensor when its last byte has
 * arrived, in the order of the file.
 */
export function streamTensors(
  source: Response | ReadableStream<Uint8Array>,
  options?: DecompressOptions,
): AsyncGenerator<Tensor, void, void>;

/** A source of ranges of bytes for `openArchive`. */
export interface RangeReader {
  /** Length of the file in bytes. */
  size: number;
  /** Returns the bytes from `start` up to, but not including, `end`. */
  read(start: number, end: number, options: { signal?: AbortSignal }): Promise<Bytes>;
}

export interface ReadOptions {
  signal?: AbortSignal;
  /** Called with the number of bytes decoded so far, of `total`. */
  onProgress?: (progress: { decoded: number; total: number }) => void;
}

/** The part of `fetch` that `openArchive` uses. */
export type Fetch = (
  url: string | URL,
  init: { headers: Headers; signal?: AbortSignal; cache?: 'no-store' },
) => Promise<Response>;

export interface OpenOptions {
  signal?: AbortSignal;
  limits?: Limits;
  /** Called while a server without support for ranges sends the whole file. */
  onProgress?: (progress: Progress & { total?: number }) => void;
  /** Replaces `fetch` for URLs. */
  fetch?: Fetch;
  /** Headers to send with every request for URLs. */
  headers?: Headers | Record<string, string> | [string, string][];
  /**
   * Workers that decode the frames of which at least half is needed. The calling thread decodes the
   * rest.
   */
  pool?: WorkerPool;
}

/** A compressed file of which any part can be read alone. */
export interface Archive {
  /** Length of the compressed file in bytes. */
  readonly size: number;
  /** Length of the decompressed file in bytes. */
  readonly decodedLength: number;
  /** Returns the tensors of a `.safetensors` file in the order of their bytes. */
  tensors(options?: Pick<ReadOptions, 'signal'>): Promise<TensorInfo[]>;
  /** Reads a tensor, and only the chunks that contain it. */
  readTensor(name: string, options?: ReadOptions): Promise<Tensor>;
  /** Reads a range of the decompressed file. */
  read(start: number, end: number, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** Frees the archive's memory, as `using` does. */
  free(): void;
  [Symbol.dispose](): void;
}

/**
 * Opens a compressed file.
 *
 * Needs two small requests if the file has an index and the server supports ranges. Otherwise fetches
 * the whole file and keeps it as a `Blob`.
 */
export function openArchive(
  source: string | URL | Blob | Bytes | RangeReader,
  options?: OpenOptions,
): Promise<Archive>;

/** Converts bfloat16 to float32. */
export function bf16ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Converts IEEE half precision to float32. */
export function f16ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Converts `float8_e4m3fn` to float32. */
export function f8e4m3ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Converts `float8_e5m2` to float32. */
export function f8e5m2ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Converts a tensor of a floating-point type of at most 32 bits to float32. */
export function toFloat32(tensor: Pick<Tensor, 'dtype' | 'data'>): Float32Array<ArrayBuffer>;
