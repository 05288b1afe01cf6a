// Runs in a worker of the pool. Decodes one frame for each message.

import { push } from './decoder.js';
import { ZipnnError, call } from './error.js';
import { allocate } from './memory.js';

/** Answers messages of the thread that started this worker. */
export function serve(module) {
  const port = globalThis.WorkerGlobalScope
    ? globalThis
    : process.getBuiltinModule('node:worker_threads').parentPort;
  const listen = (data) => {
    if (data.compiled) {
      module.use(data.compiled);
      port.postMessage({ ready: true });
      return;
    }
    const { id } = data;
    try {
      const decoded = decode(module, data);
      // Returns the memory of the frame for reuse, because workers collect garbage late.
      port.postMessage({ id, decoded, frame: data.frame }, [decoded.buffer, data.frame.buffer]);
    } catch (error) {
      port.postMessage({ id, error: ZipnnError.toMessage(error) });
    }
  };
  if (port.on) port.on('message', listen);
  else port.onmessage = ({ data }) => listen(data);
}

function decode(module, { number, frame, decodedLength, limits }) {
  const decoder = new module.bindings.Decoder(...limits, true, number);
  try {
    for (let at = 0, taken; (taken = push(module, decoder, frame.subarray(at))) > 0; at += taken);
    const decoded = allocate(decodedLength);
    for (let at = 0, length; (length = call(() => decoder.nextChunk())) > 0; at += length) {
      decoded.set(module.view(decoder.chunkAt, length), at);
    }
    return decoded;
  } finally {
    decoder.free();
  }
}
