// What goes over the wire: the code of the page, files compressed with gzip, requests for ranges.

/** Returns the bytes of code that the page has loaded, as they were sent. */
export function loadedCode() {
  const code = { wasm: 0, js: 0 };
  for (const { name, encodedBodySize } of performance.getEntriesByType('resource')) {
    const ending = /\.(js|wasm)$/.exec(new URL(name).pathname)?.[1];
    if (ending) code[ending] += encodedBodySize;
  }
  return code;
}

export const hasGzip = 'CompressionStream' in globalThis;

/** Returns the bytes per second of a function that works on `length` bytes, and what it returns. */
export async function measure(length, run) {
  let best = Infinity;
  let result;
  const begun = performance.now();
  const tooShort = (runs) => {
    const took = performance.now() - begun;
    // The first runs compile code, which takes longer than they do.
    return took < MEASURED_MS || (runs < MIN_RUNS && took < MAX_MS);
  };
  for (let runs = 0; tooShort(runs); runs++) {
    const start = performance.now();
    result = await run();
    best = Math.min(best, performance.now() - start);
  }
  return { speed: length / Math.max(best, CLOCK_MS) * 1000, result };
}

/** Milliseconds and runs to repeat a function for, most milliseconds, and the resolution of the clock. */
const MEASURED_MS = 150;
const MIN_RUNS = 3;
const MAX_MS = 600;
const CLOCK_MS = 0.1;

/** Passes bytes through a stream, in parts as they come from a file or a network. */
export async function through(bytes, stream) {
  const PART = 1 << 16;
  let at = 0;
  const source = new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + PART));
      at += PART;
    },
  });
  return new Uint8Array(await new Response(source.pipeThrough(stream)).arrayBuffer());
}

/** Returns the length of a stream compressed with gzip. Calls `onRead` with the length of each part. */
export async function gzipLength(stream, { signal, onRead }) {
  const counting = new TransformStream({
    transform(part, controller) {
      onRead(part.length);
      controller.enqueue(part);
    },
  });
  let length = 0;
  const sink = new WritableStream({
    write(part) {
      length += part.length;
    },
  });
  await stream.pipeThrough(counting).pipeThrough(new CompressionStream('gzip')).pipeTo(sink, { signal });
  return length;
}

/** A `fetch` that counts requests and the bytes that arrive. */
export class Traffic {
  requests = 0;
  bytes = 0;
  /** Whether the server has answered with a range. */
  hasRanges = false;
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
  }

  fetch = async (url, init) => {
    this.requests += 1;
    this.#onChange();
    const response = await fetch(url, init);
    const { status, statusText, headers, body } = response;
    if (status === 206) this.hasRanges = true;
    // The constructor does not take the status of opaque responses.
    if (!body || status < 200) return response;
    const counting = new TransformStream({
      transform: (part, controller) => {
        this.bytes += part.length;
        this.#onChange();
        controller.enqueue(part);
      },
    });
    return new Response(body.pipeThrough(counting), { status, statusText, headers });
  };
}
