// Reads parts of a compressed file.

import { abortable } from './decoder.js';
import { ZipnnError, call } from './error.js';
import { ENOUGH, refuseOthers } from './formats.js';
import { limitsOf } from './limits.js';
import { allocate } from './memory.js';
import { sourceOf } from './ranges.js';
import { typed } from './typed.js';
import { Turn } from './yielding.js';

/** Decoded bytes to read first for the header of a safetensors file. */
const HEADER_GUESS = 1 << 16;
/** Parts of frames to read at a time, or one more than there are workers. */
const PARALLEL = 4;

/** Opens a compressed file: finds its frames. */
export async function openArchive(module, source, options = {}) {
  const { signal, limits } = options;
  const ranges = await sourceOf(source, options);
  const seeker = new module.bindings.Seeker(ranges.size, ...limitsOf(limits));
  try {
    await feed(seeker, ranges, signal);
    return new Archive(module, ranges, seeker, options);
  } catch (error) {
    seeker.free();
    // The end of the file was read first. The beginning can show that it has another format.
    if (error?.place?.frame === 0) {
      refuseOthers(await ranges.read(0, Math.min(ranges.size, ENOUGH), { signal }));
    }
    throw error;
  }
}

/** Feeds `taker` the ranges that it wants. Returns the last of them. */
async function feed(taker, ranges, signal) {
  let bytes;
  for (let wanted; (wanted = taker.wanted()); ) {
    signal?.throwIfAborted();
    bytes = await abortable(ranges.read(...wanted, { signal }), signal);
    call(() => taker.feed(bytes));
  }
  return bytes;
}

/** A compressed file of which any part can be read alone. */
class Archive {
  #module;
  #ranges;
  #seeker;
  #options;
  #tensors;

  constructor(module, ranges, seeker, options) {
    this.#module = module;
    this.#ranges = ranges;
    this.#seeker = seeker;
    this.#options = options;
  }

  /** Length of the compressed file in bytes. */
  get size() {
    return this.#ranges.size;
  }

  /** Length of the decompressed file in bytes. */
  get decodedLength() {
    return this.#open().decodedLength;
  }

  #open() {
    if (!this.#seeker) throw new ZipnnError('ArchiveFreed', 'the archive has been freed');
    return this.#seeker;
  }

  /** Reads a range of the decompressed file. */
  async read(start, end, { signal = this.#options.signal, onProgress } = {}) {
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0)) {
      throw new ZipnnError('OutOfRange', `bytes ${start} to ${end} do not exist`);
    }
    const parts = call(() => this.#open().covering(start, end));
    const output = allocate(end - start);
    const turn = new Turn(signal);
    let decoded = 0;
    const work = async () => {
      for (let part; (part = parts.shift()); ) {
        try {
          const into = output.subarray(...part.decodedRange().map((at) => at - start));
          await this.#decode(part, into, signal);
          decoded += into.length;
        } finally {
          part.free();
        }
        onProgress?.({ decoded, total: output.length });
        await turn.next();
      }
    };
    const parallel = Math.max(PARALLEL, 1 + (this.#options.pool?.size ?? 0));
    const workers = Array.from({ length: Math.min(parallel, parts.length) }, work);
    try {
      await Promise.all(workers);
    } finally {
      for (const part of parts.splice(0)) part.free();
    }
    return output;
  }

  /** Decodes a part. Workers decode it if all of its frame has been read. */
  async #decode(part, into, signal) {
    const { pool, limits } = this.#options;
    const bytes = await feed(part, this.#ranges, signal);
    const frame = pool && part.wholeFrame();
    if (!frame) {
      into.set(this.#module.view(...call(() => part.decode())));
      return;
    }
    const [number, frameStart, frameEnd] = frame;
    const job = pool.decode(number, pool.copyOf(bytes), frameEnd - frameStart, limitsOf(limits));
    const decoded = await abortable(job, signal);
    const [start, end] = part.decodedRange();
    into.set(decoded.subarray(start - frameStart, end - frameStart));
  }

  /** Returns the tensors in the order of their bytes. */
  async tensors({ signal } = {}) {
    this.#open();
    // All callers share one read, and an abort by one of them does not stop it for the others.
    this.#tensors ??= this.#readTensors().catch((error) => {
      this.#tensors = undefined;
      throw error;
    });
    return abortable(this.#tensors, signal);
  }

  async #readTensors() {
    const all = this.decodedLength;
    for (let length = this.#headerGuess(all); ; ) {
      const beginning = await this.read(0, length);
      const { tensors, needed } = parseHeader(this.#module, beginning, all);
      if (tensors) return tensors;
      if (needed > all) {
        throw new ZipnnError('NotSafetensors', `${all} bytes are too short for a safetensors file`);
      }
      length = needed;
    }
  }

  /** Returns the length to read first: up to the end of the first frame, which often has the header alone. */
  #headerGuess(all) {
    const parts = call(() => this.#open().covering(0, Math.min(all, HEADER_GUESS)));
    const [first] = parts;
    const length = first ? first.decodedRange()[1] : 0;
    for (const part of parts) part.free();
    return length;
  }

  /** Returns the description of a tensor. */
  async tensor(name, options) {
    const tensors = await this.tensors(options);
    const tensor = tensors.find((tensor) => tensor.name === name);
    if (!tensor) throw new ZipnnError('NoSuchTensor', `the file has no tensor "${name}"`);
    return tensor;
  }

  /** Returns the description and the data of a tensor. */
  async readTensor(name, options) {
    const tensor = await this.tensor(name, options);
    const bytes = await this.read(...tensor.range, options);
    return { ...tensor, data: typed(bytes, tensor.dtype) };
  }

  /** Yields the parts of frames that contain a range, with their stored bytes. Reads one part ahead. */
  async *storedParts(start, end, { signal = this.#options.signal } = {}) {
    const parts = call(() => this.#open().covering(start, end));
    const reads = [];
    const readNext = () => {
      if (reads.length === parts.length) return;
      const read = feed(parts[reads.length], this.#ranges, signal);
      // Awaited later. Until then its error must not count as unhandled.
      read.catch(() => {});
      reads.push(read);
    };
    try {
      readNext();
      while (parts.length > 0) {
        readNext();
        await reads[0];
        yield parts[0];
        reads.shift();
        parts.shift().free();
      }
    } finally {
      await Promise.allSettled(reads);
      for (const part of parts) part.free();
    }
  }

  /** Frees memory in the module. */
  free() {
    this.#seeker?.free();
    this.#seeker = undefined;
  }
}

if (Symbol.dispose) Archive.prototype[Symbol.dispose] = Archive.prototype.free;

/** Parses the header of a safetensors file. Returns its tensors, or the length that is `needed`. */
export function parseHeader(module, beginning, length) {
  const header = call(() => new module.bindings.Header(beginning, length));
  try {
    if (header.needed > 0) return { needed: header.needed };
    const dtypes = header.dtypes();
    const ranges = header.ranges();
    const tensors = header.names().map((name, i) => ({
      name,
      dtype: dtypes[i],
      shape: Array.from(header.shape(i)),
      range: [ranges[2 * i], ranges[2 * i + 1]],
    }));
    return { tensors };
  } finally {
    header.free();
  }
}
