// Tests the package in Node: everything that does not need a browser.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import * as everything from '../js/index.js';
import * as decoding from '../js/decode.js';
import { TestServer } from '../tools/server.js';
import { collect, failure, model, parts, repeated, weights } from './samples.js';

const { ZipnnCompressStream, ZipnnDecompressStream, ZipnnError, compress, createPool, decompress, openArchive, streamTensors } = everything;

/** Codes for a changed bit. The code depends on whether the bit affects decoding. */
const DAMAGE = ['ChecksumMismatch', 'CorruptStream'];

const isSame = (a, b) => Buffer.compare(a, b) === 0;
const source = await weights();
const file = await compress(source);
const big = model(source, 12, 1 << 20);
const bigFile = await compress(big);

/** Passes parts on and reports their lengths. */
const counter = (count) => new TransformStream({
  transform(part, controller) {
    count(part.length);
    controller.enqueue(part);
  },
});

describe('whole inputs', () => {
  test('compressed data is restored', async () => {
    assert.ok(file.length < source.length * 0.68, `${file.length} bytes`);
    assert.ok(isSame(await decompress(file), source));
    assert.ok(isSame(await decoding.decompress(file), source));
    for (const dtype of ['f32', 'bf16', 'f16', 'f8_e4m3', 'f8_e5m2', 'BF16', 'bytes']) {
      for (const length of [0, 1, 1001, 70_001]) {
        const data = source.subarray(5000, 5000 + length);
        assert.ok(isSame(await decompress(await compress(data, { dtype })), data), `${dtype}, ${length}`);
      }
    }
  });

  test('typed arrays and buffers are bytes', async () => {
    const numbers = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
    const packed = await compress(numbers, { dtype: 'f32' });
    const back = await decompress(packed.buffer);
    assert.deepEqual(new Float32Array(back.buffer, back.byteOffset, 1000), numbers);
    const error = await failure(decompress('text'));
    assert.ok(error instanceof TypeError, error);
  });

  test('files of the original decode', async () => {
    const golden = new URL('../../tests/data/golden/', import.meta.url);
    const manifest = JSON.parse(await readFile(new URL('manifest.json', golden)));
    let seen = 0;
    for (const entry of manifest.synthetic) {
      const bytes = await readFile(new URL(entry.file, golden));
      const original = (await readFile(new URL(entry.original, golden))).subarray(0, entry.original_len);
      assert.ok(isSame(await decompress(bytes), original), entry.file);
      assert.ok(isSame(await collect(parts(bytes, 1000).pipeThrough(new ZipnnDecompressStream())), original), entry.file);
      seen += 1;
    }
    assert.ok(seen > 30, `${seen} files`);
  });

  test('decompress writes into memory of the caller', async () => {
    const into = new Uint8Array(source.length + 10);
    const output = await decompress(file, { into });
    assert.equal(output.buffer, into.buffer);
    assert.ok(isSame(output, source));
    assert.equal((await failure(decompress(file, { into: new Uint8Array(10) }))).code, 'OutputTooSmall');
  });

  test('damage is an error with a code and a place', async () => {
    const damaged = bigFile.slice();
    damaged[bigFile.length >> 1] ^= 1;
    const error = await failure(decompress(damaged));
    assert.ok(error instanceof ZipnnError);
    assert.ok(DAMAGE.includes(error.code), error.code);
    assert.equal(typeof error.place.frame, 'number');
    assert.equal(typeof error.place.chunk, 'number');
    assert.match(error.message, /^frame \d+, chunk \d+/);
    assert.equal((await failure(decompress(new Uint8Array(100)))).code, 'BadMagic');
    assert.equal((await failure(decompress(file.subarray(0, 1000)))).code, 'Truncated');
    assert.equal((await failure(compress(source, { dtype: 'f64' }))).code, 'UnsupportedDType');
  });

  test('limits are enforced', async () => {
    const limits = { decodedBytes: source.length - 1 };
    assert.equal((await failure(decompress(file, { limits }))).code, 'LimitExceeded');
    const small = { frameBytes: 1000 };
    assert.equal((await failure(decompress(file, { limits: small }))).code, 'LimitExceeded');
  });

  test('work can be aborted and reports its progress', async () => {
    const controller = new AbortController();
    const progress = [];
    const onProgress = (now) => progress.push(now);
    await decompress(bigFile, { onProgress });
    assert.equal(progress.at(-1).decoded, big.length);
    assert.equal(progress.at(-1).read, bigFile.length);
    const promise = decompress(bigFile, { signal: controller.signal });
    controller.abort();
    assert.equal((await failure(promise)).name, 'AbortError');
  });
});

