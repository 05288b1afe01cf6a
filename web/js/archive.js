// Tensors out of a compressed file of which only a little is read.

import { abortable } from './decoder.js';
import { ZipnnError, call } from './error.js';
import { ENOUGH, refuseOthers } from './formats.js';
import { limitsOf } from './limits.js';
import { sourceOf } from './ranges.js';
import { typed } from './typed.js';
import { Turn } from './yielding.js';

/** Decoded bytes that are read first to see the header of a safetensors file. */
const HEADER_GUESS = 1 << 16;
/** Parts of frames that are asked for at a time; with workers, one more than there are. */
const PARALLEL = 4;

/** Opens a compressed file: reads where its frames are. */
export async function openArchive(module, source, options = {}) {
  const { signal, limits } = options;
  const ranges = await sourceOf(source, options);
  const seeker = new module.bindings.Seeker(ranges.size, ...limitsOf(limits));
  try {
    await feed(seeker, ranges, signal);
    return new Archive(module, ranges, seeker, options);
  } catch (error) {
    seeker.free();
    // The end of the file was read first. If the first frame is wrong, the beginning may tell why.
    if (error?.place?.frame === 0) {
      refuseOthers(await ranges.read(0, Math.min(ranges.size, ENOUGH), { signal }));
    }
    throw error;
  }
}

/** Brings bytes until no more are wanted, and returns the last of them. */
async function feed(taker, ranges, signal) {
  let bytes;
  for (let wanted; (wanted = taker.wanted()); ) {
    signal?.throwIfAborted();
    bytes = await abortable(ranges.read(...wanted, { signal }), signal);
    call(() => taker.feed(bytes));
  }
  return bytes;
}

/** A compressed file, of which any part can be read. */
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

  /** Bytes of the compressed file. */
  get size() {
    return this.#ranges.size;
  }

  /** Bytes that it decodes to. */
  get decodedLength() {
    return this.#open().decodedLength;
  }

  #open() {
    if (!this.#seeker) throw new ZipnnError('ArchiveFreed', 'the archive has been freed');
    return this.#seeker;
  }

  /** Decodes a range of the data. */
  async read(start, end, { signal = this.#options.signal, onProgress } = {}) {
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0)) {
      throw new ZipnnError('OutOfRange', `there are no bytes ${start} to ${end}`);
    }
    const parts = call(() => this.#open().covering(start, end));
    const output = new Uint8Array(end - start);
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

  /** Decodes a part. Workers do it where all of its frame has been read. */
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

  /** The tensors, in the order of their bytes. */
  async tensors({ signal } = {}) {
    this.#open();
    // They are read once for all who ask, so that none of those can stop it for the others.
    this.#tensors ??= this.#readTensors().catch((error) => {
      this.#tensors = undefined;
      throw error;
    });
    return abortable(this.#tensors, signal);
  }

  async #readTensors() {
    const all = this.decodedLength;
    for (let length = Math.min(all, HEADER_GUESS); ; ) {
      const beginning = await this.read(0, length);
      const { tensors, needed } = layoutOf(this.#module, beginning, all);
      if (tensors) return tensors;
      if (needed > all) {
        throw new ZipnnError('NotSafetensors', `${all} bytes are too short for a safetensors file`);
      }
      length = needed;
    }
  }

  /** Reads a tensor: what `tensors` tells of it, and its `data`. */
  async readTensor(name, options) {
    const tensors = await this.tensors(options);
    const tensor = tensors.find((tensor) => tensor.name === name);
    if (!tensor) throw new ZipnnError('NoSuchTensor', `there is no tensor "${name}" in the file`);
    const bytes = await this.read(...tensor.range, options);
    return { ...tensor, data: typed(bytes, tensor.dtype) };
  }

  /** Lets go of the memory that it takes in the module. */
  free() {
    this.#seeker?.free();
    this.#seeker = undefined;
  }
}

if (Symbol.dispose) Archive.prototype[Symbol.dispose] = Archive.prototype.free;

/** The tensors of a safetensors file from its beginning, or how much of it that takes. */
export function layoutOf(module, beginning, length) {
  const layout = call(() => new module.bindings.Layout(beginning, length));
  try {
    if (layout.needed > 0) return { needed: layout.needed };
    const dtypes = layout.dtypes();
    const ranges = layout.ranges();
    const tensors = layout.names().map((name, i) => ({
      name,
      dtype: dtypes[i],
      shape: Array.from(layout.shape(i)),
      range: [ranges[2 * i], ranges[2 * i + 1]],
    }));
    return { tensors };
  } finally {
    layout.free();
  }
}
