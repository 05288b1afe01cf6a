// Compresses and decompresses a file, and measures what it takes.

import { ZipnnCompressStream, compress, decompress, init } from '../js/index.js';
import { toBlob } from '../js/collect.js';
import { decodeToGpuBuffer, requestDevice } from '../js/gpu.js';
import { isExtended, withBuild, workersOf } from './package.js';
import { storedTensors, totalsByType } from './stored.js';
import { seconds, speed } from './units.js';
import { gzipLength, hasGzip, measure, through } from './wire.js';
import { why } from './why.js';

const isCompressed = ({ name }) => /\.znn(\.safetensors)?$/i.test(name);

/** Part of the browser's quota up to which a result is kept, because browsers store blobs on disk. */
const KEPT = 1 / 8;

/** Returns whether a result of this length can be kept in the browser. */
async function canKeep(length) {
  const { quota = Infinity } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {};
  return length <= quota * KEPT;
}

/** A file of which the page shows the sizes and the tensors. */
export class Work {
  /** `waiting`, `working`, `done`, `failed` or `cancelled`. */
  state = 'waiting';
  status = 'Waiting…';
  /** Part of the work that is done. */
  progress = 0;
  gpu = '';
  /** Bytes as they are and compressed, and the speed in bytes per second of the former. */
  sizes = {};
  #source;
  #onChange;
  #start;
  #took;
  #chunks = [];
  /** Build of the package that reads the file. */
  #build;

  constructor(source, onChange) {
    this.#source = source;
    this.name = source.name;
    this.isCompressed = isCompressed(source);
    this.#onChange = onChange;
  }

  /** Works to the end, until an error or until `signal` is aborted. */
  async run(signal) {
    this.state = 'working';
    try {
      await init();
      await withBuild(async (build) => {
        this.#build = build;
        this.#chunks = [];
        if (this.isCompressed) await this.#decompress(signal);
        else await this.#compress(signal);
      });
      await this.#list(signal);
      this.state = 'done';
      this.#explain();
      this.#onChange();
      await this.#compare(signal).catch(() => signal.throwIfAborted());
      if (this.isCompressed && !isExtended(this.#build)) await this.#decodeOnGpu(signal);
    } catch (error) {
      this.fail(error, signal);
    }
    this.#onChange();
  }

  fail(error, signal) {
    if (signal.aborted && this.state === 'done') return;
    this.state = signal.aborted ? 'cancelled' : 'failed';
    this.status = signal.aborted ? 'Cancelled.' : '';
    this.error = signal.aborted ? undefined : error;
  }

  #show(original, compressed, part) {
    const took = performance.now() - this.#start;
    this.sizes = { original, compressed, speed: took > 0 ? original / took * 1000 : undefined };
    this.progress = Math.min(part || 0, 1);
    this.#onChange();
  }

  #stopClock() {
    this.#took = seconds(performance.now() - this.#start);
  }

