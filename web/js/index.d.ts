/**
 * Compresses and decompresses `.znn` files, and reads their tensors. `zipnn/decode` only decompresses,
 * and is a third of the download.
 */

/// <reference path="./platform.d.ts" />
import type { Bytes, DecompressOptions, Limits, Progress, WorkerPool } from './decode.js';

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

/** Typed arrays by the element types of safetensors files. */
export interface TensorArrays {
  F64: Float64Array<ArrayBuffer>;
  F32: Float32Array<ArrayBuffer>;
  /** Bits of the numbers, as for `BF16` and types of 8 bits. See `toFloat32`. */
  F16: Uint16Array<ArrayBuffer>;
  BF16: Uint16Array<ArrayBuffer>;
  F8_E4M3: Uint8Array<ArrayBuffer>;
  F8_E5M2: Uint8Array<ArrayBuffer>;
  F8_E8M0: Uint8Array<ArrayBuffer>;
  F8_E4M3FNUZ: Uint8Array<ArrayBuffer>;
  F8_E5M2FNUZ: Uint8Array<ArrayBuffer>;
  /** Packed, as the types of 6 bits: two elements in a byte. */
  F4: Uint8Array<ArrayBuffer>;
  F6_E2M3: Uint8Array<ArrayBuffer>;
  F6_E3M2: Uint8Array<ArrayBuffer>;
  /** Bytes of the real and the imaginary part, a float32 each. */
  C64: Uint8Array<ArrayBuffer>;
  I64: BigInt64Array<ArrayBuffer>;
  U64: BigUint64Array<ArrayBuffer>;
  I32: Int32Array<ArrayBuffer>;
  U32: Uint32Array<ArrayBuffer>;
  I16: Int16Array<ArrayBuffer>;
  U16: Uint16Array<ArrayBuffer>;
  I8: Int8Array<ArrayBuffer>;
  U8: Uint8Array<ArrayBuffer>;
  /** One byte for each element. */
  BOOL: Uint8Array<ArrayBuffer>;
}

/**
 * Element type as safetensors files name it. A file of a newer version of safetensors can have another
 * type: then `data` is a `Uint8Array`.
 */
export type DType = keyof TensorArrays;

/** Description of a tensor in the header of a file. */
export interface TensorInfo<D extends DType = DType> {
  name: string;
  dtype: D;
  /** Dimensions, outermost first; empty for a scalar. */
  shape: number[];
  /** Bytes of the decompressed file that hold the tensor. */
  range: [start: number, end: number];
}

/** Elements of a tensor of any type. */
export type TensorData = TensorArrays[DType];

/** A tensor of a type, or of any type. Comparing `dtype` also determines the type of `data`. */
export type Tensor<D extends DType = DType> = {
  [K in D]: TensorInfo<K> & { data: TensorArrays[K] };
}[D];

/**
 * Yields each tensor of a `.safetensors` file when its last byte has arrived, in the order of the file.
 * Decompresses the file if it is compressed.
 *
 * With a `Response` of an error, fails with a `ZipnnError` that has the `status`.
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

/** A function that is called as `fetch` is. */
export type FetchFunction = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface FetchOptions {
  /** Sends the requests; `fetch` by default. */
  fetch?: FetchFunction;
  /**
   * Whether a file may be stored with the ending `.znn`. By default, files that end with `.onnx`,
   * `.onnx_data`, `.onnx.data`, `.safetensors`, `.gguf` or `.bin`.
   */
  matches?: (url: URL) => boolean;
  limits?: Limits;
  onProgress?: (progress: Progress) => void;
  /** Workers that decode. */
  pool?: WorkerPool;
}

/**
 * Returns a function that is called as `fetch` is and returns files decompressed, for libraries that
 * load models by themselves.
 *
 * For the URL of a model, it requests the file with the ending `.znn`. If the server does not have it,
 * it requests the URL itself. Answers requests for ranges and for the length as a server of
 * the decompressed file would.
 */
export function createFetch(options?: FetchOptions): FetchFunction;

/** Converts bfloat16 to float32. */
export function bf16ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Converts IEEE half precision to float32. */
export function f16ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Converts `float8_e4m3fn` to float32. */
export function f8e4m3ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Converts `float8_e5m2` to float32. */
export function f8e5m2ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** Types that `toFloat32` converts. */
export type FloatDType = 'F32' | 'F16' | 'BF16' | 'F8_E4M3' | 'F8_E5M2';

/** Converts a tensor of a floating-point type of at most 32 bits to float32. */
export function toFloat32(
  tensor: { [D in FloatDType]: { dtype: D; data: TensorArrays[D] } }[FloatDType],
): Float32Array<ArrayBuffer>;
