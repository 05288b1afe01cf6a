// Doing long work without keeping the page from anything else.

/** Milliseconds of work before others get a turn: half of a picture at 60 a second. */
const SLICE = 8;

/** After `scheduler.yield` work goes on before timers and answers of the network have had a turn. */
const macrotask = () => {
  if (globalThis.setImmediate) return new Promise((resolve) => setImmediate(resolve));
  // Unlike timers, messages are not delayed.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
};

/** Counts the time since others had a turn, and looks whether the work is still wanted. */
export class Turn {
  #since = performance.now();
  #signal;

  constructor(signal) {
    this.#signal = signal;
  }

  /** Lets others have a turn if they have waited long enough. Rejects once the signal is aborted. */
  async next() {
    this.#signal?.throwIfAborted();
    if (performance.now() - this.#since < SLICE) return;
    await macrotask();
    this.#signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
