// The build that decompresses the extended profile.

import * as bindings from '../dist/extended/zipnn.js';
import { Module } from './module.js';

export const module = new Module(bindings, {
  simd: new URL('../dist/extended/zipnn.simd.wasm', import.meta.url),
});
