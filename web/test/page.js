// What tests do alike in all browsers.

/** Milliseconds that a page is waited for: on a busy machine anything takes long. */
export const PATIENCE = 60_000;

/** A script for a page: imports the package, and makes it and what tests need global. */
export const SETUP = `
  import * as zipnn from '/js/index.js';
  globalThis.zipnn = zipnn;
  globalThis.get = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  globalThis.isSame = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  globalThis.failure = (promise) => promise.then(
    () => 'it did not fail',
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

/** Waits until something is so. */
export async function until(isSo) {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > PATIENCE) throw new Error(`not after ${PATIENCE} ms: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
