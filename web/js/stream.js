// Transform streams, like `DecompressionStream` and `CompressionStream`, that buffer as little as
// possible.

import { bytesOf } from './decoder.js';
import { sourceError } from './error.js';

const sourceFailed = (cause, signal) =>
  sourceError('SourceFailed', 'the input could not be read to its end', cause, signal);

/**
 * Connects a writable and a readable stream by a codec.
 *
 * The codec has `write(bytes, emit)` and `end(emit)`, which wait for `emit`. A slow reader therefore
 * also delays a write that is in progress. `getReader({ mode: 'byob' })` receives the bytes directly in
 * its own memory.
 */
export class CodecStream {
  #codec;
  #controller;
  /** Whether the reader waits for bytes, and the function that resumes `emit` then. */
  #isWanted = false;
  #wanted;
  #isOver = false;

  /** `open` loads the module and returns the codec. */
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
      // A pending read into memory of the reader ends only with this.
      this.#controller.byobRequest?.respond(0);
    } catch (error) {
      // A codec that is freed during its work fails as well. The earlier reason counts.
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

  /** Passes bytes to the reader and returns their number. */
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
    // Enqueueing transfers the buffer. Bytes in a larger buffer belong to the codec.
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