describe('streams', () => {
  test('every division of the input returns the same data', async () => {
    for (const length of [100, 4097, 1 << 16, bigFile.length]) {
      const decoded = await collect(parts(bigFile, length).pipeThrough(new ZipnnDecompressStream()));
      assert.ok(isSame(decoded, big), `parts of ${length}`);
      const encoded = await collect(parts(big, length).pipeThrough(new ZipnnCompressStream()));
      assert.ok(isSame(encoded, bigFile), `parts of ${length}`);
    }
  });

  test('a slow reader delays the writer', async () => {
    let taken = 0;
    const counting = counter((length) => (taken += length));
    const stream = parts(bigFile, 1 << 14).pipeThrough(counting).pipeThrough(new ZipnnDecompressStream());
    const reader = stream.getReader();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    // The decoder holds one frame, and queues hold a few parts.
    assert.ok(taken < bigFile.length / 2, `${taken} bytes`);
    await reader.cancel();
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(taken < bigFile.length / 2, `${taken} bytes`);
  });

  test('a reader can supply memory', async () => {
    const pool = await createPool(2);
    for (const options of [{}, { pool }]) {
      for (const size of [999, 1 << 20]) {
        const stream = parts(bigFile, 70_000).pipeThrough(new ZipnnDecompressStream(options));
        const reader = stream.getReader({ mode: 'byob' });
        const decoded = [];
        for (let memory = new ArrayBuffer(size); ; ) {
          const { value, done } = await reader.read(new Uint8Array(memory));
          memory = value.buffer;
          if (done) break;
          assert.ok(memory.byteLength === size && value.length > 0);
          decoded.push(value.slice());
        }
        assert.ok(isSame(Buffer.concat(decoded), big), `${size} bytes`);
      }
    }
    pool.free();
    const cut = parts(bigFile.subarray(0, 100_000), 5000).pipeThrough(new ZipnnDecompressStream());
    const reader = cut.getReader({ mode: 'byob' });
    const error = await failure((async () => {
      while (!(await reader.read(new Uint8Array(1 << 16))).done);
    })());
    assert.equal(error.code, 'Truncated');
  });

  test('a truncated file is an error', async () => {
    for (const length of [0, 1, 31, 1000, bigFile.length - 1]) {
      const cut = parts(bigFile.subarray(0, length), 5000);
      const error = await failure(collect(cut.pipeThrough(new ZipnnDecompressStream())));
      assert.equal(error.code, 'Truncated', `${length} bytes`);
    }
  });

  test('aborting ends both sides of a stream', async () => {
    const controller = new AbortController();
    const { readable, writable } = new ZipnnDecompressStream({ signal: controller.signal });
    const writer = writable.getWriter();
    const written = failure(writer.write(bigFile));
    const reader = readable.getReader();
    await reader.read();
    controller.abort();
    assert.equal((await failure(reader.read())).name, 'AbortError');
    assert.equal((await written).name, 'AbortError');
    assert.equal((await failure(writer.closed)).name, 'AbortError');
  });

  test('tensors are yielded as soon as they arrive', async () => {
    let pushed = 0;
    const counting = counter((length) => (pushed += length));
    const names = [];
    for await (const tensor of streamTensors(parts(bigFile, 1 << 14).pipeThrough(counting))) {
      if (names.length === 0) assert.ok(pushed < bigFile.length / 2, `${pushed} bytes for the first`);
      assert.ok(isSame(new Uint8Array(tensor.data.buffer), big.subarray(...tensor.range)));
      names.push(tensor.name);
    }
    assert.equal(names.length, 12);
    assert.equal(names[3], 'layer.3.weight');
    const error = await failure((async () => {
      for await (const _ of streamTensors(parts(await compress(new Uint8Array(100)), 10)));
    })());
    assert.ok(error instanceof ZipnnError, error);
  });

  test('a file that is not compressed is streamed as well', async () => {
    const progress = [];
    const onProgress = (now) => progress.push(now);
    for (const length of [1000, 70_000, big.length]) {
      const names = [];
      const response = new Response(parts(big, length));
      for await (const { name, data, range } of streamTensors(response, { onProgress })) {
        assert.ok(isSame(new Uint8Array(data.buffer), big.subarray(...range)));
        names.push(name);
      }
      assert.equal(names.length, 12);
      assert.deepEqual(progress.at(-1), { read: big.length, decoded: big.length });
    }
    for await (const { data } of streamTensors(parts(big, 1 << 14))) {
      assert.ok(data instanceof Uint16Array);
      break;
    }
    const header = new TextEncoder().encode('{}      ');
    const empty = new Uint8Array(16);
    empty.set(header, 8);
    empty[0] = 8;
    assert.equal((await streamTensors(parts(empty, 3)).next()).done, true);
  });

  test('faults of a file that is not compressed are errors', async () => {
    const read = async (source, options) => {
      for await (const _ of streamTensors(source, options));
    };
    const cut = await failure(read(parts(big.subarray(0, big.length - 1), 70_000)));
    assert.equal(cut.code, 'Truncated');
    const limits = { decodedBytes: 1 << 20 };
    assert.equal((await failure(read(parts(big, 70_000), { limits }))).code, 'LimitExceeded');
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const aborted = await failure(read(parts(big, 70_000), { signal: controller.signal, onProgress }));
    assert.equal(aborted.name, 'AbortError');
    assert.equal((await failure(read(parts(new Uint8Array(), 1)))).code, 'Truncated');
    const missing = await failure(read(new Response('Not found', { status: 404 })));
    assert.equal(missing.code, 'HttpError');
    assert.equal(missing.status, 404);
  });

  test('bytes between and after tensors are skipped, and shared bytes rejected', async () => {
    const stream = async (second) => {
      const header = JSON.stringify({
        a: { dtype: 'U8', shape: [4], data_offsets: [3, 7] },
        b: { dtype: 'U8', shape: [2], data_offsets: second },
        none: { dtype: 'F32', shape: [0], data_offsets: [5, 5] },
      });
      const json = new TextEncoder().encode(header);
      const source = new Uint8Array(8 + json.length + 20);
      new DataView(source.buffer).setBigUint64(0, BigInt(json.length), true);
      source.set(json, 8);
      for (let i = 0; i < 20; i++) source[8 + json.length + i] = i;
      const found = {};
      for await (const { name, data } of streamTensors(parts(await compress(source), 10))) {
        found[name] = Array.from(data);
      }
      return found;
    };
    assert.deepEqual(await stream([10, 12]), { a: [3, 4, 5, 6], none: [], b: [10, 11] });
    assert.equal((await failure(stream([5, 7]))).code, 'SharedBytes');
  });
});

