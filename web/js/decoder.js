// Decompresses bytes as they arrive, on this thread or with a pool of workers. Decoders pass pieces of
// the data in order to `emit` and wait for it. `emit` receives a function that returns the bytes,
// because the memory of the module can move in the meantime.

import { ZipnnError, call } from './error.js';
import { Beginning, ENOUGH, refuseOthers } from './formats.js';
import { limitsOf } from './limits.js';
import { allocate } from './memory.js';
import { Turn } from './yielding.js';

/** Bytes to copy into the module's memory at a time. */
const PART = 1 << 18;

/** Names of types in safetensors files by their codes. */
const DTYPES = new Map([
  [1, 'F32'],
  [4, 'F16'],
  [6, 'BF16'],
  [29, 'F8_E4M3'],
  [30, 'F8_E5M2'],
]);

/** Copies bytes up to the end of a frame into the module's memory and returns their number. */
export function push(module, inner, bytes) {
  const length = call(() => inner.space(bytes.length));
  module.view(inner.spaceAt, length).set(bytes.subarray(0, length));
  call(() => inner.advance(length));
  return length;
}

/** Pushes bytes up to the end of a frame, then calls `frame` of the subclass. */
class Decoder {
  read = 0;
  decoded = 0;

  #beginning = new Beginning();
  #onFrame;
  #reported = -1;

  constructor(module, { signal, onProgress, onFrame, limits } = {}) {
    this.module = module;
    this.#onFrame = onFrame;
    this.signal = signal;
    this.onProgress = onProgress;
    this.limits = limitsOf(limits);
    this.inner = new module.bindings.Decoder(...this.limits, false, 0);
    this.turn = new Turn(signal);
  }

  /** Decodes bytes and emits the data that they complete. */
  async write(bytes, emit) {
    await this.#decode(this.#beginning.take(bytes), emit);
    this.progress();
  }

  async #decode(bytes, emit) {
    for (let at = 0; at < bytes.length; ) {
      const taken = push(this.module, this.inner, bytes.subarray(at, at + PART));
      // The decoder ignores bytes after the only frame of a file.
      const passed = taken || bytes.length - at;
      at += passed;
      this.read += passed;
      this.#report();
      await this.frame(emit);
      await this.turn.next();
    }
  }

  /** Ends the file. */
  async end(emit) {
    await this.#decode(this.#beginning.end(), emit);
    call(() => this.inner.end());
    await this.flush(emit);
    this.progress();
  }

  /** Calls `onFrame` once for each frame. */
  #report() {
    const frame = this.#onFrame && this.inner.frame();
    if (!frame || frame[0] === this.#reported) return;
    const [number, , length, decodedLength, dtype] = frame;
    this.#reported = number;
    const lengths = this.inner.chunkLengths();
    const chunks = [];
    for (let i = 0; i < lengths.length; i += 2) {
      chunks.push({ decodedLength: lengths[i], length: lengths[i + 1] });
    }
    this.#onFrame({ number, length, decodedLength, dtype: DTYPES.get(dtype), chunks });
  }

  progress() {
    this.onProgress?.({ read: this.read, decoded: this.decoded });
  }

  free() {
    this.inner?.free();
    this.inner = undefined;
  }
}

/** Decodes on this thread, chunk by chunk, with pauses. */
export class LocalDecoder extends Decoder {
  async frame(emit) {
    for (;;) {
      const length = call(() => this.inner.nextChunk());
      if (length === 0) return;
      this.decoded += length;
      await emit(() => this.module.view(this.inner.chunkAt, length));
      await this.turn.next();
    }
  }

  async flush() {}
}

/** Decodes with workers, frame by frame. Keeps one frame more in memory than there are workers. */
export class PooledDecoder extends Decoder {
  #pool;
  #waiting = [];

  constructor(module, options) {
    super(module, options);
    this.#pool = options.pool;
  }

  async frame(emit) {
    const frame = this.inner.frame();
    if (!frame) return;
    const [number, at, length, decodedLength] = frame;
    if (decodedLength > 0) {
      const bytes = this.#pool.copyOf(this.module.view(at, length));
      const decoded = this.#pool.decode(number, bytes, decodedLength, this.limits);
      // Awaited later. Until then its error must not count as unhandled.
      decoded.catch(() => {});
      this.#waiting.push(decoded);
    }
    this.inner.nextFrame();
    while (this.#waiting.length > this.#pool.size) await this.#emitFirst(emit);
  }

  async #emitFirst(emit) {
    const decoded = await abortable(this.#waiting.shift(), this.signal);
    this.decoded += decoded.length;
    await emit(() => decoded);
    this.progress();
  }

  async flush(emit) {
    while (this.#waiting.length > 0) await this.#emitFirst(emit);
  }
}

/** Returns a decoder for these options. */
export const decoderOf = (module, options) =>
  options?.pool ? new PooledDecoder(module, options) : new LocalDecoder(module, options);

/** Returns a promise that also rejects when the signal is aborted. */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Returns the bytes of any object that contains bytes. */
export function bytesOf(source) {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (globalThis.SharedArrayBuffer && source instanceof SharedArrayBuffer) {
    return new Uint8Array(source);
  }
  throw new TypeError(
    'expected bytes: a typed array or an ArrayBuffer, such as the result of arrayBuffer() of a Response or Blob',
  );
}

/** Decompresses a file in memory into `options.into`, or into new memory. */
export async function decompress(module, source, options = {}) {
  const bytes = bytesOf(source);
  options.signal?.throwIfAborted();
  refuseOthers(bytes.subarray(0, ENOUGH));
  const length = decodedLength(module, bytes, options.limits);
  const output = options.into ? bytesOf(options.into) : allocate(length);
  if (output.length < length) {
    const message = `output is too small: ${length} bytes needed, ${output.length} given`;
    throw new ZipnnError('OutputTooSmall', message);
  }
  const decoder = decoderOf(module, options);
  try {
    let at = 0;
    const emit = (bytes) => {
      const decoded = bytes();
      output.set(decoded, at);
      at += decoded.length;
    };
    await decoder.write(bytes, emit);
    await decoder.end(emit);
    return output.subarray(0, at);
  } finally {
    decoder.free();
  }
}

/** Returns the decompressed length of a file in memory from its index or its headers. */
function decodedLength(module, bytes, limits) {
  const seeker = new module.bindings.Seeker(bytes.length, ...limitsOf(limits));
  try {
    return call(() => {
      for (let wanted; (wanted = seeker.wanted()); ) seeker.feed(bytes.subarray(...wanted));
      return seeker.decodedLength;
    });
  } finally {
    seeker.free();
  }
}
