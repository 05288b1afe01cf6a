// Streams, as `DecompressionStream` and `CompressionStream` are: a side to write to, a side to read
// from, and no more in between than is needed.

import { bytesOf } from './decoder.js';
import { sourceError } from './error.js';

const sourceFailed = (cause, signal) =>
  sourceError('SourceFailed', 'the input could not be read to its end', cause, signal);

/**
 * Two ends of a codec. It is given `write(bytes, emit)` and `end(emit)`, which wait for `emit`; so a
 * reader that takes its time keeps the writer waiting, and not only from one piece to the next.
 * Who reads into memory of their own (`getReader({ mode: 'byob' })`) gets the bytes right there.
 */
export class CodecStream {
  #codec;
  #controller;
  /** Whether somebody waits for bytes, and who waits for that. */
  #isWanted = false;
  #wanted;
  #isOver = false;

  /** `open` gives the codec, once the module is there. */
  constructor(open, { signal } = {}) {
    this.readable = new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#isWanted = true;
        this.#wanted?.();
      },
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
      // A pipe calls this when its source has failed.
      abort: (reason) => this.#fail(reason instanceof Error ? sourceFailed(reason, signal) : reason),
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
      // Only so does whoever reads into memory of their own learn of it.
      this.#controller.byobRequest?.respond(0);
    } catch (error) {
      // A codec that was let go of in the middle of its work complains of that; the reason is older.
      this.#fail(error);
      throw this.reason;
    }
  }

  #emit = async (bytes) => {
    for (let at = 0; at < bytes().length; ) {
      while (!this.#isOver && !this.#isWanted) {
        await new Promise((resolve) => {
          this.#wanted = resolve;
        });
      }
      if (this.#isOver) throw this.reason;
      this.#isWanted = false;
      at += this.#give(bytes().subarray(at));
    }
  };

  /** Gives bytes to whoever waits for them, and returns how many. */
  #give(bytes) {
    const request = this.#controller.byobRequest;
    if (request) {
      const { buffer, byteOffset, byteLength } = request.view;
      const part = bytes.subarray(0, byteLength);
      new Uint8Array(buffer, byteOffset).set(part);
      request.respond(part.length);
      return part.length;
    }
    const { length } = bytes;
    // What is enqueued is given away. What the codec hands out is only lent, unless it has memory of
    // its own.
    const isLent = length < bytes.buffer.byteLength;
    this.#controller.enqueue(isLent ? bytes.slice() : bytes);
    return length;
  }

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
