// Loading the WebAssembly: the build with vectors where it runs, the plain one elsewhere.

import { ZipnnError, reasonOf } from './error.js';
import { bodyOf } from './http.js';

// A module that holds one instruction on vectors: `i8x16.splat`, then `drop`.
const VECTORS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11,
]);

/** Whether WebAssembly has vectors here. */
export const hasVectors = () => WebAssembly.validate(VECTORS);

/** One build of the library: its generated bindings, and where its two `.wasm` files are. */
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
   * Loads it; every other function does so when it is first called. `source` says from where, if not
   * from beside the script: a URL, a `Response`, bytes, or a compiled module.
   */
  load(source) {
    this.#loading ??= this.#load(source).catch((error) => {
      // The next call may find a network that is there again.
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(source) {
    const from = source ?? (hasVectors() ? this.#urls.simd : this.#urls.plain);
    try {
      this.#compiled = await compile(from);
      this.use(this.#compiled);
    } catch (cause) {
      throw new ZipnnError('LoadFailed', `${whatFailed(from)}: ${reasonOf(cause)}`, { cause });
    }
    return this;
  }

  /** Uses a module that has been compiled, in a worker say. */
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

  /** Bytes in the module's memory. The view holds until the module is called again. */
  view(at, length) {
    return new Uint8Array(this.#memory.buffer, at, length);
  }
}

/** Returns the first words of the error for a module that does not load. */
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
  // Servers that do not know the type are common, and no reason to fail.
  if (isTyped) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Node's `fetch` does not read files. */
async function fetchModule(url) {
  const isFile = String(url).startsWith('file:');
  const files = isFile && globalThis.process?.getBuiltinModule?.('node:fs/promises');
  return files ? files.readFile(new URL(url)) : fetch(url);
}
