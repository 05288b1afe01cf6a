// Helpers for tests in all browsers.

/** Milliseconds to wait for a page, enough for a busy machine. */
export const PATIENCE = 60_000;

/** A script for pages. Imports the package and defines globals for tests. */
export const SETUP = `
  import * as zipnn from '/js/index.js';
  globalThis.zipnn = zipnn;
  globalThis.get = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  globalThis.isSame = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  globalThis.failure = (promise) => promise.then(
    () => 'no error',
    ({ name, code, message, place }) => ({ name, code, message, place }));
  globalThis.turnsDuring = async (work) => {
    let turns = 0;
    let isOver = false;
    const take = () => {
      if (isOver) return;
      turns += 1;
      setTimeout(take);
    };
    setTimeout(take);
    await work();
    isOver = true;
    return turns;
  };
  globalThis.isReady = true;`;

/** Waits until `condition` returns true. */
export async function until(condition) {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > PATIENCE) throw new Error(`not after ${PATIENCE} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
