// Decompresses tensors and files to buffers of a GPU, or without one on the processor.

import { openArchive, parseHeader } from './archive.js';
import { push } from './decoder.js';
import { ZipnnError, call, sourceError } from './error.js';
import { Batches, runnerOf } from './gpu-device.js';
import { bodyOf } from './http.js';
import { limitsOf } from './limits.js';
import { Growing, allocate } from './memory.js';
import { toFloat32, typed } from './typed.js';
import { Turn } from './yielding.js';

/** Bytes of a stream to copy into the module's memory at a time. */
const PART = 1 << 18;
/** Bytes of the elements that can be widened. */
const WIDENED = { BF16: 2, F16: 2, F32: 4 };

/**
 * Decompresses a tensor, or a whole file without `name`, to a buffer of `device`. Without a device, it
 * decompresses on the processor.
 */
export async function decodeToGpuBuffer(module, device, source, options = {}) {
  const { signal, as } = options;
  if (as !== undefined && as !== 'f32') throw new TypeError(`as: '${as}' is unknown; 'f32' is the only type`);
  if (as && options.name === undefined) throw new TypeError('as requires the name of a tensor');
  signal?.throwIfAborted();
  const isStream = source instanceof ReadableStream || source instanceof Response;
  if (isStream && options.name === undefined) {
    throw new TypeError('a stream requires the name of a tensor; open a URL or a Blob to decode a whole file');
  }
  const input = isStream ? new StreamInput(module, source, options) : await ArchiveInput.open(module, source, options);
  try {
    const tensor = await input.find();
    checkAs(tensor, as);
    return device ? await onGpu(module, device, input, tensor, options) : await onProcessor(input, tensor, as);
  } finally {
    await input.free();
  }
}

function checkAs({ name, dtype }, as) {
  if (as && !WIDENED[dtype]) throw new TypeError(`tensor "${name}" has type ${dtype}, which 'f32' cannot hold`);
}

async function onProcessor(input, tensor, as) {
  const bytes = await input.read(tensor);
  const data = tensor.dtype ? typed(bytes, tensor.dtype) : bytes;
  const result = as ? toFloat32({ dtype: tensor.dtype, data }) : data;
  return { ...described(tensor), decodedOn: 'processor', data: result };
}

const described = ({ name, dtype, shape }) => ({ name, dtype, shape });

async function onGpu(module, device, input, tensor, { buffer, offset = 0, as, signal }) {
  const runner = await runnerOf(module, device);
  const [start, end] = tensor.range;
  const length = end - start;
  const widens = as && WIDENED[tensor.dtype] === 2;
  const byteLength = widens ? 2 * length : length;
  checkTarget(buffer, offset, byteLength);
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const output = buffer ?? (await runner.buffer(offset + byteLength, STORAGE | COPY_SRC | COPY_DST));
  let narrow;
  try {
    if (widens) narrow = await runner.buffer(length, STORAGE);
    const batches = new Batches(runner, narrow ?? output, signal);
    try {
      let at = widens ? 0 : offset;
      for await (const { plan, decoded } of input.parts(tensor)) {
        await batches.add(call(() => plan(at)));
        at += decoded;
      }
      await batches.end();
    } finally {
      await batches.stop();
    }
    if (widens) await runner.widen(narrow, length / 2, tensor.dtype === 'BF16', output, offset);
    signal?.throwIfAborted();
    return { ...described(tensor), decodedOn: 'gpu', buffer: output, offset, byteLength };
  } catch (error) {
    if (!buffer) output.destroy();
    throw error;
  } finally {
    narrow?.destroy();
  }
}

function checkTarget(buffer, offset, byteLength) {
  if (!(Number.isSafeInteger(offset) && offset >= 0 && offset % 4 === 0)) {
    throw new TypeError(`offset ${offset} is not a multiple of 4`);
  }
  if (!buffer) return;
  if (!(buffer.usage & GPUBufferUsage.STORAGE)) {
    throw new TypeError('the buffer cannot be written by shaders: create it with GPUBufferUsage.STORAGE');
  }
  const needed = Math.ceil(byteLength / 4) * 4;
  if (offset + needed > buffer.size) {
    const message = `buffer is too small: ${needed} bytes needed, ${Math.max(0, buffer.size - offset)} given`;
    throw new ZipnnError('OutputTooSmall', message);
  }
}

/** A file of which any part can be read alone. */
class ArchiveInput {
  #archive;
  #options;

  static async open(module, source, options) {
    return new ArchiveInput(await openArchive(module, source, options), options);
  }

  constructor(archive, options) {
    this.#archive = archive;
    this.#options = options;
  }

