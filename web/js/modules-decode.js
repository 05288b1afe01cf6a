// The build that only decompresses.

import * as bindings from '../dist/decode/zipnn.js';
import { Module } from './module.js';

export const module = new Module(bindings, {
  simd: new URL('../dist/decode/zipnn.simd.wasm', import.meta.url),
  plain: new URL('../dist/decode/zipnn.plain.wasm', import.meta.url),
});
