// Loads the WebAssembly, with vector instructions if the engine supports them.

import { ZipnnError, reasonOf } from './error.js';
import { bodyOf } from './http.js';

// A module with one vector instruction: `i8x16.splat`, then `drop`.
const VECTORS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11,
]);

/** Returns whether the engine supports vector instructions. */
export const hasVectors = () => WebAssembly.validate(VECTORS);

/**
 * A build of the library: its generated bindings and the URLs of its `.wasm` files, with vectors and, unless
 * they are required, without.
 */
export class Module {
  #bindings;
  #urls;
  #loading;
  #memory;
  #compiled;

  constructor(bindings, urls) {
    this.#bindings = bindings;
    this.#urls = urls;
  }

  /**
   * Loads the module once. `source` is a URL, a `Response`, bytes or a compiled module; by default, the
   * folder of the script.
   */
  load(source) {
    this.#loading ??= this.#load(source).catch((error) => {
      // The next call can try again.
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(source) {
    const from = source ?? (hasVectors() ? this.#urls.simd : this.#urls.plain);
    if (from === undefined) {
      throw new ZipnnError('LoadFailed', 'this engine has no vector instructions of WebAssembly: update it');
    }
    try {
      this.#compiled = await compile(from);
      this.use(this.#compiled);
    } catch (cause) {
      throw new ZipnnError('LoadFailed', `${whatFailed(from)}: ${reasonOf(cause)}`, { cause });
    }
    return this;
  }

  /** Uses a compiled module, as workers do. */
  use(compiled) {
    this.#memory = this.#bindings.initSync({ module: compiled }).memory;
    this.#loading ??= Promise.resolve(this);
  }

  get compiled() {
    return this.#compiled;
  }

  get bindings() {
    return this.#bindings;
  }

  /** Returns a view of the module's memory, which is valid until the next call of the module. */
  view(at, length) {
    return new Uint8Array(this.#memory.buffer, at, length);
  }
}

/** Returns the beginning of the message for a module that does not load. */
function whatFailed(source) {
  const url = source instanceof Response ? source.url : source;
  const isUrl = typeof url === 'string' || url instanceof URL;
  return `the WebAssembly cannot be loaded${isUrl && url ? ` from ${url}` : ''} (check that the server `
    + 'sends it, that the content security policy allows it, or pass another source to init)';
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) {
    return WebAssembly.compile(source);
  }
  const response = source instanceof Response ? source : await fetchModule(source);
  if (!(response instanceof Response)) return WebAssembly.compile(response);
  bodyOf(response);
  const isTyped = response.headers.get('Content-Type')?.startsWith('application/wasm');
  // Many servers do not know the type of `.wasm` files.
  if (isTyped) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Fetches a module, or reads it from a file in Node, whose `fetch` does not support files. */
async function fetchModule(url) {
  const isFile = String(url).startsWith('file:');
  const files = isFile && globalThis.process?.getBuiltinModule?.('node:fs/promises');
  return files ? files.readFile(new URL(url)) : fetch(url);
}
