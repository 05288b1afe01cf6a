// Runs batches on a device of WebGPU. The library plans them, and has the shaders.

import { abortable } from './decoder.js';
import { ZipnnError, call, reasonOf } from './error.js';

/** Threads for each stream of a plane. */
const LANES = 16;
/** Constants of the shaders by their numbers. */
const CONSTANTS = [{ LANES }, { LANES, PAIRS: 1 }];
/** Number of the shader that widens elements. */
const WIDEN = 6;
/** Shortest buffer, because bindings must not be empty. */
const MIN_BUFFER = 256;
/** Alignment of bindings, in bytes. */
const ALIGNMENT = 256;
/** Bytes of elements of 16 bits that are widened at a time. */
const WIDEN_AT_ONCE = 32 << 20;
/** Threads and most workgroups of the shader that widens. */
const WIDEN_THREADS = 256;
const MAX_WORKGROUPS = 4096;

/** Returns a device of the default adapter, or `undefined` without an adapter. */
export async function requestDevice() {
  const adapter = await globalThis.navigator?.gpu?.requestAdapter();
  if (!adapter) return undefined;
  const { maxBufferSize } = adapter.limits;
  return adapter.requestDevice({ requiredLimits: { maxBufferSize } });
}

/** The compiled shaders of each device. */
const compiled = new WeakMap();

/** Returns a runner for a device, whose shaders are compiled once. */
export async function runnerOf(module, device) {
  if (!compiled.has(device)) {
    const pipelines = compile(device, module.bindings.shaderSources());
    compiled.set(device, pipelines);
    // The next call can try again.
    pipelines.catch(() => compiled.delete(device));
  }
  return new Runner(module, device, await guarded(device, compiled.get(device)));
}

function compile(device, sources) {
  const pipelines = sources.map((code, number) =>
    device.createComputePipelineAsync({
      layout: 'auto',
      compute: {
        module: device.createShaderModule({ code }),
        entryPoint: 'main',
        constants: CONSTANTS[number] ?? {},
      },
    }));
  return Promise.all(pipelines);
}

const lost = ({ message }) => {
  throw new ZipnnError('DeviceLost', `the GPU was lost${message ? `: ${message}` : ''}; request another device`);
};

/** Returns a promise that is also rejected if the device is lost. */
async function guarded(device, promise) {
  try {
    return await Promise.race([promise, device.lost.then(lost)]);
  } catch (error) {
    if (error instanceof ZipnnError) throw error;
    // A lost device rejects everything first.
    await Promise.race([device.lost.then(lost), new Promise((resolve) => setTimeout(resolve, 50))]);
    throw new ZipnnError('GpuFailed', `the GPU failed: ${reasonOf(error)}`, { cause: error });
  }
}

/** Runs batches on a device. */
class Runner {
  #module;
  #device;
  #pipelines;

  constructor(module, device, pipelines) {
    this.#module = module;
    this.#device = device;
    this.#pipelines = pipelines;
  }

  /** Creates a buffer, or fails with a `ZipnnError`. */
  async buffer(length, usage) {
    const { maxBufferSize } = this.#device.limits;
    const size = Math.max(MIN_BUFFER, Math.ceil(length / 4) * 4);
    if (size > maxBufferSize) {
      const message = `the device allows buffers of ${maxBufferSize} bytes, ${size} are needed`;
      throw new ZipnnError('LimitExceeded', message);
    }
    this.#device.pushErrorScope('out-of-memory');
    const buffer = this.#device.createBuffer({ size, usage });
    const error = await guarded(this.#device, this.#device.popErrorScope());
    if (error) throw new ZipnnError('OutOfMemory', `the GPU has no ${size} bytes left`);
    return buffer;
  }

  /** Creates a buffer that lives as long as a batch. */
  #temporary(length, usage) {
    const size = Math.max(MIN_BUFFER, Math.ceil(length / 4) * 4);
    return this.#device.createBuffer({ size, usage });
  }