  /** Returns the tensor, or a description of the whole file. */
  async find() {
    const { name, signal } = this.#options;
    if (name === undefined) return { range: [0, this.#archive.decodedLength] };
    return this.#archive.tensor(name, { signal });
  }

  /** Yields functions that plan the parts of a tensor, in order. */
  async *parts({ range }) {
    const { signal } = this.#options;
    for await (const part of this.#archive.storedParts(...range, { signal })) {
      const [start, end] = part.decodedRange();
      yield { plan: (at) => part.plan(at), decoded: end - start };
    }
  }

  read({ range }) {
    return this.#archive.read(...range, { signal: this.#options.signal });
  }

  free() {
    this.#archive.free();
  }
}

/** A file that arrives as a stream. */
class StreamInput {
  #module;
  #reader;
  #options;
  #decoder;
  #limits;
  /** Bytes that have arrived and that the decoder has not taken. */
  #pending = new Uint8Array(0);
  /** Position of the pending frame in the decoded data. */
  #position = 0;
  #turn;
  #abort;

  constructor(module, source, options) {
    this.#module = module;
    this.#options = options;
    this.#limits = limitsOf(options.limits);
    this.#reader = (source instanceof Response ? bodyOf(source) : source).getReader();
    this.#decoder = new module.bindings.Decoder(...this.#limits, false, 0);
    this.#turn = new Turn(options.signal);
    // Ends a read that waits for bytes.
    this.#abort = () => this.#reader.cancel(options.signal.reason).catch(() => {});
    options.signal?.addEventListener('abort', this.#abort);
  }

  /** Reads up to the next frame. Returns its fields, or `undefined` at the end of the file. */
  async #frame() {
    for (;;) {
      const frame = this.#decoder.frame();
      if (frame) return frame;
      this.#options.signal?.throwIfAborted();
      if (this.#pending.length === 0 && !(await this.#read())) {
        call(() => this.#decoder.end());
        return undefined;
      }
      const taken = push(this.#module, this.#decoder, this.#pending.subarray(0, PART));
      // The decoder ignores bytes after the only frame of a file.
      this.#pending = this.#pending.subarray(taken || this.#pending.length);
      await this.#turn.next();
    }
  }

  async #read() {
    const { signal } = this.#options;
    try {
      const { done, value } = await this.#reader.read();
      signal?.throwIfAborted();
      if (!done) this.#pending = value;
      return !done;
    } catch (error) {
      throw sourceError('SourceFailed', 'the stream failed', error, signal);
    }
  }

  #next(decodedLength) {
    this.#decoder.nextFrame();
    this.#position += decodedLength;
  }

  /** Decodes the pending frame on the processor. The decoder keeps the frame. */
  #decoded([number, at, length, decodedLength]) {
    const bytes = this.#module.view(at, length).slice();
    const decoder = new this.#module.bindings.Decoder(...this.#limits, true, number);
    const decoded = allocate(decodedLength);
    try {
      let end = 0;
      for (let from = 0; from < bytes.length; ) from += push(this.#module, decoder, bytes.subarray(from));
      for (let size; (size = call(() => decoder.nextChunk())) > 0; end += size) {
        decoded.set(this.#module.view(decoder.chunkAt, size), end);
      }
      return decoded;
    } finally {
      decoder.free();
    }
  }

  /** Reads the header, and returns the tensor. The frame in which the header ends is pending. */
  async find() {
    const { name } = this.#options;
    const tensors = await this.#tensors();
    const tensor = tensors.find((tensor) => tensor.name === name);
    if (!tensor) throw new ZipnnError('NoSuchTensor', `the file has no tensor "${name}"`);
    return tensor;
  }

  async #tensors() {
    const beginning = new Growing();
    // The header begins with its length.
    for (let needed = 8; ; ) {
      const frame = await this.#frame();
      if (!frame) throw new ZipnnError('NotSafetensors', 'the file ends before the header of its tensors');
      const decoded = this.#decoded(frame);
      beginning.append(decoded);
      while (beginning.length >= needed) {
        const header = parseHeader(this.#module, beginning.bytes, Number.MAX_SAFE_INTEGER);
        if (header.tensors) return header.tensors;
        ({ needed } = header);
      }
      this.#next(decoded.length);
    }
  }

  /** Yields functions that plan the parts of a tensor, in order. */
  async *parts({ range: [start, end] }) {
    for await (const { from, to } of this.#frames(start, end)) {
      yield { plan: (at) => this.#decoder.plan(from, to, at), decoded: to - from };
    }
  }

  /** Yields the frames that contain a range, with the part of their data that is in it. */
  async *#frames(start, end) {
    while (this.#position < end) {
      const frame = await this.#frame();
      if (!frame) throw new ZipnnError('Truncated', 'the file ends before the tensor');
      const length = frame[3];
      const from = Math.max(0, start - this.#position);
      const to = Math.min(length, end - this.#position);
      if (from < to) yield { frame, from, to };
      this.#next(length);
    }
  }

  async read({ range: [start, end] }) {
    // The header can state any length.
    const data = new Growing();
    for await (const { frame, from, to } of this.#frames(start, end)) {
      data.append(this.#decoded(frame).subarray(from, to));
    }
    return data.bytes;
  }

  async free() {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#decoder.free();
    await this.#reader.cancel().catch(() => {});
  }
}
