// Tests the package and the demo in Chromium.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

import { compress } from '../js/index.js';
import { demoFiles } from '../demo/serve.js';
import { launchOptions } from '../tools/chromium.js';
import { TestServer } from '../tools/server.js';
import { PATIENCE, SETUP, until } from './page.js';
import { model, repeated, weights } from './samples.js';

/** Codes for a changed bit. The code depends on whether the bit affects decoding. */
const DAMAGE = ['ChecksumMismatch', 'CorruptStream'];
const ARTIFACTS = new URL('../artifacts/', import.meta.url);

const source = await weights();
const file = await compress(source);
const big = model(source, 12, 1 << 20);
const bigFile = await compress(big);
const damaged = bigFile.slice();
damaged[bigFile.length >> 1] ^= 1;

/** A frame of 4 MiB without a checksum, to be sent repeatedly. */
const frame = await compress(big.subarray(8192, 8192 + (4 << 20)), { dtype: 'bf16', checksums: false, index: false });
const FRAMES = 125;
/** A file of many small frames. */
const frames = repeated(await compress(source.subarray(0, 1000), { checksums: false, index: false }), 500);

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
/** The policy that the README requires. */
const [policy] = /^script-src .*$/m.exec(readme);

const extended = await readFile(new URL('data/extended.znn', import.meta.url));
const golden = new URL('../../tests/data/golden/', import.meta.url);
const inside = await readFile(new URL('safetensors/0.5.1-model.znn.safetensors', golden));