  async #decompress(signal) {
    this.status = 'Decompressing…';
    const { size } = this.#source;
    const stored = [];
    const keep = new TransformStream({
      transform(part, controller) {
        stored.push(part);
        controller.enqueue(part);
      },
    });
    const decompressing = new this.#build.ZipnnDecompressStream({
      signal,
      pool: await workersOf(this.#build),
      onFrame: ({ chunks }) => this.#chunks.push(...chunks),
      onProgress: ({ read, decoded }) => this.#show(decoded, read, read / size),
    });
    this.#start = performance.now();
    // A chosen file need not be kept as well.
    const { file } = this.#source;
    const opened = await this.#source.open(signal);
    const stream = (file ? opened : opened.pipeThrough(keep)).pipeThrough(decompressing);
    const original = await this.#collect(stream, 2 * size);
    this.#stopClock();
    this.compressed = file ?? new Blob(stored);
    this.#show(original, this.compressed.size, 1);
    this.status = `Decompressed and verified in ${this.#took}.`;
  }

  async #compress(signal) {
    this.status = 'Compressing…';
    const { size } = this.#source;
    this.counts = new Array(256).fill(0);
    const sampling = new TransformStream({
      transform: (part, controller) => {
        for (const byte of part.subarray(0, SAMPLE)) this.counts[byte] += 1;
        controller.enqueue(part);
      },
    });
    const compressing = new ZipnnCompressStream({
      signal,
      onProgress: ({ read, written }) => this.#show(read, written, read / size),
    });
    this.#start = performance.now();
    const stream = (await this.#source.open(signal)).pipeThrough(sampling).pipeThrough(compressing);
    const written = await this.#collect(stream, size);
    this.#stopClock();
    this.#show(size, written, 1);
    this.status = `Compressed in ${this.#took}.`;
    if (!this.result) return;
    this.compressed = this.result;
    await this.#readBack(signal);
    this.status = `Compressed in ${this.#took}, and read back.`;
  }

  /** Keeps the result, or only its length if the browser has no room for it. */
  async #collect(stream, expected) {
    if (await canKeep(expected)) {
      this.result = await toBlob(stream);
      return this.result.size;
    }
    this.isTooLong = true;
    let length = 0;
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return length;
      length += value.length;
    }
  }

  /** Decompresses the result, which verifies it and shows how well each part is compressed. */
  async #readBack(signal) {
    this.status = 'Reading it back…';
    this.#onChange();
    let decoded = 0;
    const back = this.compressed.stream().pipeThrough(new this.#build.ZipnnDecompressStream({
      signal,
      pool: await workersOf(this.#build),
      onFrame: ({ chunks }) => this.#chunks.push(...chunks),
    }));
    for (const reader = back.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      decoded += value.length;
    }
    if (decoded !== this.#source.size) throw new Error('the result does not decompress to the same length');
  }

  /** Lists the tensors of a safetensors file. */
  async #list(signal) {
    if (!this.compressed) return;
    let opened;
    try {
      opened = await this.#build.openArchive(this.compressed, { signal, pool: await workersOf(this.#build) });
      this.tensors = await opened.tensors();
      signal.throwIfAborted();
      this.archive = opened;
      this.stored = storedTensors(this.#chunks, this.tensors);
      this.totals = totalsByType(this.tensors, this.stored);
    } catch {
      opened?.free();
      signal.throwIfAborted();
      this.status += ' It has no list of tensors.';
    }
  }

  #explain() {
    const { sizes: { original, compressed }, totals, counts } = this;
    this.why = why({ original, compressed, totals, counts });
    if (this.isTooLong) {
      this.why += ` The result is too long to be kept in this browser. Use the program instead: zipnn ${
        this.isCompressed ? 'decompress' : 'compress'} FILE`;
    }
  }

  /** Compresses the file with gzip as well, and compares sizes and speeds. */
  async #compare(signal) {
    const { sizes } = this;
    if (!hasGzip || sizes.original === 0) return;
    const whole = this.isCompressed ? this.result : await this.#original(signal);
    if (!whole) return;
    let read = 0;
    const onRead = (length) => {
      read += length;
      sizes.gzipPart = read / sizes.original;
      this.#onChange();
    };
    sizes.gzipPart = 0;
    sizes.gzip = await gzipLength(whole.stream(), { signal, onRead });
    this.#onChange();
    await this.#measure(new Uint8Array(await whole.slice(0, MEASURED).arrayBuffer()), signal);
    this.#onChange();
  }

  /** Returns a file of the server, which is fetched again, or a chosen file. */
  async #original(signal) {
    return this.#source.file ?? toBlob(await this.#source.open(signal));
  }

  /** Measures speeds on the beginning of the file, in memory and on this thread. */
  async #measure(bytes, signal) {
    const of = async (run) => {
      const { speed: measured, result } = await measure(bytes.length, run);
      return [speed(measured), result];
    };
    const [compressing, packed] = await of(() => compress(bytes, { signal }));
    const [decompressing] = await of(() => decompress(packed, { into: bytes, signal }));
    const [zipping, zipped] = await of(() => through(bytes, new CompressionStream('gzip')));
    signal.throwIfAborted();
    const [unzipping] = await of(() => through(zipped, new DecompressionStream('gzip')));
    this.speeds = `On one thread of this browser, zipnn compresses at ${compressing} and decompresses at `
      + `${decompressing}; gzip at ${zipping} and ${unzipping}.`;
  }

  /** Decodes the file once more, on the GPU, and shows the time. */
  async #decodeOnGpu(signal) {
    const device = await requestDevice().catch(() => undefined);
    signal.throwIfAborted();
    if (!device) {
      this.gpu = 'This browser has no GPU that can decode the file.';
      return;
    }
    try {
      let start;
      // The first run compiles the shaders.
      for (let runs = 0; runs < 2; runs++) {
        start = performance.now();
        (await decodeToGpuBuffer(device, this.compressed, { signal })).buffer.destroy();
      }
      const { description, vendor } = device.adapterInfo ?? {};
      const name = description || vendor || 'unknown';
      this.gpu = `Decoded on the GPU (${name}) in ${seconds(performance.now() - start)}.`;
    } catch (error) {
      signal.throwIfAborted();
      this.gpu = `The GPU could not decode the file: ${error.message}.`;
    } finally {
      device.destroy();
    }
  }

  /** Name and contents of the file to save, if the result is kept. */
  get download() {
    if (this.state !== 'done' || !this.result) return undefined;
    const name = this.isCompressed ? this.name.replace(/\.znn$/i, '') : `${this.name}.znn`;
    return { name, blob: this.result };
  }

  free() {
    this.archive?.free();
    this.archive = undefined;
  }
}

/** Bytes at the beginning of a file to measure speeds with. */
const MEASURED = 2 << 20;
/** Bytes of each part to count, which suffice to recognize random data. */
const SAMPLE = 4096;
