// Workers that decode frames.

import { ZipnnError, reasonOf } from './error.js';

/** Granularity of memory for frames, which makes it reusable for frames of similar length. */
const SPARE_STEP = 1 << 20;

/** Returns the number of cores minus one, or 3 if it is unknown. */
const cores = () => Math.max(1, (globalThis.navigator?.hardwareConcurrency ?? 4) - 1);

/** Threads that decode frames of any number of files. `free` ends them. */
export class WorkerPool {
  #workers = [];
  #jobs = new Map();
  #queue = [];
  #nextId = 0;
  #ended;
  /** Memory of decoded frames, for reuse. */
  #spare = [];

  /** Starts `size` workers with a script and a compiled module. */
  static async start(script, compiled, size = cores()) {
    const pool = new WorkerPool();
    try {
      const starts = Array.from({ length: Math.max(1, size) }, () => pool.#start(script, compiled));
      await Promise.all(starts);
    } catch (error) {
      pool.free();
      throw error;
    }
    return pool;
  }

  get size() {
    return this.#workers.length;
  }

  async #start(script, compiled) {
    const worker = { thread: startThread(script), jobs: 0 };
    this.#workers.push(worker);
    await new Promise((resolve, reject) => {
      const fail = (error) => {
        const failure = workerError(error);
        reject(failure);
        this.#end(failure);
      };
      worker.thread.listen((message) => {
        if (message.ready) resolve();
        else this.#done(worker, message);
      }, fail);
      worker.thread.post({ compiled });
    });
  }

  /** Copies a frame for `decode`. */
  copyOf(frame) {
    const at = this.#spare.findIndex((buffer) => buffer.byteLength >= frame.length);
    const size = Math.ceil(frame.length / SPARE_STEP) * SPARE_STEP;
    const buffer = at < 0 ? new ArrayBuffer(size) : this.#spare.splice(at, 1)[0];
    const copy = new Uint8Array(buffer, 0, frame.length);
    copy.set(frame);
    return copy;
  }

  /** Decodes a frame and transfers its memory. */
  decode(number, frame, decodedLength, limits) {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#ended);
        return;
      }
      const id = this.#nextId++;
      this.#jobs.set(id, { resolve, reject });
      this.#queue.push({ id, number, frame, decodedLength, limits });
      this.#dispatch();
    });
  }

  /** Passes jobs to workers. Each gets one job ahead, so that it never waits. */
  #dispatch() {
    for (;;) {
      const idle = this.#workers.reduce((least, worker) => (worker.jobs < least.jobs ? worker : least));
      if (idle.jobs >= 2 || this.#queue.length === 0) return;
      const job = this.#queue.shift();
      idle.jobs += 1;
      idle.thread.post(job, [job.frame.buffer]);
    }
  }

  #done(worker, { id, decoded, frame, error }) {
    worker.jobs -= 1;
    if (frame && this.#spare.length < this.size) this.#spare.push(frame.buffer);
    const job = this.#jobs.get(id);
    this.#jobs.delete(id);
    if (error) job?.reject(ZipnnError.fromMessage(error));
    else job?.resolve(decoded);
    this.#dispatch();
  }

  #end(reason) {
    if (this.#ended) return;
    this.#ended = reason;
    for (const { reject } of this.#jobs.values()) reject(reason);
    for (const { thread } of this.#workers) thread.terminate();
    this.#jobs.clear();
    this.#queue.length = 0;
  }

  /** Ends the workers and rejects pending jobs. */
  free() {
    this.#end(new ZipnnError('PoolFreed', 'the pool of workers has been freed'));
  }
}

if (Symbol.dispose) WorkerPool.prototype[Symbol.dispose] = WorkerPool.prototype.free;

/** Wraps the error of a worker. Browsers often state no reason if a script does not start. */
function workerError(cause) {
  const reason = cause?.message
    ? reasonOf(cause)
    : 'check that the page may load its script: same origin, and worker-src of the content security policy';
  return new ZipnnError('WorkerFailed', `a worker failed: ${reason}`, { cause });
}

/** Starts a worker. Browsers throw immediately for scripts of another origin. */
function startThread(script) {
  try {
    return thread(script);
  } catch (cause) {
    throw workerError(cause);
  }
}

/** Returns a common interface for workers of browsers and of Node. */
function thread({ url, start }) {
  if (globalThis.Worker) {
    const worker = start();
    return {
      post: (message, transfer) => worker.postMessage(message, transfer),
      listen: (onMessage, onError) => {
        worker.onmessage = ({ data }) => onMessage(data);
        worker.onerror = onError;
      },
      terminate: () => worker.terminate(),
    };
  }
  // Bundlers for browsers fail on imports of modules of Node.
  const { Worker: NodeWorker } = process.getBuiltinModule('node:worker_threads');
  const worker = new NodeWorker(url);
  // An idle pool must not keep the program running.
  worker.unref();
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen: (onMessage, onError) => worker.on('message', onMessage).on('error', onError),
    terminate: () => worker.terminate(),
  };
}
