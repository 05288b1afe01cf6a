// The public functions and classes, for one build of the library.

import { openArchive } from './archive.js';
import { decoderOf, decompress } from './decoder.js';
import { Encoder, compress } from './encoder.js';
import { createFetch } from './fetch.js';
import { WorkerPool } from './pool.js';
import { CodecStream } from './stream.js';
import { streamTensors } from './tensors.js';

/** Returns a function that loads the module and passes it to `run`. */
const loaded = (module, run) => async (source, options) => run(await module.load(), source, options);

/** Returns everything that decompresses. */
export function decodingOf(module, worker) {
  /** Decompresses a stream, as `DecompressionStream` does. */
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

/** Returns everything that reads parts of files. */
export function tensorsOf(module, { ZipnnDecompressStream }) {
  return {
    openArchive: loaded(module, openArchive),
    streamTensors: (source, options) => streamTensors(module, source, options),
    createFetch: (options) => createFetch(module, ZipnnDecompressStream, options),
  };
}

/** Returns everything that compresses. */
export function encodingOf(module) {
  /** Compresses a stream, as `CompressionStream` does. */
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