  #upload(batch) {
    const bytes = this.#module.view(...batch.upload());
    const size = Math.max(MIN_BUFFER, bytes.length);
    const usage = GPUBufferUsage.STORAGE;
    const buffer = this.#device.createBuffer({ size, usage, mappedAtCreation: true });
    new Uint8Array(buffer.getMappedRange()).set(bytes);
    buffer.unmap();
    return buffer;
  }

  /** Begins to decode a batch to `output`. Returns a promise of its verification. */
  run(batch, output) {
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const [scratch, spare, , report] = batch.lengths();
    const own = [];
    const temporary = (length, usage) => {
      own.push(this.#temporary(length, usage));
      return own.at(-1);
    };
    const errors = this.#watched(() => {
      own.push(this.#upload(batch));
      const reportBuffer = temporary(report, STORAGE | COPY_SRC);
      const buffers = [own[0], temporary(scratch, STORAGE), temporary(spare, STORAGE), output, reportBuffer];
      const copy = temporary(report, COPY_DST | MAP_READ);
      const encoder = this.#device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { shader, groups, bindings } of passesOf(batch.passes(), buffers)) {
        this.#dispatch(pass, shader, groups, bindings);
      }
      pass.end();
      encoder.copyBufferToBuffer(reportBuffer, 0, copy, 0, reportBuffer.size);
      this.#device.queue.submit([encoder.finish()]);
    });
    return this.#verify(batch, own.at(-1), report, errors).finally(() => {
      for (const buffer of own) buffer.destroy();
    });
  }

  /** Calls `work`, and returns promises of the errors of the device, and of an error that it throws. */
  #watched(work) {
    this.#device.pushErrorScope('validation');
    this.#device.pushErrorScope('out-of-memory');
    const errors = [];
    try {
      work();
    } catch (error) {
      errors.push(error);
    }
    errors.push(this.#device.popErrorScope(), this.#device.popErrorScope());
    return errors;
  }

  #dispatch(pass, shader, groups, bindings) {
    const pipeline = this.#pipelines[shader];
    const entries = bindings.map((resource, binding) => ({ binding, resource }));
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, this.#device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...groups);
  }

  async #verify(batch, copy, length, errors) {
    await guarded(this.#device, this.#failed(errors));
    await guarded(this.#device, copy.mapAsync(GPUMapMode.READ));
    const report = new Uint8Array(copy.getMappedRange(), 0, length);
    call(() => batch.verify(report));
  }

  async #failed(errors) {
    for (const error of await Promise.all(errors)) {
      // Mapped buffers that do not fit into memory are a `RangeError`.
      if (error instanceof GPUOutOfMemoryError || error instanceof RangeError) {
        throw new ZipnnError('OutOfMemory', 'there is no memory left for the GPU');
      }
      if (error) throw new ZipnnError('GpuFailed', `the GPU failed: ${error.message}`);
    }
  }

  /** Widens elements of 16 bits from the beginning of `source` to 32 bits in `output` from `offset` on. */
  async widen(source, elements, isBfloat16, output, offset) {
    const jobs = [];
    try {
      const errors = this.#watched(() => this.#beginToWiden(jobs, source, elements, isBfloat16, output, offset));
      await guarded(this.#device, this.#failed(errors));
      await guarded(this.#device, this.#device.queue.onSubmittedWorkDone());
    } finally {
      for (const job of jobs) job.destroy();
    }
  }

  /** Submits the work of `widen`, and adds the buffers that it needs to `jobs`. */
  #beginToWiden(jobs, source, elements, isBfloat16, output, offset) {
    const { STORAGE, COPY_DST } = GPUBufferUsage;
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let at = 0; at < elements; at += WIDEN_AT_ONCE / 2) {
      const count = Math.min(WIDEN_AT_ONCE / 2, elements - at);
      const start = offset + 4 * at;
      const window = start - (start % ALIGNMENT);
      const job = this.#temporary(16, STORAGE | COPY_DST);
      const fields = [count, Number(isBfloat16), 0, (start - window) / 4];
      this.#device.queue.writeBuffer(job, 0, new Uint32Array(fields));
      jobs.push(job);
      const groups = Math.min(MAX_WORKGROUPS, Math.ceil(count / WIDEN_THREADS));
      this.#dispatch(pass, WIDEN, [groups], [
        { buffer: source, offset: 2 * at, size: Math.ceil(count / 2) * 4 },
        { buffer: job },
        { buffer: output, offset: window, size: start + 4 * count - window },
      ]);
    }
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }
}

/** Yields the passes of a batch, whose numbers `Batch.passes` describes. */
function* passesOf(numbers, buffers) {
  for (let at = 0; at < numbers.length; ) {
    const [shader, x, y, count] = numbers.subarray(at, at + 4);
    at += 4;
    const bindings = [];
    for (let i = 0; i < count; i++, at += 3) {
      const [number, offset, size] = numbers.subarray(at, at + 3);
      bindings.push(size > 0 ? { buffer: buffers[number], offset, size } : { buffer: buffers[number] });
    }
    yield { shader, groups: [x, y], bindings };
  }
}

/** Runs batches one after another, of which two are in work at the same time. */
export class Batches {
  #runner;
  #output;
  #signal;
  #running = [];

  constructor(runner, output, signal) {
    this.#runner = runner;
    this.#output = output;
    this.#signal = signal;
  }

  /** Begins to decode batches, and frees them when they are verified. */
  async add(batches) {
    try {
      for (let batch; (batch = batches.shift()); ) {
        const running = this.#runner.run(batch, this.#output).finally(() => batch.free());
        // Awaited later. Until then its error must not count as unhandled.
        running.catch(() => {});
        this.#running.push(running);
        if (this.#running.length > 1) await abortable(this.#running.shift(), this.#signal);
      }
    } finally {
      for (const batch of batches) batch.free();
    }
  }

  /** Waits until all batches are verified. */
  async end() {
    while (this.#running.length > 0) await abortable(this.#running.shift(), this.#signal);
  }

  /** Waits until the GPU no longer uses the output, whether that succeeds or not. */
  async stop() {
    await Promise.allSettled(this.#running);
  }
}
