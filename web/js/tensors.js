// Yields tensors while a file arrives.

import { parseHeader } from './archive.js';
import { decoderOf } from './decoder.js';
import { ZipnnError } from './error.js';
import { Beginning } from './formats.js';
import { bodyOf } from './http.js';
import { limitsOf } from './limits.js';
import { allocate } from './memory.js';
import { CodecStream } from './stream.js';
import { typed } from './typed.js';

/** Bytes to allocate before any arrive, because the header can state any length. */
const FIRST_PART = 4 << 20;

/**
 * Yields each tensor of a safetensors file, which can be compressed, when its last byte has arrived, in
 * the order of the file.
 */
export async function* streamTensors(module, source, options) {
  const stream = source instanceof Response ? bodyOf(source) : source;
  if (typeof stream?.pipeThrough !== 'function') {
    throw new TypeError('expected a Response or a ReadableStream of bytes');
  }
  const opened = new CodecStream(async () => new Opener(await module.load(), options), options);
  const reader = stream.pipeThrough(opened).getReader({ mode: 'byob' });
  const input = new Input(reader);
  try {
    await module.load();
    const header = await readHeader(module, input);
    let at = header.dataStart;
    for (const tensor of header.tensors) {
      const [start, end] = tensor.range;
      // Tensors without bytes can have any offset, even within other tensors.
      if (start === end) {
        yield { ...tensor, data: typed(new Uint8Array(), tensor.dtype) };
        continue;
      }
      if (start < at) throw sharedBytes(tensor.name);
      await input.skip(start - at);
      const bytes = await input.take(end - start);
      at = end;
      yield { ...tensor, data: typed(bytes, tensor.dtype) };
    }
    await input.end();
  } finally {
    // The caller may stop before the end.
    reader.cancel().catch(() => {});
  }
}

function sharedBytes(name) {
  const message = `tensor "${name}" shares bytes with an earlier tensor: use openArchive`;
  return new ZipnnError('SharedBytes', message);
}

/** Reads the header, which begins with its length. */
async function readHeader(module, input) {
  let beginning = new Uint8Array();
  for (;;) {
    const { tensors, needed } = parseHeader(module, beginning);
    if (tensors) return { tensors, dataStart: beginning.length };
    const more = await input.take(needed - beginning.length);
    const have = beginning.length;
    beginning = longer(beginning, needed);
    beginning.set(more, have);
  }
}

/** Passes on the bytes of a safetensors file, and decompresses one that is compressed. */
class Opener {
  #beginning = new Beginning('safetensors');
  #module;
  #options;
  #codec;

  constructor(module, options) {
    this.#module = module;
    this.#options = options;
  }

  async write(bytes, emit) {
    await this.#pass(this.#beginning.take(bytes), emit);
  }

  async end(emit) {
    await this.#pass(this.#beginning.end(), emit);
    await this.#opened().end(emit);
  }

  async #pass(bytes, emit) {
    if (bytes.length > 0) await this.#opened().write(bytes, emit);
  }

  #opened() {
    this.#codec ??= this.#beginning.isAccepted
      ? new Passing(this.#options)
      : decoderOf(this.#module, this.#options);
    return this.#codec;
  }

  free() {
    this.#codec?.free();
  }
}

/** Passes on the bytes of a file that is not compressed. */
class Passing {
  #read = 0;
  #onProgress;
  #limit;

  constructor({ onProgress, limits } = {}) {
    this.#onProgress = onProgress;
    [this.#limit] = limitsOf(limits);
  }

  async write(bytes, emit) {
    this.#read += bytes.length;
    if (this.#read > this.#limit) {
      throw new ZipnnError('LimitExceeded', `the file is longer than the limit of ${this.#limit} bytes`);
    }
    await emit(() => bytes);
    this.#onProgress?.({ read: this.#read, decoded: this.#read });
  }

  async end() {}

  free() {}
}

/** Reads as many bytes of a stream at a time as are needed. */
class Input {
  #reader;

  constructor(reader) {
    this.#reader = reader;
  }

  /** Returns the next `length` bytes. */
  async take(length) {
    let memory = new Uint8Array(Math.min(length, FIRST_PART));
    for (let have = 0; have < length; ) {
      if (have === memory.length) memory = longer(memory, Math.min(length, 2 * have));
      const { value, done } = await this.#reader.read(memory.subarray(have));
      if (done) {
        const message = `the data ends within the safetensors file: ${length} bytes needed, ${have} available`;
        throw new ZipnnError('Truncated', message);
      }
      // The stream has transferred the buffer.
      memory = new Uint8Array(value.buffer);
      have += value.length;
    }
    return memory;
  }

  /** Skips bytes that belong to no tensor. */
  async skip(length) {
    for (let left = length; left > 0; left -= FIRST_PART) await this.take(Math.min(left, FIRST_PART));
  }

  /** Reads to the end, which shows whether the file is complete. */
  async end() {
    for (let memory = new Uint8Array(FIRST_PART); ; ) {
      const { value, done } = await this.#reader.read(memory);
      if (done) return;
      memory = new Uint8Array(value.buffer);
    }
  }
}

function longer(bytes, length) {
  const copy = allocate(length);
  copy.set(bytes);
  return copy;
}
