// Tests `zipnn/extended`: files that were compressed with `--extended` or `--max`.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import * as extended from '../js/extended.js';
import * as everything from '../js/index.js';
import { collect, failure, parts, weights } from './samples.js';

const { ZipnnDecompressStream, ZipnnError, createPool, decompress, openArchive, streamTensors } = extended;

const read = async (path) => new Uint8Array(await readFile(new URL(path, import.meta.url)));
const isSame = (a, b) => Buffer.compare(a, b) === 0;

/** Files that the library has written, with their data. */
const files = [];
for (const folder of ['max', 'records', 'pivot']) {
  const at = `../../tests/data/${folder}/`;
  const { cases } = JSON.parse(await readFile(new URL(`${at}manifest.json`, import.meta.url)));
  for (const { file, original, original_len: length } of cases) {
    const data = (await read(at + original)).subarray(0, length);
    files.push({ name: `${folder}/${file}`, bytes: await read(at + file), data });
  }
}

/** Rows of real weights, which the program has compressed with `--max`. */
const model = await read('data/max.safetensors.znn');

describe('the extended profile', () => {
  let pool;
  before(async () => {
    pool = await createPool(1);
  });
  after(() => pool.free());

  for (const { name, bytes, data } of files) {
    test(name, async () => {
      assert.ok(isSame(await decompress(bytes), data));
      assert.ok(isSame(await decompress(bytes, { pool }), data), 'with a worker');
      assert.ok(isSame(await collect(parts(bytes, 999).pipeThrough(new ZipnnDecompressStream())), data), 'as a stream');
      const archive = await openArchive(new Blob([bytes]));
      const end = Math.min(data.length, 5000);
      assert.ok(isSame(await archive.read(10, end), data.subarray(10, end)), 'a range');
      archive.free();
      const damaged = bytes.slice();
      damaged[bytes.length >> 1] ^= 4;
      const error = await failure(decompress(damaged));
      assert.ok(error instanceof ZipnnError, error);
    });
  }

  test('there are files of every kind', () => {
    assert.ok(files.length > 15, `${files.length} files`);
  });

  test('planes compressed by Zstandard', async () => {
    const bytes = await read('data/extended.znn');
    const data = await decompress(bytes);
    assert.ok(data.length > bytes.length);
    assert.ok(isSame(await collect(parts(bytes, 100).pipeThrough(new ZipnnDecompressStream())), data));
  });

  test('tensors of a model that was compressed with --max', async () => {
    const archive = await openArchive(model);
    const tensor = await archive.readTensor('weight');
    archive.free();
    assert.ok(model.length < 0.67 * tensor.data.byteLength, `${model.length} bytes`);
    const whole = await everything.openArchive(await everything.compress(await weights()));
    const { data } = await whole.readTensor('encoder.layer.0.attention.self.key.weight');
    whole.free();
    assert.deepEqual(tensor.data, data.subarray(0, tensor.data.length));
    for await (const streamed of streamTensors(new Response(model))) assert.deepEqual(streamed.data, tensor.data);
  });

  test('files in the original profile', async () => {
    const source = await weights();
    assert.ok(isSame(await decompress(await everything.compress(source)), source));
  });

  test('other readers name the import', async () => {
    const error = await failure(everything.decompress(model));
    assert.equal(error.code, 'ExtendedRequired');
    assert.match(error.message, /'zipnn\/extended'/);
  });
});
