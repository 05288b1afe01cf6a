// Interrupts long work so that the page stays responsive.

/** Milliseconds between pauses: half a frame at 60 frames a second. */
const SLICE = 8;

/** Waits for a macrotask. `scheduler.yield` would continue before timers and network events. */
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

/** Pauses work regularly and checks its signal. */
export class Turn {
  #since = performance.now();
  #signal;

  constructor(signal) {
    this.#signal = signal;
  }

  /** Pauses if the last pause was long enough ago. Rejects if the signal is aborted. */
  async next() {
    this.#signal?.throwIfAborted();
    if (performance.now() - this.#since < SLICE) return;
    await macrotask();
    this.#signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
