// Tests decompressing to buffers of a GPU, in Chromium. Its software adapter needs no GPU.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';

import { decodeToGpuBuffer } from '../js/gpu.js';
import { compress } from '../js/index.js';
import { demoFiles } from '../demo/serve.js';
import { launchOptions } from '../tools/chromium.js';
import { TestServer } from '../tools/server.js';
import { PATIENCE, SETUP } from './page.js';
import { failure, model, parts, repeated, weights } from './samples.js';

const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
/** Codes for a changed bit. The code depends on whether the bit affects decoding. */
const DAMAGE = ['ChecksumMismatch', 'CorruptStream'];

const source = await weights();
const big = model(source, 6, 1 << 20);
const bigFile = await compress(big);
const damaged = bigFile.slice();
// Within the stored planes of a chunk.
damaged[(bigFile.length >> 1) + 100_000] ^= 1;

/** Model files of all types, if the shared folder is there. */
const shared = new URL('../../../shared/models/', import.meta.url);
const names = existsSync(shared) ? (await readdir(shared)).filter((name) => name.endsWith('.safetensors')) : [];
if (process.env.ZIPNN_REQUIRE_SHARED) assert.ok(names.length > 0, 'the shared folder is missing');
const models = { '/model/slice.znn': await compress(source) };
for (const name of names) models[`/model/${name}.znn`] = await compress(await readFile(new URL(name, shared)));

/** Real and special halves: subnormal numbers, infinities, NaN. */
const halves = new Uint16Array(1 << 16).map((_, i) => i);
const header = JSON.stringify({
  halves: { dtype: 'F16', shape: [65536], data_offsets: [0, 131072] },
  brains: { dtype: 'BF16', shape: [65536], data_offsets: [131072, 262144] },
  bytes: { dtype: 'U8', shape: [5], data_offsets: [262144, 262149] },
});
const special = new Uint8Array(8 + header.length + 262149);
new DataView(special.buffer).setBigUint64(0, BigInt(header.length), true);
special.set(new TextEncoder().encode(header), 8);
special.set(new Uint8Array(halves.buffer), 8 + header.length);
special.set(new Uint8Array(halves.buffer), 8 + header.length + 131072);

/** Globals for the tests in a page. */
const GPU_SETUP = `${SETUP}
  import * as gpu from '/js/gpu.js';
  globalThis.gpu = gpu;
  globalThis.contents = async (device, { buffer, offset, byteLength }) => {
    const size = Math.ceil((offset + byteLength) / 4) * 4;
    const copy = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
    device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    const bytes = new Uint8Array(copy.getMappedRange()).slice(offset, offset + byteLength);
    copy.destroy();
    return bytes;
  };
  globalThis.bytesOf = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);
  globalThis.isGpuReady = true;`;

