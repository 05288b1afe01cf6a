// What web developers see, over one build of the library.

import { openArchive } from './archive.js';
import { decoderOf, decompress } from './decoder.js';
import { Encoder, compress } from './encoder.js';
import { WorkerPool } from './pool.js';
import { CodecStream } from './stream.js';
import { streamTensors } from './tensors.js';

/** A function that is given the module once it is there. */
const loaded = (module, run) => async (source, options) => run(await module.load(), source, options);

/** Everything that decompresses. */
export function decodingOf(module, worker) {
  /** A `DecompressionStream` for `.znn` files. */
  class ZipnnDecompressStream extends CodecStream {
    constructor(options = {}) {
      super(async () => decoderOf(await module.load(), options), options);
    }
  }

  return {
    ZipnnDecompressStream,
    init: async (source) => void (await module.load(source)),
    decompress: loaded(module, decompress),
    createPool: async (size) => WorkerPool.start(worker, (await module.load()).compiled, size),
  };
}

/** Everything that knows of tensors. */
export function tensorsOf(module, { ZipnnDecompressStream }) {
  return {
    openArchive: loaded(module, openArchive),
    streamTensors: (source, options) =>
      streamTensors(module, new ZipnnDecompressStream(options), source),
  };
}

/** Everything that compresses. */
export function encodingOf(module) {
  /** A `CompressionStream` for `.znn` files. */
  class ZipnnCompressStream extends CodecStream {
    constructor(options = {}) {
      super(async () => new Encoder(await module.load(), options), options);
    }
  }

  return {
    ZipnnCompressStream,
    compress: loaded(module, compress),
  };
}
