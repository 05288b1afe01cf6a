/** Decompressing and compressing. `zipnn/decode` decompresses alone, at half the download. */

import type { Bytes } from './decode.js';

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
export class ZipnnCompressStream implements ReadableWritablePair<Uint8Array<ArrayBuffer>, Bytes> {
  constructor(options?: EncodeOptions);
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Bytes>;
}