let server;
let browser;
before(async () => {
  server = await new TestServer({
    ...(await demoFiles()),
    ...models,
    '/page.html': Buffer.from('<!doctype html><title>test</title>'),
    '/big.znn': bigFile,
    '/damaged.znn': damaged,
    '/special.znn': await compress(special),
    '/slow.znn': async function* () {
      for (let at = 0; at < bigFile.length; at += 50_000) {
        yield bigFile.subarray(at, at + 50_000);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  }).listen();
  const args = launchOptions.args.filter((arg) => arg !== '--disable-gpu');
  browser = await chromium.launch({ ...launchOptions, args: [...args, ...WEBGPU] });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

async function open(from = browser) {
  const page = await from.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${server.url}/page.html`);
  await page.addScriptTag({ type: 'module', content: GPU_SETUP });
  await page.waitForFunction('globalThis.isReady && globalThis.isGpuReady');
  return page;
}

describe('a GPU', () => {
  let page;
  before(async () => {
    page = await open();
    const adapter = await page.evaluate(async () => {
      globalThis.device = await gpu.requestDevice();
      const { vendor, architecture } = globalThis.device?.adapterInfo ?? {};
      return globalThis.device && `${vendor} ${architecture}`;
    });
    assert.ok(adapter, 'Chromium has no adapter');
    console.log(`adapter: ${adapter}`);
  });

  for (const path of Object.keys(models)) {
    test(path, async () => {
      const result = await page.evaluate(async (path) => {
        const archive = await zipnn.openArchive(path);
        const tensors = await archive.tensors();
        const wrong = [];
        for (const { name } of tensors) {
          const expected = bytesOf((await archive.readTensor(name)).data);
          const decoded = await gpu.decodeToGpuBuffer(device, path, { name });
          if (!isSame(await contents(device, decoded), expected)) wrong.push(name);
          decoded.buffer.destroy();
        }
        const whole = await gpu.decodeToGpuBuffer(device, path);
        if (!isSame(await contents(device, whole), await archive.read(0, archive.decodedLength))) wrong.push('all');
        whole.buffer.destroy();
        archive.free();
        return { count: tensors.length, wrong };
      }, path);
      assert.ok(result.count > 0);
      assert.deepEqual(result.wrong, []);
    });
  }

  test('streams, own buffers and offsets', async () => {
    const wrong = await page.evaluate(async () => {
      const { STORAGE, COPY_SRC } = GPUBufferUsage;
      const archive = await zipnn.openArchive('/big.znn');
      const wrong = [];
      for (const { name } of await archive.tensors()) {
        const expected = bytesOf((await archive.readTensor(name)).data);
        const buffer = device.createBuffer({ size: expected.length + 64, usage: STORAGE | COPY_SRC });
        const decoded = await gpu.decodeToGpuBuffer(device, await fetch('/big.znn'), { name, buffer, offset: 20 });
        if (decoded.buffer !== buffer || decoded.offset !== 20) wrong.push('buffer');
        if (!isSame(await contents(device, decoded), expected)) wrong.push(name);
        buffer.destroy();
      }
      archive.free();
      return wrong;
    });
    assert.deepEqual(wrong, []);
  });

  test('widening to float32', async () => {
    const wrong = await page.evaluate(async () => {
      const archive = await zipnn.openArchive('/special.znn');
      const wrong = [];
      for (const name of ['halves', 'brains']) {
        const expected = bytesOf(zipnn.toFloat32(await archive.readTensor(name)));
        for (const offset of [0, 12]) {
          const decoded = await gpu.decodeToGpuBuffer(device, '/special.znn', { name, as: 'f32', offset });
          if (!isSame(await contents(device, decoded), expected)) wrong.push(`${name} at ${offset}`);
        }
      }
      archive.free();
      return wrong;
    });
    assert.deepEqual(wrong, []);
  });

  test('damage', async () => {
    for (const isStream of [false, true]) {
      const codes = await page.evaluate(async ([isStream]) => {
        const failures = [];
        for (let i = 0; i < 6; i++) {
          const source = isStream ? await fetch('/damaged.znn') : '/damaged.znn';
          failures.push(await failure(gpu.decodeToGpuBuffer(device, source, { name: `layer.${i}.weight` })));
        }
        return failures.filter(({ code }) => code);
      }, [isStream]);
      assert.ok(codes.length > 0);
      for (const { code, place } of codes) {
        assert.ok(DAMAGE.includes(code), code);
        // The checksum of a whole frame finds it first in a stream.
        assert.ok(place.frame >= 0 && (isStream || place.chunk >= 0));
      }
    }
  });

  test('mistakes of callers', async () => {
    const failures = await page.evaluate(async () => {
      const buffer = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE });
      const other = device.createBuffer({ size: 4 << 20, usage: GPUBufferUsage.COPY_DST });
      const name = 'layer.0.weight';
      const tries = [
        ['/big.znn', { name: 'no' }], ['/big.znn', { name, buffer }], ['/big.znn', { name, buffer: other }],
        ['/big.znn', { name, offset: 2 }], ['/big.znn', { name, as: 'f16' }], ['/big.znn', { as: 'f32' }],
        ['/special.znn', { name: 'bytes', as: 'f32' }], [await fetch('/big.znn'), {}],
      ];
      const failures = [];
      for (const [source, options] of tries) {
        const { name, code } = await failure(gpu.decodeToGpuBuffer(device, source, options));
        failures.push(code ?? name);
      }
      return failures;
    });
    const type = 'TypeError';
    assert.deepEqual(failures, ['NoSuchTensor', 'OutputTooSmall', type, type, type, type, type, type]);
  });

  test('abort', async () => {
    const failures = await page.evaluate(async () => {
      const name = 'layer.5.weight';
      const failures = [];
      for (const source of ['/big.znn', await fetch('/slow.znn')]) {
        const controller = new AbortController();
        const decoding = gpu.decodeToGpuBuffer(device, source, { name, signal: controller.signal });
        setTimeout(() => controller.abort(), source === '/big.znn' ? 0 : 120);
        failures.push((await failure(decoding)).name);
      }
      const signal = AbortSignal.abort();
      failures.push((await failure(gpu.decodeToGpuBuffer(device, '/big.znn', { name, signal }))).name);
      // The device still works.
      const decoded = await gpu.decodeToGpuBuffer(device, '/big.znn', { name });
      failures.push(decoded.decodedOn);
      return failures;
    });
    assert.deepEqual(failures, ['AbortError', 'AbortError', 'AbortError', 'gpu']);
  });

  test('an error while widening', async () => {
    const code = await page.evaluate(async () => {
      const other = await gpu.requestDevice();
      const { STORAGE, COPY_DST } = GPUBufferUsage;
      const create = other.createBuffer.bind(other);
      // The description of the work cannot be bound.
      other.createBuffer = ({ usage, ...rest }) => create({ ...rest, usage: usage === (STORAGE | COPY_DST) ? COPY_DST : usage });
      const { code } = await failure(gpu.decodeToGpuBuffer(other, '/special.znn', { name: 'halves', as: 'f32' }));
      other.destroy();
      return code;
    });
    assert.equal(code, 'GpuFailed');
  });

  test('a lost device', async () => {
    const codes = await page.evaluate(async () => {
      const name = 'layer.0.weight';
      const first = await gpu.requestDevice();
      await gpu.decodeToGpuBuffer(first, '/big.znn', { name });
      first.destroy();
      const second = await gpu.requestDevice();
      const decoding = gpu.decodeToGpuBuffer(second, await fetch('/slow.znn'), { name: 'layer.5.weight' });
      setTimeout(() => second.destroy(), 200);
      return Promise.all([gpu.decodeToGpuBuffer(first, '/big.znn', { name }), decoding].map(async (promise) =>
        (await failure(promise)).code));
    });
    assert.deepEqual(codes, ['DeviceLost', 'DeviceLost']);
  });

  test('no device', async () => {
    const result = await page.evaluate(async () => {
      const archive = await zipnn.openArchive('/special.znn');
      const isRight = [];
      for (const source of ['/special.znn', await fetch('/special.znn')]) {
        const decoded = await gpu.decodeToGpuBuffer(undefined, source, { name: 'halves', as: 'f32' });
        const expected = zipnn.toFloat32(await archive.readTensor('halves'));
        isRight.push(decoded.decodedOn === 'processor' && isSame(bytesOf(decoded.data), bytesOf(expected)));
      }
      archive.free();
      return isRight;
    });
    assert.deepEqual(result, [true, true]);
  });

  test('the demo', async () => {
    const demo = await browser.newPage();
    demo.setDefaultTimeout(PATIENCE);
    await demo.goto(`${server.url}/demo/`);
    await demo.getByRole('button', { name: /safetensors\.znn/ }).first().click();
    await demo.waitForFunction(() => /GPU/.test(document.getElementById('gpu').textContent));
    const text = await demo.evaluate(() => document.getElementById('gpu').textContent);
    assert.match(text, /Decoded on the GPU .* in .*(ms|s)/);
    await demo.close();
  });
});

test('a browser without WebGPU has no device', async () => {
  const other = await chromium.launch({ ...launchOptions, args: [...launchOptions.args, '--disable-features=WebGPU'] });
  try {
    const page = await open(other);
    const result = await page.evaluate(async () => {
      const device = await gpu.requestDevice();
      const { decodedOn } = await gpu.decodeToGpuBuffer(device, '/big.znn', { name: 'layer.0.weight' });
      return [device === undefined, decodedOn];
    });
    assert.deepEqual(result, [true, 'processor']);
  } finally {
    await other.close();
  }
});

describe('streams without a GPU', () => {
  /** Returns a file with this header in its first frame, then frames of blanks, then the tensor's data. */
  async function file(tensors, blanks, data) {
    const frame = (bytes) => compress(bytes, { dtype: 'bytes', checksums: false, index: false });
    const blank = new Uint8Array(1000).fill(0x20);
    const json = new TextEncoder().encode(JSON.stringify(tensors));
    const beginning = new Uint8Array(8 + json.length);
    new DataView(beginning.buffer).setBigUint64(0, BigInt(json.length + blanks * blank.length), true);
    beginning.set(json, 8);
    return new Uint8Array(Buffer.concat([await frame(beginning), repeated(await frame(blank), blanks), await frame(data)]));
  }

  test('a long header in many frames takes time in proportion to its length', async () => {
    const tensors = { a: { dtype: 'U8', shape: [3], data_offsets: [0, 3] } };
    const time = async (blanks) => {
      const bytes = await file(tensors, blanks, Uint8Array.of(1, 2, 3));
      const start = performance.now();
      const { data } = await decodeToGpuBuffer(undefined, parts(bytes, 1 << 16), { name: 'a' });
      assert.deepEqual([...data], [1, 2, 3]);
      return performance.now() - start;
    };
    await time(1000);
    const [short, long] = [await time(2000), await time(20_000)];
    assert.ok(long < 40 * short, `${short} ms for 2 MB, ${long} ms for 20 MB`);
  });

  test('a length that a header states costs no memory', async () => {
    const length = 2 ** 45;
    const tensors = { a: { dtype: 'U8', shape: [length], data_offsets: [0, length] } };
    const bytes = await file(tensors, 0, new Uint8Array(1000));
    const error = await failure(decodeToGpuBuffer(undefined, parts(bytes, 1000), { name: 'a' }));
    assert.equal(error.code, 'Truncated');
  });
});
