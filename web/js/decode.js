// Only decompressing, for two fifths of the download.

import { decodingOf } from './api.js';
import { module } from './modules-decode.js';

// Bundlers search for exactly these expressions.
const worker = {
  url: new URL('./worker-decode.js', import.meta.url),
  start: () => new Worker(new URL('./worker-decode.js', import.meta.url), { type: 'module' }),
};

export const { ZipnnDecompressStream, init, decompress, createPool } = decodingOf(module, worker);

export { ZipnnError } from './error.js';