let browser;
let server;
before(async () => {
  server = await new TestServer({
    ...(await demoFiles()),
    '/page.html': Buffer.from('<!doctype html><title>test</title>'),
    '/small.safetensors': source,
    '/small.znn': file,
    '/big.safetensors': big,
    '/big.znn': bigFile,
    '/damaged.znn': damaged,
    '/strict.html': Buffer.from(`<!doctype html><title>test</title>
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; ${policy}">`),
    '/readme/page.html': Buffer.from(`<!doctype html><title>test</title><script type="importmap">
      { "imports": { "zipnn": "/js/index.js", "zipnn/decode": "/js/decode.js", "zipnn/gpu": "/js/gpu.js" } }</script>`),
    '/readme/model.safetensors.znn': file,
    '/frames.znn': frames,
    '/100-mb.znn': repeated(frame, 25),
    '/long.znn': function* () {
      for (let i = 0; i < FRAMES; i++) yield frame;
    },
    '/endless.znn': async function* () {
      for (;;) {
        yield frame;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  }).listen();
  browser = await chromium.launch({
    ...launchOptions,
    args: [...launchOptions.args, '--js-flags=--expose-gc'],
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Opens a page of the server and collects its errors. */
async function open(path = '/page.html', options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(server.url + path);
  return page;
}

/** Runs `run` on a page with the package and an argument. */
async function inPage(run, argument) {
  const page = await open();
  try {
    await page.addScriptTag({ type: 'module', content: SETUP });
    await page.waitForFunction('globalThis.isReady');
    const result = await page.evaluate(run, argument);
    assert.deepEqual(page.errors, []);
    return result;
  } finally {
    await page.context().close();
  }
}

describe('in a page', () => {
  test('weights are restored', async () => {
    const result = await inPage(async () => {
      const source = await get('/small.safetensors');
      const packed = await zipnn.compress(source);
      const back = await zipnn.decompress(packed);
      return { isSame: isSame(back, source), ratio: packed.length / source.length };
    });
    assert.ok(result.isSame);
    assert.ok(result.ratio < 0.68, `${result.ratio}`);
  });

  test('the build with vector instructions is loaded', async () => {
    const before = server.requests.length;
    await inPage(() => zipnn.init());
    const loaded = server.requests.slice(before).map(({ path }) => path);
    assert.ok(loaded.includes('/dist/full/zipnn.simd.wasm'), loaded.join());
    assert.ok(!loaded.includes('/dist/full/zipnn.plain.wasm'), loaded.join());
  });

  test('tensors arrive while a slow server is still sending', async () => {
    const result = await inPage(async (total) => {
      const response = await fetch('/big.znn?rate=16000000');
      let read = 0;
      const arrived = [];
      const onProgress = (now) => (read = now.read);
      for await (const tensor of zipnn.streamTensors(response, { onProgress })) {
        arrived.push([tensor.name, read / total]);
      }
      return arrived;
    }, bigFile.length);
    assert.equal(result.length, 12);
    const [, first] = result[0];
    // A frame is a third of this file.
    assert.ok(first < 0.4, `the first came after ${first} of the file`);
  });

  test('only the ranges of a tensor are requested', async () => {
    const before = server.requests.length;
    const result = await inPage(async () => {
      const archive = await zipnn.openArchive('/big.znn');
      const tensors = await archive.tensors();
      const { data, range } = await archive.readTensor('layer.6.weight');
      const whole = await get('/big.safetensors');
      const bytes = new Uint8Array(data.buffer);
      archive.free();
      return { tensors: tensors.length, isSame: isSame(bytes, whole.subarray(...range)), type: data.constructor.name };
    });
    assert.deepEqual(result, { tensors: 12, isSame: true, type: 'Uint16Array' });
    const requests = server.requests.slice(before).filter(({ path }) => path === '/big.znn');
    assert.ok(requests.every(({ range }) => range), 'every request is for a range');
    assert.deepEqual(requests[0].range, [0, 16384]);
    assert.deepEqual(requests[1].range, [bigFile.length - 16384, bigFile.length]);
    const bytes = requests.reduce((sum, request) => sum + request.bytes, 0);
    assert.ok(bytes < bigFile.length / 5, `${bytes} of ${bigFile.length} bytes in ${requests.length} requests`);
  });

  test('ranges bypass a cache that has the file compressed', async () => {
    const before = server.requests.length;
    const result = await inPage(async () => {
      const whole = await get('/small.znn?cached');
      const archive = await zipnn.openArchive('/small.znn?cached');
      const bytes = await archive.read(0, archive.decodedLength);
      return { length: whole.length, size: archive.size, isSame: isSame(bytes, await get('/small.safetensors')) };
    });
    assert.deepEqual(result, { length: file.length, size: file.length, isSame: true });
    const [first, ...others] = server.requests.slice(before).filter(({ path }) => path === '/small.znn');
    assert.equal(first.range, undefined);
    assert.ok(others.length > 1 && others.every(({ range }) => range), 'the others are for ranges');
  });

  test('failures of networks and servers are a ZipnnError', async () => {
    const errors = await inPage(async () => {
      const stream = async (path) => {
        for await (const _ of (await fetch(path)).body.pipeThrough(new zipnn.ZipnnDecompressStream()));
      };
      const controller = new AbortController();
      controller.abort();
      return [
        await failure(zipnn.openArchive('http://127.0.0.1:1/model.znn')),
        await failure(zipnn.openArchive('/big.znn?cut=1000')),
        await failure(stream('/big.znn?cut=1000')),
        await failure((async () => zipnn.streamTensors(await fetch('/nothing.znn')).next())()),
        await failure(zipnn.openArchive('/page.html')),
        await failure(zipnn.openArchive('/big.znn', { signal: controller.signal })),
      ].map(({ name, code }) => `${name} ${code}`);
    });
    assert.deepEqual(errors, [
      'ZipnnError NetworkError', 'ZipnnError NetworkError', 'ZipnnError SourceFailed', 'ZipnnError HttpError',
      'ZipnnError WrongFormat', 'AbortError 20',
    ]);
  });

  test('a server without ranges sends the whole file', async () => {
    const isRead = await inPage(async () => {
      const archive = await zipnn.openArchive('/big.znn?whole');
      const { data, range } = await archive.readTensor('layer.11.weight');
      return data.byteLength === range[1] - range[0];
    });
    assert.ok(isRead);
  });

  test('aborting stops the work and the request', async () => {
    const before = server.requests.length;
    const error = await inPage(async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const onProgress = ({ decoded }) => decoded > 0 && controller.abort();
      const response = await fetch('/endless.znn');
      const stream = response.body.pipeThrough(new zipnn.ZipnnDecompressStream({ signal, onProgress }));
      return failure((async () => {
        for await (const _ of stream);
      })());
    });
    assert.equal(error.name, 'AbortError');
    const request = server.requests.slice(before).find(({ path }) => path === '/endless.znn');
    await until(() => request.isOver);
  });

  test('damage is an error, and no byte of the chunk is returned', async () => {
    const result = await inPage(async () => {
      const whole = await get('/big.safetensors');
      const stream = (await fetch('/damaged.znn')).body.pipeThrough(new zipnn.ZipnnDecompressStream());
      let good = 0;
      const read = async () => {
        for await (const chunk of stream) {
          if (!isSame(chunk, whole.subarray(good, good + chunk.length))) throw new Error('wrong bytes');
          good += chunk.length;
        }
      };
      return { error: await failure(read()), good };
    });
    assert.equal(result.error.name, 'ZipnnError');
    assert.ok(DAMAGE.includes(result.error.code), result.error.code);
    assert.ok(result.error.place.frame >= 1, JSON.stringify(result.error));
    assert.ok(result.good > 0 && result.good < big.length);
  });

  test('a pool of workers returns the same data', async () => {
    const result = await inPage(async () => {
      const pool = await zipnn.createPool(2);
      const whole = await get('/big.safetensors');
      const stream = (await fetch('/big.znn')).body.pipeThrough(new zipnn.ZipnnDecompressStream({ pool }));
      const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
      const error = await failure(zipnn.decompress(await get('/damaged.znn'), { pool }));
      pool.free();
      return { isSame: isSame(bytes, whole), code: error.code, size: pool.size };
    });
    assert.ok(DAMAGE.includes(result.code), result.code);
    assert.deepEqual(result, { ...result, isSame: true, size: 2 });
  });

  test('the package works in a worker', async () => {
    const length = await inPage(() => new Promise((resolve, reject) => {
      const script = `
        import { decompress } from '${location.origin}/js/decode.js';
        const bytes = new Uint8Array(await (await fetch('${location.origin}/small.znn')).arrayBuffer());
        postMessage((await decompress(bytes)).length);`;
      const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
      const worker = new Worker(url, { type: 'module' });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    }));
    assert.equal(length, source.length);
  });

  test('workers decode an archive', async () => {
    const result = await inPage(async () => {
      const pool = await zipnn.createPool(2);
      const archive = await zipnn.openArchive('/big.znn', { pool });
      const whole = await get('/big.safetensors');
      const progress = [];
      const bytes = await archive.read(0, whole.length, { onProgress: (now) => progress.push(now) });
      const { data, range } = await archive.readTensor('layer.6.weight');
      const controller = new AbortController();
      const onProgress = () => controller.abort();
      const aborted = await failure(archive.read(0, whole.length, { signal: controller.signal, onProgress }));
      archive.free();
      const damaged = await zipnn.openArchive('/damaged.znn', { pool });
      const error = await failure(damaged.read(0, whole.length));
      damaged.free();
      pool.free();
      return {
        isSame: isSame(bytes, whole) && isSame(new Uint8Array(data.buffer), whole.subarray(...range)),
        isTold: progress.at(-1).decoded === whole.length,
        aborted: aborted.name,
        error,
      };
    });
    assert.ok(DAMAGE.includes(result.error.code), result.error.code);
    assert.ok(result.error.place.frame >= 1, JSON.stringify(result.error));
    assert.deepEqual(result, { ...result, isSame: true, isTold: true, aborted: 'AbortError' });
  });

  test('freed objects reject calls and release memory', async () => {
    const result = await inPage(async () => {
      const free = (thing) => (Symbol.dispose ? thing[Symbol.dispose]() : thing.free());
      const bytes = await get('/small.znn');
      const archive = await zipnn.openArchive(bytes);
      free(archive);
      const pool = await zipnn.createPool(1);
      free(pool);
      const codes = [];
      for (const use of [archive.read(0, 1), archive.tensors(), zipnn.decompress(bytes, { pool })]) {
        const { name, code } = await failure(use);
        codes.push(`${name} ${code}`);
      }
      // Returns the exports of a module that is already loaded.
      const { memory } = (await import('/dist/full/zipnn.js')).initSync();
      const frames = await get('/frames.znn');
      const sizes = [];
      for (let i = 0; i <= 200; i++) {
        const archive = await zipnn.openArchive(frames);
        await archive.read(100, 1500);
        free(archive);
        sizes.push(memory.buffer.byteLength);
      }
      return { codes, grown: sizes.at(-1) - sizes[2] };
    });
    assert.deepEqual(result, {
      codes: ['ZipnnError ArchiveFreed', 'ZipnnError ArchiveFreed', 'ZipnnError PoolFreed'],
      grown: 0,
    });
  });

  test('freeing the pool ends the workers', async () => {
    const page = await open();
    await page.evaluate(async () => {
      const { createPool } = await import('/js/index.js');
      globalThis.pool = await createPool(2);
    });
    await until(() => page.workers().length === 2);
    await page.evaluate(() => pool.free());
    await until(() => page.workers().length === 0);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('the examples of the README run', async () => {
    const page = await open('/readme/page.html');
    const snippets = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
    assert.ok(snippets.length > 8, `${snippets.length} snippets`);
    for (const code of snippets) {
      await page.evaluate((code) => import(URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))), code)
        .catch((error) => assert.fail(`${code}\n${error.message}`));
    }
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('the documented content security policy suffices', async () => {
    const page = await open('/strict.html');
    const isSame = await page.evaluate(async () => {
      const { compress, createPool, decompress } = await import('/js/index.js');
      const pool = await createPool(1);
      const data = new Uint8Array(100_000).map((_, i) => i);
      const back = await decompress(await compress(data), { pool });
      pool.free();
      return back.every((byte, i) => byte === data[i]);
    });
    assert.ok(isSame);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('the page stays responsive while its thread decodes', async () => {
    const turns = await inPage(async () => {
      const bytes = await get('/100-mb.znn');
      await zipnn.init();
      return turnsDuring(() => zipnn.decompress(bytes));
    });
    // The number of turns, because their duration depends on the load of the machine.
    assert.ok(turns >= 2, `${turns} turns`);
  });

  for (const workers of [0, 2]) {
    test(`500 MB stream through little memory, with ${workers} workers`, async () => {
      const page = await open();
      const before = await resident();
      const run = page.evaluate(async (workers) => {
        const { ZipnnDecompressStream, createPool, init } = await import('/js/index.js');
        await init();
        const pool = workers > 0 ? await createPool(workers) : undefined;
        const stream = (await fetch('/long.znn')).body.pipeThrough(new ZipnnDecompressStream({ pool }));
        let decoded = 0;
        let collected = 0;
        for await (const chunk of stream) {
          decoded += chunk.length;
          // Otherwise the measurement includes uncollected garbage: 150 MB of `fetch` alone.
          if (decoded - collected < 4 << 20) continue;
          gc();
          collected = decoded;
        }
        pool?.free();
        return decoded;
      }, workers);
      let isOver = false;
      run.finally(() => (isOver = true)).catch(() => {});
      let grown = 0;
      while (!isOver) {
        grown = Math.max(grown, growth(before, await resident()));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(await run, FRAMES * (4 << 20));
      console.log(`${workers} workers: the page grew by ${(grown / 1e6).toFixed(0)} MB while 524 MB went through`);
      assert.ok(grown < 100e6, `it grew by ${grown} bytes`);
      await page.context().close();
    });
  }
});

/** Returns the memory of each process of pages and their workers in bytes. */
async function resident() {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const sizes = new Map();
  for (const { id } of processInfo.filter(({ type }) => type === 'renderer')) {
    const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
    sizes.set(id, 1024 * Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0));
  }
  return sizes;
}

/** Returns the largest growth of a process. The browser also keeps idle processes. */
const growth = (before, after) =>
  Math.max(0, ...Array.from(before, ([id, size]) => (after.get(id) ?? 0) - size));

describe('the demo', () => {
  before(() => mkdir(ARTIFACTS, { recursive: true }));
  const picture = (page, name, fullPage = true) =>
    page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, ARTIFACTS)), fullPage });

  for (const [name, options] of Object.entries({
    light: { colorScheme: 'light', viewport: { width: 1100, height: 800 } },
    dark: { colorScheme: 'dark', viewport: { width: 1100, height: 800 } },
    narrow: { colorScheme: 'light', viewport: { width: 360, height: 740 }, hasTouch: true },
  })) {
    test(`served weights are decompressed and shown (${name})`, async () => {
      const page = await open('/demo/', options);
      await page.getByRole('button', { name: /bf16\.safetensors\.znn/ }).click();
      await page.getByText(/Decompressed and verified/).waitFor();
      assert.equal(await page.locator('#tensors tr').count(), 14);
      assert.match(await page.locator('#ratio').textContent(), /^6[67]\.\d\s%$/);
      assert.match(await page.locator('#speed').textContent(), /MB\/s$|GB\/s$/);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= options.viewport.width, `${width} pixels wide`);
      await picture(page, `demo-${name}`);
      await page.getByRole('button', { name: /attention.self.query.weight/ }).first().click();
      await page.locator('svg.histogram').waitFor();
      assert.match(await page.locator('svg.histogram').getAttribute('aria-label'), /exponents occur/);
      await picture(page, `demo-${name}-exponents`, false);
      await page.keyboard.press('Escape');
      await page.locator('#details').waitFor({ state: 'hidden' });
      const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#download').click()]);
      assert.equal(download.suggestedFilename(), 'minilm-slice.bf16.safetensors');
      const chunks = [];
      for await (const chunk of await download.createReadStream()) chunks.push(chunk);
      assert.ok(Buffer.concat(chunks).equals(source));
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  test('a chosen file is compressed', async () => {
    const page = await open('/demo/');
    await page.setInputFiles('#file', { name: 'mine.safetensors', mimeType: '', buffer: Buffer.from(big) });
    await page.getByText(/Compressed in .* read back/).waitFor();
    assert.equal(await page.locator('#tensors tr').count(), 12);
    assert.equal(await page.locator('#download').getAttribute('download'), 'mine.safetensors.znn');
    await page.context().close();
  });

  test('errors are shown with advice', async () => {
    const page = await open('/demo/');
    const choose = (name, buffer) =>
      page.setInputFiles('#file', { name, mimeType: '', buffer: Buffer.from(buffer) });
    await choose('broken.znn', damaged);
    const alert = page.getByRole('alert');
    await alert.getByText(/This file is damaged/).waitFor();
    await picture(page, 'demo-error');
    await choose('text.znn', 'not at all');
    await alert.getByText(/not a \.znn file/).waitFor();
    await choose('short.znn', bigFile.subarray(0, 100_000));
    await alert.getByText(/cut short/).waitFor();
    await choose('extended.znn', extended);
    await alert.getByText(/does not read this kind.*Zstandard/).waitFor();
    await choose('model.znn.safetensors', inside);
    await alert.getByText(/not a \.znn file.*single tensors are compressed/).waitFor();
    await page.route('**/samples/*.znn', (route) => route.abort());
    await page.getByRole('button', { name: /bf16\.safetensors\.znn/ }).click();
    await alert.getByText(/could not be downloaded/).waitFor();
    // Afterwards the demo still works.
    await choose('good.znn', file);
    await page.getByText(/Decompressed and verified/).waitFor();
    assert.ok(!(await alert.isVisible()));
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('cancelled work stops, and the next file is shown', async () => {
    const page = await open('/demo/');
    // The server never answers.
    await page.route('**/samples/*.znn', () => {});
    await page.getByRole('button', { name: /bf16\.safetensors\.znn/ }).click();
    await page.getByRole('button', { name: 'Cancel' }).press('Enter');
    await page.getByText('Cancelled.').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'work-title');
    await page.setInputFiles('#file', { name: 'bytes.znn', mimeType: '', buffer: Buffer.from(frame) });
    await page.getByText(/Decompressed and verified .* no list of tensors/).waitFor();
    assert.ok(!(await page.locator('#result').isVisible()));
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('the keyboard suffices', async () => {
    const page = await open('/demo/');
    await page.locator('#samples button').first().waitFor();
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'file');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    assert.match(await focused(), /\.znn/);
    await page.keyboard.press('Enter');
    await page.getByText(/Decompressed and verified/).waitFor();
    await page.context().close();
  });
});
