// Decompressing what arrives: on this thread, or by a pool of workers. Both take bytes and give
// pieces of the decoded data in order, to an `emit` that is waited for. It is given a function that
// tells where the bytes are: memory of the module may move meanwhile.

import { ZipnnError, call } from './error.js';
import { Beginning, ENOUGH, refuseOthers } from './formats.js';
import { limitsOf } from './limits.js';
import { Turn } from './yielding.js';

/** Bytes that go into the module's memory at a time. */
const PART = 1 << 18;

/** Types by their codes, as safetensors files call them. */
const DTYPES = new Map([
  [1, 'F32'],
  [4, 'F16'],
  [6, 'BF16'],
  [29, 'F8_E4M3'],
  [30, 'F8_E5M2'],
]);

/** Copies bytes into the module's memory, up to the end of a frame, and returns how many. */
export function push(module, inner, bytes) {
  const length = call(() => inner.space(bytes.length));
  module.view(inner.spaceAt, length).set(bytes.subarray(0, length));
  call(() => inner.advance(length));
  return length;
}

/** What both have in common: pushing bytes up to the end of a frame. */
class Decoder {
  read = 0;
  decoded = 0;

  #beginning = new Beginning();
  #onFrame;
  #told = -1;

  constructor(module, { signal, onProgress, onFrame, limits } = {}) {
    this.module = module;
    this.#onFrame = onFrame;
    this.signal = signal;
    this.onProgress = onProgress;
    this.limits = limitsOf(limits);
    this.inner = new module.bindings.Decoder(...this.limits, false, 0);
    this.turn = new Turn(signal);
  }

  /** Takes bytes, and emits what they complete. */
  async write(bytes, emit) {
    await this.#decode(this.#beginning.take(bytes), emit);
    this.progress();
  }

  async #decode(bytes, emit) {
    for (let at = 0; at < bytes.length; ) {
      const taken = push(this.module, this.inner, bytes.subarray(at, at + PART));
      // Nothing is taken of what is behind the only frame of a file.
      const passed = taken || bytes.length - at;
      at += passed;
      this.read += passed;
      this.#tell();
      await this.frame(emit);
      await this.turn.next();
    }
  }

  /** The end of the file. */
  async end(emit) {
    await this.#decode(this.#beginning.end(), emit);
    call(() => this.inner.end());
    await this.flush(emit);
    this.progress();
  }

  /** Tells of a frame that has come, once. */
  #tell() {
    const frame = this.#onFrame && this.inner.frame();
    if (!frame || frame[0] === this.#told) return;
    const [number, , length, decodedLength, dtype] = frame;
    this.#told = number;
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

/** Decodes on this thread, chunk by chunk, and lets others have their turns. */
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

/** Decodes by workers, frame by frame. As many frames are in memory as there are workers, and one. */
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
      // It is waited for in its turn; until then an error of it is not one that nobody handles.
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

/** A decoder of options. */
export const decoderOf = (module, options) =>
  options?.pool ? new PooledDecoder(module, options) : new LocalDecoder(module, options);

/** A promise that gives up when the signal does. */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The bytes of whatever holds bytes. */
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
    'expected bytes: a typed array or an ArrayBuffer, as arrayBuffer() of a Response or Blob gives',
  );
}

/** Decompresses a file in memory into `output`, or into memory of its own. */
export async function decompress(module, source, options = {}) {
  const bytes = bytesOf(source);
  options.signal?.throwIfAborted();
  refuseOthers(bytes.subarray(0, ENOUGH));
  const length = decodedLength(module, bytes, options.limits);
  const output = options.into ? bytesOf(options.into) : new Uint8Array(length);
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

/** Bytes that a file in memory decodes to, by its index or its headers. */
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
