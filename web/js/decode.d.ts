/** Decompressing `.znn` files. Every function loads the WebAssembly when it is first called. */

/// <reference path="./platform.d.ts" />

/** Where in a file something is: numbers from 0. */
export interface Place {
  frame?: number;
  chunk?: number;
  plane?: number;
}

/** Something is wrong with a file, with where it comes from, or with the call. */
export class ZipnnError extends Error {
  /**
   * The name of the error. From the library: `BadMagic`, `Truncated`, `ChecksumMismatch`,
   * `LimitExceeded`, ... From this package: `WrongFormat`, `ZstdRequired`, `NotSafetensors`,
   * `SharedBytes`, `NoSuchTensor`, `NetworkError`, `HttpError`, `BadRange`, `SourceChanged`,
   * `SourceFailed`, `LoadFailed`, `WorkerFailed`, `PoolFreed`, `ArchiveFreed`.
   */
  readonly code: string;
  /** Where in the file it was found, as far as that is known. */
  readonly place: Place;
  /** The error that led to this one: what `fetch` or the source of a stream failed with. */
  readonly cause?: unknown;
  /** Of an `HttpError`: the status of the response. */
  readonly status?: number;
  /** Of a `WrongFormat`: `safetensors`, `znn.safetensors`, `gguf`, `gzip`, `zip`, `git-lfs`, `html`, ... */
  readonly format?: string;
}

/** Anything that holds bytes. */
export type Bytes = ArrayBufferView | ArrayBufferLike;

/** What a file may ask for. */
export interface Limits {
  /** Most bytes of decoded data. No limit by default. */
  decodedBytes?: number;
  /** Most bytes of a compressed frame, all of which is in memory. 1 GiB by default. */
  frameBytes?: number;
  /** Whether checksums are verified. `true` by default. */
  verify?: boolean;
}

/** How far it is. */
export interface Progress {
  /** Compressed bytes so far. */
  read: number;
  /** Decompressed bytes so far. */
  decoded: number;
}

/** Types of elements, as safetensors files call them. */
export type DType =
  | 'F64' | 'F32' | 'F16' | 'BF16' | 'F8_E4M3' | 'F8_E5M2' | 'F8_E8M0'
  | 'I64' | 'U64' | 'I32' | 'U32' | 'I16' | 'U16' | 'I8' | 'U8' | 'BOOL' | (string & {});

/** A frame that has arrived: what is stored of it, and what that decodes to. */
export interface FrameInfo {
  number: number;
  /** Bytes of the frame. */
  length: number;
  decodedLength: number;
  /** The type that it was compressed as. */
  dtype: DType;
  /** Its chunks in order; their lengths are without what is around them. */
  chunks: { length: number; decodedLength: number }[];
}

export interface DecodeOptions {
  /** Ends the work; what waits for it is rejected with the signal's reason. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Called for every frame before it is decoded. */
  onFrame?: (frame: FrameInfo) => void;
  limits?: Limits;
  /** Decodes with these workers. Without them it is done on this thread, with a pause every 8 ms. */
  pool?: WorkerPool;
}

/** Loads the WebAssembly ahead of time, or from elsewhere than beside the script. */
export function init(
  source?: string | URL | Response | ArrayBufferView | ArrayBuffer | WebAssembly.Module,
): Promise<void>;

/** Decompresses a file, into the memory of `into` if that is given. */
export function decompress(
  source: Bytes,
  options?: DecodeOptions & { into?: Bytes },
): Promise<Uint8Array<ArrayBuffer>>;

/**
 * Decompresses what is piped through it, as `DecompressionStream` does. It keeps one compressed frame
 * in memory, with workers one for each and one more, and no more than a chunk that nobody has read.
 * `readable` also reads into memory of the reader: `getReader({ mode: 'byob' })`.
 */
export class ZipnnDecompressStream {
  constructor(options?: DecodeOptions);
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Bytes>;
}

/** Workers that decode. */
export interface WorkerPool {
  /** How many there are. */
  readonly size: number;
  /** Ends them; `using` does, too. */
  free(): void;
  [Symbol.dispose](): void;
}

/** Starts workers, by default one for each core but one. They may decode any number of files. */
export function createPool(size?: number): Promise<WorkerPool>;
