// Tensors in the order in which they arrive.

import { layoutOf } from './archive.js';
import { ZipnnError } from './error.js';
import { bodyOf } from './http.js';
import { typed } from './typed.js';

/**
 * Bytes that there is memory for before any of them is there: how long a tensor is, is only a
 * promise.
 */
const FIRST_PART = 4 << 20;

/**
 * Decompresses a safetensors file as it arrives, and yields every tensor as soon as its last byte is
 * there, in the order of the file.
 */
export async function* streamTensors(module, decompressing, source) {
  const stream = source instanceof Response ? bodyOf(source) : source;
  if (typeof stream?.pipeThrough !== 'function') {
    throw new TypeError('expected a Response or a ReadableStream of bytes');
  }
  const reader = stream.pipeThrough(decompressing).getReader({ mode: 'byob' });
  const input = new Input(reader);
  try {
    await module.load();
    const layout = await readLayout(module, input);
    let at = layout.dataStart;
    for (const tensor of layout.tensors) {
      const [start, end] = tensor.range;
      // Tensors without bytes can stand anywhere, also within others.
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
    // Whoever stops in the middle wants no more of it.
    reader.cancel().catch(() => {});
  }
}

function sharedBytes(name) {
  const message = `tensor "${name}" shares bytes with another, which have gone by: use openArchive`;
  return new ZipnnError('SharedBytes', message);
}

/** Reads the header, which first says how long it is. */
async function readLayout(module, input) {
  let beginning = new Uint8Array();
  for (;;) {
    const { tensors, needed } = layoutOf(module, beginning);
    if (tensors) return { tensors, dataStart: beginning.length };
    const more = await input.take(needed - beginning.length);
    const have = beginning.length;
    beginning = longer(beginning, needed);
    beginning.set(more, have);
  }
}

/** Bytes of a stream, as many at a time as are needed. */
class Input {
  #reader;

  constructor(reader) {
    this.#reader = reader;
  }

  /** Reads right into the memory that is returned. */
  async take(length) {
    let memory = new Uint8Array(Math.min(length, FIRST_PART));
    for (let have = 0; have < length; ) {
      if (have === memory.length) memory = longer(memory, Math.min(length, 2 * have));
      const { value, done } = await this.#reader.read(memory.subarray(have));
      if (done) {
        const message = `the data ends within the safetensors file: ${length} bytes needed, ${have} there`;
        throw new ZipnnError('Truncated', message);
      }
      // The stream had it meanwhile.
      memory = new Uint8Array(value.buffer);
      have += value.length;
    }
    return memory;
  }

  /** Reads bytes that belong to no tensor. */
  async skip(length) {
    for (let left = length; left > 0; left -= FIRST_PART) await this.take(Math.min(left, FIRST_PART));
  }

  /** Reads to the end, as only there it shows whether everything has come. */
  async end() {
    for (let memory = new Uint8Array(FIRST_PART); ; ) {
      const { value, done } = await this.#reader.read(memory);
      if (done) return;
      memory = new Uint8Array(value.buffer);
    }
  }
}

function longer(bytes, length) {
  const copy = new Uint8Array(length);
  copy.set(bytes);
  return copy;
}
