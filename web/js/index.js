// The whole package: decompressing, compressing, tensors.

import { decodingOf, encodingOf, tensorsOf } from './api.js';
import { module } from './modules-full.js';

// Bundlers search for exactly these expressions.
const worker = {
  url: new URL('./worker-full.js', import.meta.url),
  start: () => new Worker(new URL('./worker-full.js', import.meta.url), { type: 'module' }),
};

const decoding = decodingOf(module, worker);
export const { ZipnnDecompressStream, init, decompress, createPool } = decoding;
export const { createFetch, openArchive, streamTensors } = tensorsOf(module, decoding);
export const { ZipnnCompressStream, compress } = encodingOf(module);
export { ZipnnError } from './error.js';
export { bf16ToF32, f16ToF32, f8e4m3ToF32, f8e5m2ToF32, toFloat32 } from './typed.js';
