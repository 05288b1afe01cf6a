// The build that decodes on a GPU.

import * as bindings from '../dist/gpu/zipnn.js';
import { Module } from './module.js';

export const module = new Module(bindings, {
  simd: new URL('../dist/gpu/zipnn.simd.wasm', import.meta.url),
});
