/** Decompressing, compressing, tensors. `zipnn/decode` decompresses alone, at two fifths of the download. */

/// <reference path="./platform.d.ts" />
import type { Bytes, DType, DecodeOptions, Limits, Progress, WorkerPool } from './decode.js';

export * from './decode.js';

export interface EncodeOptions {
  /**
   * The type of the elements: `f32`, `f16`, `bf16`, `f8_e4m3`, `f8_e5m2`, or `bytes` for anything
   * else. `auto`, the default, gives every tensor of a `.safetensors` file the layout that suits it,
   * and finds out by samples what suits other data.
   */
  dtype?: string;
  /** Whether readers can tell damaged data. `true` by default. */
  checksums?: boolean;
  /** Whether parts can be found without reading all. `true` by default. */
  index?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: { read: number; written: number }) => void;
}

/** Compresses bytes into a `.znn` file of frames of 4 MiB. */
export function compress(source: Bytes, options?: EncodeOptions): Promise<Uint8Array<ArrayBuffer>>;

/** Compresses what is piped through it, as `CompressionStream` does. */
export class ZipnnCompressStream {
  constructor(options?: EncodeOptions);
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Bytes>;
}

/** What a file says of a tensor. */
export interface TensorInfo {
  name: string;
  dtype: DType;
  /** Dimensions, outermost first; none for a scalar. */
  shape: number[];
  /** Where in the decompressed file its bytes are. */
  range: [start: number, end: number];
}

/** Elements: those of `BF16` and `F16` as `Uint16Array`, those of eight bits as `Uint8Array`. */
export type TensorData =
  | Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer> | BigUint64Array<ArrayBuffer> | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer> | Int16Array<ArrayBuffer> | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

export interface Tensor extends TensorInfo {
  data: TensorData;
}

/**
 * Decompresses a `.safetensors` file as it arrives, and yields each tensor as soon as its last byte
 * is there, in the order of the file.
 */
export function streamTensors(
  source: Response | ReadableStream<Uint8Array>,
  options?: DecodeOptions,
): AsyncGenerator<Tensor, void, void>;

/** A file of which ranges of bytes can be read. */
export interface RangeReader {
  /** Bytes of the file. */
  size: number;
  /** The bytes from `start` up to `end`, which is not among them. */
  read(start: number, end: number, options: { signal?: AbortSignal }): Promise<Bytes>;
}

export interface ReadOptions {
  signal?: AbortSignal;
  /** Bytes that have been decoded of those that were asked for. */
  onProgress?: (progress: { decoded: number; total: number }) => void;
}

/** What `openArchive` needs of `fetch`. */
export type Fetch = (
  url: string | URL,
  init: { headers: Headers; signal?: AbortSignal; cache?: 'no-store' },
) => Promise<Response>;

export interface OpenOptions {
  signal?: AbortSignal;
  limits?: Limits;
  /** Called while a server that gives no ranges sends the whole file. */
  onProgress?: (progress: Progress & { total?: number }) => void;
  /** For URLs: takes the place of `fetch`. */
  fetch?: Fetch;
  /** For URLs: sent with every request. */
  headers?: Headers | Record<string, string> | [string, string][];
  /**
   * Decodes frames with these workers. Frames of which less than half is needed, and has been read,
   * are decoded on this thread.
   */
  pool?: WorkerPool;
}

/** A compressed file of which any part can be read without the rest. */
export interface Archive {
  /** Bytes of the compressed file. */
  readonly size: number;
  /** Bytes that it decompresses to. */
  readonly decodedLength: number;
  /** The tensors of a `.safetensors` file, in the order of their bytes. */
  tensors(options?: Pick<ReadOptions, 'signal'>): Promise<TensorInfo[]>;
  /** Reads one of them: only what it is stored in. */
  readTensor(name: string, options?: ReadOptions): Promise<Tensor>;
  /** Reads a range of the decompressed bytes. */
  read(start: number, end: number, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** Lets go of its memory; `using` does, too. */
  free(): void;
  [Symbol.dispose](): void;
}

/**
 * Opens a compressed file: with two small requests, where it has an index and the server gives
 * ranges. Where a server gives none, the whole file is fetched and kept as a `Blob`.
 */
export function openArchive(
  source: string | URL | Blob | Bytes | RangeReader,
  options?: OpenOptions,
): Promise<Archive>;

/** bfloat16 as float32. */
export function bf16ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** IEEE half precision as float32. */
export function f16ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** `float8_e4m3fn` as float32. */
export function f8e4m3ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** `float8_e5m2` as float32. */
export function f8e5m2ToF32(source: ArrayLike<number>): Float32Array<ArrayBuffer>;
/** The data of a tensor of a floating-point type up to float32, as float32. */
export function toFloat32(tensor: Pick<Tensor, 'dtype' | 'data'>): Float32Array<ArrayBuffer>;
