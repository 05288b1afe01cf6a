// Decompressing to buffers of a GPU.

import { decodeToGpuBuffer as decode } from './gpu-load.js';
import { module } from './modules-gpu.js';

export { ZipnnError } from './error.js';
export { requestDevice } from './gpu-device.js';

/** Loads the WebAssembly ahead of time. */
export const init = async (source) => void (await module.load(source));

/** Decompresses a tensor, or a whole file, to a buffer of a GPU. */
export const decodeToGpuBuffer = async (device, source, options) =>
  decode(await module.load(), device, source, options);
