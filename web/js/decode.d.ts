/** Decompressing `.znn` files. Every function loads the WebAssembly when it is first called. */

/** Where in a file something is: numbers from 0. */
export interface Place {
  frame?: number;
  chunk?: number;
  plane?: number;
}

/** Something is wrong with a file, with where it comes from, or with the call. */
export class ZipnnError extends Error {
  /**
   * The name of the error: those of the library (`BadMagic`, `Truncated`, `ChecksumMismatch`,
   * `LimitExceeded`, ...), and `HttpError`, `SourceChanged`, `NoSuchTensor`, `TrailingBytes`,
   * `WorkerFailed`, `PoolFreed`, `ArchiveFreed`.
   */
  readonly code: string;
  /** Where in the file it was found, as far as that is known. */
  readonly place: Place;
  /** Code and numbers of the error, as the library writes them. */
  readonly details?: string;
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
  source?: string | URL | Response | BufferSource | WebAssembly.Module,
): Promise<void>;

/** Decompresses a file, into the memory of `into` if that is given. */
export function decompress(
  source: Bytes,
  options?: DecodeOptions & { into?: Bytes },
): Promise<Uint8Array<ArrayBuffer>>;

/**
 * Decompresses what is piped through it, as `DecompressionStream` does. It keeps one compressed frame
 * in memory, with workers one for each and one more, and no more than a chunk that nobody has read.
 */
export class ZipnnDecompressStream implements ReadableWritablePair<Uint8Array<ArrayBuffer>, Bytes> {
  constructor(options?: DecodeOptions);
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Bytes>;
}

/** Types of elements, as safetensors files call them. */
export type DType =
  | 'F64' | 'F32' | 'F16' | 'BF16' | 'F8_E4M3' | 'F8_E5M2' | 'F8_E8M0'
  | 'I64' | 'U64' | 'I32' | 'U32' | 'I16' | 'U16' | 'I8' | 'U8' | 'BOOL' | (string & {});

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
  read(start: number, end: number, options: { signal?: AbortSignal }): Promise<Uint8Array>;
}

export interface ReadOptions {
  signal?: AbortSignal;
  /** Bytes that have been decoded of those that were asked for. */
  onProgress?: (progress: { decoded: number; total: number }) => void;
}

export interface OpenOptions {
  signal?: AbortSignal;
  limits?: Limits;
  /** Called while a server that gives no ranges sends the whole file. */
  onProgress?: (progress: Progress & { total?: number }) => void;
  /** For URLs: takes the place of `fetch`. */
  fetch?: typeof fetch;
  /** For URLs: sent with every request. */
  headers?: HeadersInit;
}

/** A compressed file of which any part can be read without the rest. */
export interface Archive {
  /** Bytes of the compressed file. */
  readonly size: number;
  /** Bytes that it decompresses to. */
  readonly decodedLength: number;
  /** The tensors of a `.safetensors` file, in the order of their bytes. */
  tensors(options?: ReadOptions): Promise<TensorInfo[]>;
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