describe('workers', () => {
  let pool;
  before(async () => {
    pool = await createPool(2);
  });
  after(() => pool.free());

  test('return the same data', async () => {
    assert.equal(pool.size, 2);
    assert.ok(isSame(await decompress(bigFile, { pool }), big));
    const stream = parts(bigFile, 9999).pipeThrough(new ZipnnDecompressStream({ pool }));
    assert.ok(isSame(await collect(stream), big));
    const two = await Promise.all([decompress(bigFile, { pool }), decompress(file, { pool })]);
    assert.ok(isSame(two[0], big) && isSame(two[1], source));
  });

  test('report the same damage', async () => {
    const damaged = bigFile.slice();
    damaged[bigFile.length >> 1] ^= 1;
    const [alone, pooled] = await Promise.all([failure(decompress(damaged)), failure(decompress(damaged, { pool }))]);
    assert.deepEqual({ ...pooled, message: pooled.message }, { ...alone, message: alone.message });
    assert.ok(isSame(await decompress(bigFile, { pool }), big));
  });

  test('can be freed', async () => {
    const other = await createPool(1);
    const promise = decompress(bigFile, { pool: other });
    other.free();
    assert.equal((await failure(promise)).code, 'PoolFreed');
  });
});

describe('archives', () => {
  let server;
  before(async () => {
    server = await new TestServer({ '/big.znn': bigFile, '/small.znn': file }).listen();
  });
  after(() => server.close());

  test('tensors are read with ranges', async () => {
    const archive = await openArchive(`${server.url}/big.znn`);
    assert.equal(server.sent('/big.znn').requests, 2, 'two small requests');
    assert.ok(server.sent('/big.znn').bytes <= 32 << 10);
    const tensors = await archive.tensors();
    assert.deepEqual(tensors.map(({ name }) => name).slice(0, 2), ['layer.0.weight', 'layer.1.weight']);
    const before = server.sent('/big.znn').bytes;
    const tensor = await archive.readTensor('layer.7.weight');
    assert.ok(tensor.data instanceof Uint16Array);
    assert.deepEqual(tensor.shape, [8192, 64]);
    assert.ok(isSame(new Uint8Array(tensor.data.buffer), big.subarray(...tensor.range)));
    const read = server.sent('/big.znn').bytes - before;
    assert.ok(read < bigFile.length / 6, `${read} of ${bigFile.length} bytes`);
    assert.equal((await failure(archive.readTensor('nothing'))).code, 'NoSuchTensor');
    archive.free();
    assert.equal((await failure(archive.read(0, 1))).code, 'ArchiveFreed');
  });

  test('all kinds of sources are accepted', async () => {
    const ranges = { size: bigFile.length, read: async (start, end) => bigFile.subarray(start, end) };
    for (const from of [bigFile, new Blob([bigFile]), ranges, `${server.url}/big.znn?whole`]) {
      const archive = await openArchive(from);
      const { data } = await archive.readTensor('layer.11.weight');
      assert.ok(isSame(new Uint8Array(data.buffer), big.subarray(-(1 << 20))));
      archive.free();
    }
  });

  test('invalid ranges are errors', async () => {
    const archive = await openArchive(bigFile);
    const wrong = [[-5, 10], [10, 5], [0, big.length + 1], [0.5, 10], [0, 10.5], [NaN, 10], [5], []];
    for (const range of wrong) assert.equal((await failure(archive.read(...range))).code, 'OutOfRange', `${range}`);
    assert.equal((await archive.read(big.length, big.length)).length, 0);
    archive.free();
  });

  test('files without tensors are errors', async () => {
    for (const data of [new Uint8Array(0), new Uint8Array(5), new Uint8Array(5000), source.subarray(0, 5000)]) {
      const archive = await openArchive(await compress(data));
      assert.equal((await failure(archive.tensors())).code, 'NotSafetensors', `${data.length} bytes`);
      archive.free();
    }
  });

  test('aborting one caller of tensors() does not stop others', async () => {
    let reads = 0;
    const ranges = {
      size: bigFile.length,
      read: async (start, end) => {
        reads += 1;
        return bigFile.subarray(start, end);
      },
    };
    const archive = await openArchive(ranges);
    const controller = new AbortController();
    const before = reads;
    const [first, second] = [failure(archive.tensors({ signal: controller.signal })), archive.tensors()];
    controller.abort();
    assert.equal((await first).name, 'AbortError');
    assert.equal((await second).length, 12);
    const once = reads;
    assert.ok(once > before);
    assert.equal((await archive.tensors()).length, 12);
    assert.equal(reads, once);
    const progress = [];
    await archive.readTensor('layer.2.weight', { onProgress: (now) => progress.push(now.total) });
    assert.deepEqual([...new Set(progress)], [1 << 20]);
    archive.free();
  });

  test('workers decode whole frames', async () => {
    const pool = await createPool(2);
    let jobs = 0;
    const decode = (...job) => {
      jobs += 1;
      return pool.decode(...job);
    };
    const counting = { size: pool.size, copyOf: (frame) => pool.copyOf(frame), decode };
    const archive = await openArchive(`${server.url}/big.znn`, { pool: counting });
    const progress = [];
    const whole = await archive.read(0, big.length, { onProgress: (now) => progress.push(now) });
    assert.ok(isSame(whole, big));
    assert.ok(jobs >= 3, `${jobs} jobs`);
    assert.deepEqual(progress.at(-1), { decoded: big.length, total: big.length });
    assert.ok(isSame(await archive.read(100, big.length - 100), big.subarray(100, big.length - 100)));
    const { data, range } = await archive.readTensor('layer.5.weight');
    assert.ok(isSame(new Uint8Array(data.buffer), big.subarray(...range)));

    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const aborted = archive.read(0, big.length, { signal: controller.signal, onProgress });
    assert.equal((await failure(aborted)).name, 'AbortError');
    assert.ok(isSame(await archive.read(0, big.length), big));

    pool.free();
    assert.equal((await failure(archive.read(0, big.length))).code, 'PoolFreed');
    archive.free();
  });

  test('workers report the same damage', async () => {
    const damaged = bigFile.slice();
    damaged[bigFile.length >> 1] ^= 1;
    const pool = await createPool(2);
    const errors = [];
    for (const options of [{}, { pool }]) {
      const archive = await openArchive(damaged, options);
      errors.push(await failure(archive.read(0, big.length)));
      archive.free();
    }
    pool.free();
    const [alone, pooled] = errors;
    assert.ok(pooled instanceof ZipnnError, pooled);
    assert.deepEqual({ ...pooled, message: pooled.message }, { ...alone, message: alone.message });
  });

  test('failures of servers are errors', async () => {
    assert.equal((await failure(openArchive(`${server.url}/nothing`))).code, 'HttpError');
    const controller = new AbortController();
    const promise = openArchive(`${server.url}/big.znn`, { signal: controller.signal });
    controller.abort();
    assert.equal((await failure(promise)).name, 'AbortError');
  });

  test('damage is reported with its location', async () => {
    const damaged = bigFile.slice();
    damaged[bigFile.length >> 1] ^= 1;
    const archive = await openArchive(damaged);
    const errors = [];
    for (const { name } of await archive.tensors()) {
      await archive.readTensor(name).catch((error) => errors.push(error));
    }
    assert.ok(errors.length >= 1 && errors.length <= 2, `${errors.length} errors`);
    assert.ok(DAMAGE.includes(errors[0].code), errors[0].code);
    archive.free();
  });
});

