// Streams, as `DecompressionStream` and `CompressionStream` are: a side to write to, a side to read
// from, and no more in between than is needed.

import { bytesOf } from './decoder.js';

/**
 * Two ends of a codec. It is given `write(bytes, emit)` and `end(emit)`, which wait for `emit`; so a
 * reader that takes its time keeps the writer waiting, and not only from one piece to the next.
 */
export class CodecStream {
  #codec;
  #controller;
  #wanted;
  #isOver = false;

  /** `open` gives the codec, once the module is there. */
  constructor(open, { signal } = {}) {
    this.readable = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#wanted?.(),
      cancel: (reason) => this.#fail(reason),
    });
    const opened = Promise.resolve().then(open);
    opened.catch(() => {});
    this.writable = new WritableStream({
      start: (controller) => {
        const abort = () => {
          this.#fail(signal.reason);
          controller.error(signal.reason);
        };
        signal?.addEventListener('abort', abort, { once: true });
        if (signal?.aborted) abort();
        this.stopListening = () => signal?.removeEventListener('abort', abort);
      },
      write: (bytes) => this.#run(opened, (codec) => codec.write(bytesOf(bytes), this.#emit)),
      close: () => this.#run(opened, (codec) => codec.end(this.#emit), true),
      abort: (reason) => this.#fail(reason),
    });
  }

  async #run(opened, step, isLast = false) {
    try {
      this.#codec = await opened;
      if (this.#isOver) {
        this.#codec.free();
        throw this.reason;
      }
      await step(this.#codec);
      if (!isLast) return;
      this.#finish();
      this.#controller.close();
    } catch (error) {
      // A codec that was let go of in the middle of its work complains of that; the reason is older.
      this.#fail(error);
      throw this.reason;
    }
  }

  #emit = async (bytes) => {
    if (this.#isOver) throw this.reason;
    // What the codec hands out is only lent, unless it has memory of its own.
    const isLent = bytes.byteLength < bytes.buffer.byteLength;
    this.#controller.enqueue(isLent ? bytes.slice() : bytes);
    while (!this.#isOver && this.#controller.desiredSize <= 0) {
      await new Promise((resolve) => {
        this.#wanted = resolve;
      });
    }
    if (this.#isOver) throw this.reason;
  };

  #finish() {
    this.#isOver = true;
    this.stopListening?.();
    this.#codec?.free();
  }

  #fail(reason = new DOMException('the stream was cancelled', 'AbortError')) {
    if (this.#isOver) return;
    this.reason = reason;
    this.#finish();
    this.#controller.error(reason);
    this.#wanted?.();
  }
}
