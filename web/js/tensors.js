// Tensors in the order in which they arrive.

import { layoutOf } from './archive.js';
import { ZipnnError } from './error.js';
import { typed } from './typed.js';

/**
 * Decompresses a safetensors file as it arrives, and yields every tensor as soon as its last byte is
 * there, in the order of the file.
 */
export async function* streamTensors(module, decompressing, source) {
  const reader = source.pipeThrough(decompressing).getReader();
  const input = new Input(reader);
  try {
    await module.load();
    for (const tensor of await readLayout(module, input)) {
      const [start, end] = tensor.range;
      const bytes = await input.take(end - start);
      yield { ...tensor, data: typed(bytes, tensor.dtype) };
    }
    await input.end();
  } finally {
    // Whoever stops in the middle wants no more of it.
    reader.cancel().catch(() => {});
  }
}

/** Reads the header, which first says how long it is. */
async function readLayout(module, input) {
  let beginning = new Uint8Array();
  for (;;) {
    const { tensors, needed } = layoutOf(module, beginning);
    if (tensors) return tensors;
    const more = await input.take(needed - beginning.length);
    const longer = new Uint8Array(needed);
    longer.set(beginning);
    longer.set(more, beginning.length);
    beginning = longer;
  }
}

/** Bytes of a stream, as many at a time as are needed. */
class Input {
  #reader;
  #rest = new Uint8Array();

  constructor(reader) {
    this.#reader = reader;
  }

  async #next() {
    const { value, done } = await this.#reader.read();
    this.#rest = value ?? new Uint8Array();
    return !done;
  }

  async take(length) {
    const parts = [];
    let have = 0;
    // How long a tensor is, is only a promise: memory for all of it is taken once it is there.
    while (have < length) {
      if (this.#rest.length === 0 && !(await this.#next())) {
        const message = `the data ends within the safetensors file: ${length} bytes needed, ${have} there`;
        throw new ZipnnError('Truncated', message);
      }
      const part = this.#rest.subarray(0, length - have);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      have += part.length;
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  async end() {
    const isOver = this.#rest.length === 0 && !(await this.#next());
    if (!isOver) throw new ZipnnError('TrailingBytes', 'bytes follow that belong to no tensor');
  }
}