describe('freed objects', () => {
  test('reject calls', async () => {
    const archive = await openArchive(bigFile);
    const tensors = await archive.tensors();
    archive.free();
    archive.free();
    assert.equal(archive.size, bigFile.length);
    assert.throws(() => archive.decodedLength, { name: 'ZipnnError', code: 'ArchiveFreed' });
    const { name } = tensors[0];
    for (const use of [() => archive.read(0, 1), () => archive.tensors(), () => archive.readTensor(name)]) {
      const error = await failure(use());
      assert.ok(error instanceof ZipnnError, error);
      assert.equal(error.code, 'ArchiveFreed');
    }
    const pool = await createPool(1);
    pool.free();
    pool.free();
    for (const use of [
      () => decompress(file, { pool }),
      () => collect(parts(file, 1000).pipeThrough(new ZipnnDecompressStream({ pool }))),
    ]) {
      const error = await failure(use());
      assert.ok(error instanceof ZipnnError, error);
      assert.equal(error.code, 'PoolFreed');
    }
  });

  test('are freed at the end of `using`', { skip: !Symbol.dispose && 'no Symbol.dispose here' }, async () => {
    const archive = await openArchive(file);
    archive[Symbol.dispose]();
    assert.equal((await failure(archive.read(0, 1))).code, 'ArchiveFreed');
    const pool = await createPool(1);
    pool[Symbol.dispose]();
    assert.equal((await failure(decompress(file, { pool }))).code, 'PoolFreed');
  });

  test('release memory', async () => {
    const bindings = await import('../dist/full/zipnn.js');
    // Returns the exports of a module that is already loaded.
    const { memory } = bindings.initSync();
    const frame = await compress(source.subarray(0, 1000), { checksums: false, index: false });
    const frames = repeated(frame, 500);
    const uses = [
      async () => {
        const archive = await openArchive(frames);
        await archive.read(100, 1500);
        archive.free();
      },
      async () => {
        const archive = await openArchive(bigFile);
        await archive.readTensor('layer.3.weight');
        archive.free();
      },
      async () => {
        const reader = parts(bigFile, 1 << 16).pipeThrough(new ZipnnDecompressStream()).getReader();
        await reader.read();
        await reader.cancel();
      },
      () => failure(decompress(bigFile.subarray(0, bigFile.length >> 1))),
      () => decompress(bigFile),
      () => compress(source),
    ];
    const useAll = async (times) => {
      for (let i = 0; i < times; i++) for (const use of uses) await use();
    };
    // Memory for reuse is allocated after a few calls.
    await useAll(3);
    const before = memory.buffer.byteLength;
    await useAll(100);
    assert.equal(memory.buffer.byteLength, before);
  });
});

