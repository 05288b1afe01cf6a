// Compressing: data is cut into frames, each of which is written at once.

import { bytesOf } from './decoder.js';
import { ZipnnError, call } from './error.js';
import { layoutOf } from './archive.js';
import { Turn } from './yielding.js';

/** Bytes of data in a frame. */
const FRAME_LEN = 4 << 20;

/** Codes of types by the names that people have for them. */
const DTYPES = new Map([
  ...['f32', 'float32'].map((name) => [name, 1]),
  ...['f16', 'float16'].map((name) => [name, 4]),
  ...['bf16', 'bfloat16'].map((name) => [name, 6]),
  ...['f8_e4m3', 'float8_e4m3fn', 'bytes'].map((name) => [name, 29]),
  ...['f8_e5m2', 'float8_e5m2'].map((name) => [name, 30]),
]);
const BYTES = DTYPES.get('bytes');

function codeOf(dtype) {
  const code = DTYPES.get(String(dtype).toLowerCase());
  if (code !== undefined) return code;
  const known = [...DTYPES.keys()].join(', ');
  throw new ZipnnError('UnsupportedDType', `unknown type "${dtype}"; known are ${known}, auto`);
}

/** Compresses what is written, and emits the frames. */
export class Encoder {
  read = 0;
  written = 0;
  #module;
  #options;
  #inner;
  #frame = new Uint8Array(FRAME_LEN);
  #filled = 0;
  #turn;

  constructor(module, options) {
    this.#module = module;
    this.#options = { checksums: true, index: true, ...options };
    this.#turn = new Turn(options.signal);
    // Says at once if there is no such type.
    if (options.dtype !== 'auto') codeOf(options.dtype);
  }

  async write(bytes, emit) {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + FRAME_LEN - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      this.read += part.length;
      at += part.length;
      if (this.#filled === FRAME_LEN) await this.#emitFrame(emit);
    }
    this.#progress();
  }

  async end(emit) {
    // A file has at least one frame.
    if (this.#filled > 0 || !this.#inner) await this.#emitFrame(emit);
    const length = this.#inner.finish(this.#options.index);
    await this.#emit(length, emit);
    this.#progress();
  }

  async #emitFrame(emit) {
    const data = this.#frame.subarray(0, this.#filled);
    this.#inner ??= this.#open(data);
    const length = call(() => this.#inner.frame(data));
    this.#filled = 0;
    await this.#emit(length, emit);
    await this.#turn.next();
  }

  async #emit(length, emit) {
    if (length === 0) return;
    this.written += length;
    await emit(this.#module.view(this.#inner.writtenAt, length));
  }

  #open(beginning) {
    const { dtype, checksums, index } = this.#options;
    const code = dtype === 'auto' ? guess(this.#module, beginning) : codeOf(dtype);
    return call(() => new this.#module.bindings.Encoder(code, checksums, index));
  }

  #progress() {
    this.#options.onProgress?.({ read: this.read, written: this.written });
  }

  free() {
    this.#inner?.free();
    this.#inner = undefined;
  }
}

/** The type that most of a safetensors file has; single bytes for anything else. */
function guess(module, beginning) {
  try {
    return layoutOf(module, beginning).mainDtype ?? BYTES;
  } catch {
    return BYTES;
  }
}

/** Compresses bytes in memory. */
export async function compress(module, source, options = {}) {
  const bytes = bytesOf(source);
  const dtype = options.dtype ?? 'auto';
  const encoder = new Encoder(module, { ...options, dtype });
  const frames = [];
  const emit = (frame) => frames.push(frame.slice());
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
