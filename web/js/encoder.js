// Compresses data, frame by frame.

import { bytesOf } from './decoder.js';
import { ZipnnError, call } from './error.js';
import { Turn } from './yielding.js';

/** Bytes of data to keep for a frame. Files with a very long header need more. */
const FRAME_LEN = 4 << 20;

/** Codes of types by their usual names. */
const DTYPES = new Map([
  ...['f32', 'float32'].map((name) => [name, 1]),
  ...['f16', 'float16'].map((name) => [name, 4]),
  ...['bf16', 'bfloat16'].map((name) => [name, 6]),
  ...['f8_e4m3', 'float8_e4m3fn', 'bytes'].map((name) => [name, 29]),
  ...['f8_e5m2', 'float8_e5m2'].map((name) => [name, 30]),
]);

function codeOf(dtype) {
  const code = DTYPES.get(String(dtype).toLowerCase());
  if (code !== undefined) return code;
  const known = [...DTYPES.keys()].join(', ');
  throw new ZipnnError('UnsupportedDType', `unknown type "${dtype}": use one of ${known}, auto`);
}

/** Compresses the data that is written, and emits frames. */
export class Encoder {
  read = 0;
  written = 0;
  #module;
  #inner;
  #data = new Uint8Array(FRAME_LEN);
  #filled = 0;
  #turn;
  #onProgress;

  constructor(module, { dtype = 'auto', checksums = true, index = true, signal, onProgress } = {}) {
    const code = dtype === 'auto' ? undefined : codeOf(dtype);
    this.#module = module;
    this.#inner = call(() => new module.bindings.Encoder(code, checksums, index));
    this.#turn = new Turn(signal);
    this.#onProgress = onProgress;
  }

  async write(bytes, emit) {
    for (let at = 0; at < bytes.length; ) {
      const { wanted } = this.#inner;
      const part = bytes.subarray(at, at + wanted - this.#filled);
      this.#keep(part);
      this.read += part.length;
      at += part.length;
      if (this.#filled === wanted) await this.#feed(emit, false);
    }
    this.#progress();
  }

  async end(emit) {
    // A file without data also has a frame.
    if (this.#filled > 0 || this.written === 0) await this.#feed(emit, true);
    await this.#emit(this.#inner.finish(), emit);
    this.#progress();
  }

  /** Keeps bytes for the next frame. */
  #keep(part) {
    const length = this.#filled + part.length;
    if (length > this.#data.length) {
      const longer = new Uint8Array(Math.max(length, 2 * this.#data.length));
      longer.set(this.#data.subarray(0, this.#filled));
      this.#data = longer;
    }
    this.#data.set(part, this.#filled);
    this.#filled = length;
  }

  async #feed(emit, isLast) {
    const length = call(() => this.#inner.feed(this.#data.subarray(0, this.#filled), isLast));
    if (length === undefined) return;
    this.#filled = 0;
    await this.#emit(length, emit);
    await this.#turn.next();
  }

  async #emit(length, emit) {
    if (length === 0) return;
    this.written += length;
    await emit(() => this.#module.view(this.#inner.writtenAt, length));
  }

  #progress() {
    this.#onProgress?.({ read: this.read, written: this.written });
  }

  free() {
    this.#inner?.free();
    this.#inner = undefined;
  }
}

/** Compresses bytes in memory. */
export async function compress(module, source, options = {}) {
  const bytes = bytesOf(source);
  const encoder = new Encoder(module, options);
  const frames = [];
  const emit = (frame) => frames.push(frame().slice());
  try {
    options.signal?.throwIfAborted();
    await encoder.write(bytes, emit);
    await encoder.end(emit);
  } finally {
    encoder.free();
  }
  const output = new Uint8Array(encoder.written);
  let at = 0;
  for (const frame of frames) {
    output.set(frame, at);
    at += frame.length;
  }
  return output;
}
