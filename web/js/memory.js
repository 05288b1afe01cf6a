// Memory for data whose length a file states.

import { ZipnnError } from './error.js';

/** Allocates this many bytes. Fails with a `ZipnnError` if that is not possible. */
export function allocate(length) {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new ZipnnError('OutOfMemory', `there is no memory for ${length} bytes`, { cause });
  }
}

/** Bytes that are appended one after another, in memory that grows with them. */
export class Growing {
  #memory = new Uint8Array();
  #length = 0;

  get length() {
    return this.#length;
  }

  get bytes() {
    return this.#memory.subarray(0, this.#length);
  }

  append(bytes) {
    const length = this.#length + bytes.length;
    if (length > this.#memory.length) {
      const longer = allocate(Math.max(length, 2 * this.#memory.length));
      longer.set(this.bytes);
      this.#memory = longer;
    }
    this.#memory.set(bytes, this.#length);
    this.#length = length;
  }
}
