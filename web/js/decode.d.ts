/** Decompresses `.znn` files. The first call of any function loads the WebAssembly. */

/// <reference path="./platform.d.ts" />

/** A location in a file. Numbers begin at 0. */
export interface Place {
  frame?: number;
  chunk?: number;
  plane?: number;
}

/** An error in a file, in its source or in a call. */
export class ZipnnError extends Error {
  /**
   * Name of the error. From the library: `BadMagic`, `Truncated`, `ChecksumMismatch`,
   * `LimitExceeded`, ... From this package: `WrongFormat`, `ExtendedRequired`, `NotSafetensors`,
   * `SharedBytes`, `NoSuchTensor`, `NetworkError`, `HttpError`, `BadRange`, `SourceChanged`,
   * `SourceFailed`, `LoadFailed`, `WorkerFailed`, `PoolFreed`, `ArchiveFreed`, `DeviceLost`, `GpuFailed`.
   */
  readonly code: string;
  /** Location of the error in the file, as far as it is known. */
  readonly place: Place;
  /** Error that caused this one: from `fetch`, or from the source of a stream. */
  readonly cause?: unknown;
  /** HTTP status of the response, for `HttpError`. */
  readonly status?: number;
  /**
   * Format of the file, for `WrongFormat`: `safetensors`, `znn.safetensors`, `gguf`, `gzip`, `zip`,
   * `git-lfs`, `html`, ...
   */
  readonly format?: string;
}

/** Any object that contains bytes. */
export type Bytes = ArrayBufferView | ArrayBufferLike;

/** Limits on the resources that a file can use. */
export interface Limits {
  /** Most bytes of decompressed data. No limit by default. */
  decodedBytes?: number;
  /** Most bytes of a compressed frame, which is in memory as a whole. 1 GiB by default. */
  frameBytes?: number;
  /** Whether to verify checksums. `true` by default. */
  verify?: boolean;
}

/** Progress of decompression. */
export interface Progress {
  /** Compressed bytes read so far. */
  read: number;
  /** Decompressed bytes returned so far. */
  decoded: number;
}

/** Element type that frames are compressed as, by its name in safetensors files. */
export type FrameDType = 'F32' | 'F16' | 'BF16' | 'F8_E4M3' | 'F8_E5M2';

/** A frame that has arrived. */
export interface FrameInfo {
  /** Number of the frame in the file, from 0. */
  number: number;
  /** Compressed length in bytes. */
  length: number;
  /** Decompressed length in bytes. */
  decodedLength: number;
  /** Element type that the frame was compressed as. */
  dtype: FrameDType;
  /** Chunks in order. Their lengths do not include the frame's header and index. */
  chunks: { length: number; decodedLength: number }[];
}

export interface DecompressOptions {
  /** Stops the work. Pending promises are rejected with the signal's reason. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Called for every frame before it is decoded. */
  onFrame?: (frame: FrameInfo) => void;
  limits?: Limits;
  /** Workers that decode. By default, the calling thread decodes and pauses every 8 ms. */
  pool?: WorkerPool;
}

/** Loads the WebAssembly ahead of time, by default from the folder of the script. */
export function init(
  source?: string | URL | Response | ArrayBufferView | ArrayBuffer | WebAssembly.Module,
): Promise<void>;

/** Decompresses a file, into `into` if given. Returns the decompressed bytes. */
export function decompress(
  source: Bytes,
  options?: DecompressOptions & { into?: Bytes },
): Promise<Uint8Array<ArrayBuffer>>;

/**
 * Decompresses a stream, as `DecompressionStream` does.
 *
 * Keeps one compressed frame in memory, or with a pool one for each worker and another, and at most
 * one decompressed chunk that has not been read. `getReader({ mode: 'byob' })` reads into memory of
 * the caller.
 */
export class ZipnnDecompressStream {
  constructor(options?: DecompressOptions);
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Bytes>;
}

/** Workers that decode frames. */
export interface WorkerPool {
  /** Number of workers. */
  readonly size: number;
  /** Ends the workers, as `using` does. */
  free(): void;
  [Symbol.dispose](): void;
}

/**
 * Starts workers, by default one for each core but one. Any number of streams and archives can share
 * them.
 */
export function createPool(size?: number): Promise<WorkerPool>;
