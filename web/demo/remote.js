// Opens a file on a server by ranges, and counts what each tensor takes.

import { isExtended, withBuild } from './package.js';
import { totalsByType } from './stored.js';
import { bytes, count, percent } from './units.js';
import { Traffic } from './wire.js';

/** Returns the URL that a user has typed, or nothing if it is none. `https://` can be left out. */
export function urlOf(text) {
  const isPath = /^\.{0,2}\/|^[\w-]+\/[^/.]/.test(text);
  const isComplete = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  try {
    const url = new URL(isComplete || isPath ? text : `https://${text}`, location.href);
    return /^https?:$/.test(url.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}

/** A file on a server. */
export class RemoteWork {
  state = 'waiting';
  status = '';
  progress = undefined;
  gpu = '';
  why = '';
  sizes = {};
  isRemote = true;
  /** Bytes and requests that each tensor took, by its name. */
  taken = new Map();
  #url;
  #onChange;
  #traffic;
  /** Build of the package that has opened the file. */
  #build;
  #opening;

  constructor(url, onChange) {
    this.#url = url;
    this.name = decodeURIComponent(url.pathname.split('/').at(-1)) || url.host;
    this.#onChange = onChange;
    this.#traffic = new Traffic(() => this.#onChange());
  }

  async run(signal) {
    this.state = 'working';
    this.status = `Opening it on ${this.#url.host}…`;
    const onProgress = ({ read, total }) => {
      this.progress = total && read / total;
      this.status = `${this.#url.host} does not send parts of files: downloading all of it… ${bytes(read)}`;
      this.#onChange();
    };
    try {
      await withBuild(async (build) => {
        await this.#open(build, { signal, onProgress });
        this.tensors = await this.archive.tensors({ signal });
      });
      this.totals = totalsByType(this.tensors);
      this.sizes = { original: this.archive.decodedLength, compressed: this.archive.size };
      this.#opening = { ...this.#counted() };
      this.state = 'done';
      this.#summarize();
    } catch (error) {
      this.free();
      this.state = signal.aborted ? 'cancelled' : 'failed';
      this.status = signal.aborted ? 'Cancelled.' : '';
      this.error = signal.aborted ? undefined : error;
    }
    this.#onChange();
  }

  /** Opens the file with a build of the package, unless it is open. */
  async #open(build, options) {
    if (this.#build === build) return;
    this.free();
    this.archive = await build.openArchive(this.#url, { ...options, fetch: this.#traffic.fetch });
    this.#build = build;
  }

  #counted() {
    const { bytes, requests } = this.#traffic;
    return { bytes, requests };
  }

  #summarize() {
    const { bytes: opened, requests } = this.#opening;
    this.status = this.#traffic.hasRanges
      ? `Opened with ${count(requests, 'request')} for ${bytes(opened)} of ${bytes(this.archive.size)}. `
        + 'Choose a tensor: only its part of the file is fetched.'
      : `${this.#url.host} does not send parts of files, so that all of it was downloaded: ${bytes(opened)}.`;
  }

  get fetched() {
    return this.#counted();
  }

  /** Reads a tensor, and notes what that took. Nothing is kept: the next time takes as much. */
  async readTensor(name, { signal }) {
    const before = this.#counted();
    const tensor = await withBuild(async (build) => {
      if (!this.#build || isExtended(build)) await this.#open(build, { signal });
      return this.archive.readTensor(name, { signal });
    });
    const after = this.#counted();
    const taken = { bytes: after.bytes - before.bytes, requests: after.requests - before.requests };
    this.taken.set(name, taken);
    this.#onChange();
    return tensor;
  }

  /** Returns a sentence about what a tensor took. */
  describe(name) {
    const { bytes: got, requests } = this.taken.get(name);
    const { size } = this.archive;
    if (requests === 0) {
      return this.#traffic.hasRanges
        ? 'It was among the bytes that were fetched to open the file.'
        : 'The whole file had already been downloaded.';
    }
    return `Fetched with ${count(requests, 'request')} for ${bytes(got)}: ${percent(got / size)} of the file `
      + `of ${bytes(size)}.`;
  }

  free() {
    this.#build = undefined;
    this.archive?.free();
    this.archive = undefined;
  }
}