describe('numbers', () => {
  test('conversion to float32 is exact', () => {
    const { bf16ToF32, f16ToF32, f8e4m3ToF32, f8e5m2ToF32 } = everything;
    assert.deepEqual([...bf16ToF32([0x3f80, 0xc000, 0x7f80, 0])], [1, -2, Infinity, 0]);
    assert.deepEqual([...f16ToF32([0x3c00, 0xc000, 0x7c00, 0xfc00, 0x0001, 0x03ff, 0x7bff])],
      [1, -2, Infinity, -Infinity, 2 ** -24, 1023 * 2 ** -24, 65504]);
    assert.ok(Number.isNaN(f16ToF32([0x7e01])[0]));
    assert.ok(Object.is(f16ToF32([0x8000])[0], -0));
    assert.deepEqual([...f8e5m2ToF32([0x3c, 0x7b, 0x01, 0x7c])], [1, 57344, 2 ** -16, Infinity]);
    assert.deepEqual([...f8e4m3ToF32([0x38, 0x7e, 0x01, 0xb8])], [1, 448, 2 ** -9, -1]);
    assert.ok(Number.isNaN(f8e4m3ToF32([0x7f])[0]));
  });

  test('both builds of the module return the same data', async () => {
    const dist = new URL('../dist/', import.meta.url);
    const bindings = await import('../dist/full/zipnn.js?plain');
    const { memory } = bindings.initSync({ module: await readFile(new URL('full/zipnn.plain.wasm', dist)) });
    const decoder = new bindings.Decoder(Infinity, Infinity, true, false, 0);
    let decoded = 0;
    for (let at = 0; at < file.length; ) {
      const length = decoder.space(file.length - at);
      new Uint8Array(memory.buffer, decoder.spaceAt).set(file.subarray(at, at + length));
      decoder.advance(length);
      at += length;
      for (let length; (length = decoder.nextChunk()) > 0; ) decoded += length;
    }
    decoder.end();
    assert.equal(decoded, source.length);
    assert.deepEqual((await readdir(new URL('full/', dist))).sort(), ['zipnn.js', 'zipnn.plain.wasm', 'zipnn.simd.wasm']);
  });
});
