// The full build.

import * as bindings from '../dist/full/zipnn.js';
import { Module } from './module.js';

export const module = new Module(bindings, {
  simd: new URL('../dist/full/zipnn.simd.wasm', import.meta.url),
  plain: new URL('../dist/full/zipnn.plain.wasm', import.meta.url),
});
