// Weights for tests.

import { readFile } from 'node:fs/promises';

/** Returns 1.2 MB of real bfloat16 weights. */
export const weights = async () =>
  new Uint8Array(await readFile(new URL('../../tests/data/minilm-slice.bf16.safetensors', import.meta.url)));

/** Returns a safetensors file with this number of tensors, filled with repeated real weights. */
export function model(source, tensors, tensorLength) {
  const header = {};
  for (let i = 0; i < tensors; i++) {
    header[`layer.${i}.weight`] = {
      dtype: 'BF16',
      shape: [tensorLength / 2 / 64, 64],
      data_offsets: [i * tensorLength, (i + 1) * tensorLength],
    };
  }
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (json.length % 8)) % 8);
  const file = new Uint8Array(8 + json.length + tensors * tensorLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(new TextEncoder().encode(json), 8);
  // The data follows the header of the source, whose first tensors are matrices.
  const data = source.subarray(8192, 8192 + (1 << 20));
  for (let at = 8 + json.length; at < file.length; at += data.length) {
    file.set(data.subarray(0, Math.min(data.length, file.length - at)), at);
  }
  return file;
}

/** Returns a stream of bytes in parts of this length. */
export function parts(bytes, length) {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + length));
      at += length;
    },
  });
}

/** Returns a file of repeated frames without an index, of which readers keep a list. */
export function repeated(frame, times) {
  const file = new Uint8Array(frame.length * times);
  for (let i = 0; i < times; i++) file.set(frame, i * frame.length);
  return file;
}

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Returns the error that a promise is rejected with. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('no error');
}
