// Tests the package and the demo in Chromium.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
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
/** The same with shorter tensors, for the demo, which also compresses it with gzip. */
const medium = model(source, 12, 1 << 18);
const mediumFile = await compress(medium);
const damaged = bigFile.slice();
damaged[bigFile.length >> 1] ^= 1;

/** A frame of 4 MiB without a checksum, to be sent repeatedly. */
const frame = await compress(big.subarray(8192, 8192 + (4 << 20)), { dtype: 'bf16', checksums: false, index: false });
const FRAMES = 125;
/** A file of many small frames. */
const frames = repeated(await compress(source.subarray(0, 1000), { checksums: false, index: false }), 500);

/** Bytes that cannot be compressed. */
const noise = randomBytes(200_000);

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
/** The policy that the README requires. */
const [policy] = /^script-src .*$/m.exec(readme);

const max = await readFile(new URL('data/max.safetensors.znn', import.meta.url));
const golden = new URL('../../tests/data/golden/', import.meta.url);
const old = await readFile(new URL('0.3.3/f32-byte-n4.znn', golden));
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
    '/medium.znn': mediumFile,
    '/max.znn': max,
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
  const inMemory = (name, bytes) => ({ name, mimeType: '', buffer: Buffer.from(bytes) });
  const choose = (page, ...files) => page.setInputFiles('#file', files);
  const work = (page) => page.locator('#work');
  const line = (page, name) => work(page).locator('.size', { hasText: name });
  /** Clicks where an element is, which another may cover. */
  const clickAt = async (page, locator) => {
    await locator.scrollIntoViewIfNeeded();
    const { x, y, width, height } = await locator.boundingBox();
    await page.mouse.click(x + width / 2, y + height / 2);
  };
  const isDone = (page) => page.locator('#cancel').waitFor({ state: 'hidden' });

  for (const [name, options] of Object.entries({
    light: { colorScheme: 'light', viewport: { width: 1100, height: 800 } },
    dark: { colorScheme: 'dark', viewport: { width: 1100, height: 800 } },
    narrow: { colorScheme: 'light', viewport: { width: 360, height: 740 }, hasTouch: true },
  })) {
    test(`served weights are decompressed and shown (${name})`, async () => {
      const page = await open('/demo/', options);
      const isInside = async () => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= options.viewport.width, `${width} pixels wide`);
      };
      await page.getByRole('button', { name: /bf16\.safetensors\.znn/ }).click();
      await page.getByText(/Decompressed and verified/).waitFor();
      await isDone(page);
      assert.equal(await page.locator('#tensors tr').count(), 14);
      assert.match(await line(page, 'zipnn').textContent(), /6[67]\.\d\s%/);
      assert.match(await line(page, 'gzip').textContent(), /7\d\.\d\s%/);
      assert.match(await work(page).textContent(), /zipnn compresses at .*B\/s.* gzip at .*B\/s/);
      assert.deepEqual(await page.locator('#types tr').allTextContents().then((rows) =>
        rows.map((row) => /^[A-Z0-9]+/.exec(row)[0].slice(0, 4))), ['BF16', 'I641']);
      await isInside();
      await picture(page, `demo-${name}`);
      await page.getByRole('button', { name: /attention.self.query.weight/ }).first().click();
      await page.locator('svg.histogram').waitFor();
      assert.match(await page.locator('svg.histogram').getAttribute('aria-label'), /exponents occur, from 2\^−\d+ to 2\^/);
      assert.match(await page.locator('svg.histogram text').allTextContents().then(String), /2−\d+,2−\d+/);
      await isInside();
      await picture(page, `demo-${name}-exponents`, false);
      await page.keyboard.press('Escape');
      await page.locator('#details').waitFor({ state: 'hidden' });
      const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#download').click()]);
      assert.equal(download.suggestedFilename(), 'minilm-slice.bf16.safetensors');
      const chunks = [];
      for await (const chunk of await download.createReadStream()) chunks.push(chunk);
      assert.ok(Buffer.concat(chunks).equals(source));

      await choose(page, inMemory('model.safetensors', source), inMemory('random.bin', noise), inMemory('broken.znn', 'no'));
      await isDone(page);
      await isInside();
      await picture(page, `demo-${name}-files`);
      await page.getByRole('button', { name: 'Open' }).click();
      await page.getByText(/Opened with/).waitFor();
      await isInside();
      await picture(page, `demo-${name}-remote`);
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }

  test('a chosen file is compressed, beside gzip and the code of the page', async () => {
    const page = await open('/demo/');
    await choose(page, inMemory('mine.safetensors', medium));
    await page.getByText(/Compressed in .* read back/).waitFor();
    assert.equal(await page.locator('#tensors tr').count(), 12);
    assert.equal(await page.locator('#download').getAttribute('download'), 'mine.safetensors.znn');
    await isDone(page);
    const zipped = gzipSync(medium).length / medium.length * 100;
    const shown = Number(/([\d.]+)\s%/.exec(await line(page, 'gzip').textContent())[1]);
    assert.ok(Math.abs(shown - zipped) < 1, `${shown} %, ${zipped} % here`);
    const [, wasm, js] = /(\d+)\sKiB of WebAssembly and (\d+)\sKiB of JavaScript/.exec(await work(page).textContent());
    const code = gzipSync(await readFile(new URL('../dist/full/zipnn.simd.wasm', import.meta.url))).length / 1024;
    assert.ok(Math.abs(wasm - code) < 2, `${wasm} KiB shown, ${code} KiB`);
    assert.ok(js > 10 && js < 150, `${js} KiB`);
    await page.context().close();
  });

  test('several files are listed, chosen and summed up', async () => {
    const page = await open('/demo/');
    await choose(page, inMemory('a.safetensors', source), inMemory('b.znn', file), inMemory('c.znn', 'not at all'));
    await isDone(page);
    const rows = page.locator('#files tr');
    assert.equal(await rows.count(), 3);
    const [a, b, c] = await rows.allTextContents();
    assert.match(a, /1\.2\sMB945\skB79\d\skB66\.\d\s%/);
    assert.match(b, /1\.2\sMB945\skB79\d\skB66\.\d\s%/);
    assert.match(c, /failed/);
    assert.match(await page.locator('#files-total').textContent(), /2 of 3 files2\.4\sMB1\.9\sMB1\.6\sMB66\.\d\s%/);
    await page.getByRole('alert').filter({ hasText: /not a \.znn file/ }).waitFor();
    // Anywhere in the row.
    await clickAt(page, rows.nth(1).locator('td').nth(2));
    await work(page).getByText(/Decompressed and verified/).waitFor();
    assert.equal(await page.locator('#download').getAttribute('download'), 'b');
    assert.equal(await rows.nth(1).getByRole('button').getAttribute('aria-pressed'), 'true');
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('dropped files are compressed', async () => {
    const page = await open('/demo/');
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      for (const name of ['a.bin', 'b.bin']) dataTransfer.items.add(new File([new Uint8Array(9000)], name));
      document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }));
    });
    await isDone(page);
    assert.equal(await page.locator('#files tr').count(), 2);
    await page.context().close();
  });

  test('rows are reached and chosen with the keyboard, and average sizes are marked', async () => {
    const page = await open('/demo/');
    await choose(page, inMemory('mine.znn', file));
    await isDone(page);
    const rows = page.locator('#tensors tr');
    const texts = await rows.allTextContents();
    assert.match(texts[1], /LayerNorm\.bias.*≈/);
    assert.ok(texts.some((text) => !text.includes('≈')));
    await page.getByText(/≈ marks an average/).waitFor();
    for (const key of ['Enter', 'Space']) {
      await rows.nth(2).getByRole('button').focus();
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Tab');
      const outline = await rows.nth(2).getByRole('button').evaluate((button) => {
        const { outlineStyle, width } = getComputedStyle(button, '::after');
        return { outlineStyle, isWide: parseFloat(width) > 500 };
      });
      assert.deepEqual(outline, { outlineStyle: 'solid', isWide: true }, 'a ring around the row');
      await page.keyboard.press(key);
      await page.locator('#details').getByText(/compressed to/).waitFor();
      await page.keyboard.press('Escape');
      await page.locator('#details').waitFor({ state: 'hidden' });
      assert.match(await page.evaluate(() => document.activeElement.textContent), /LayerNorm\.weight/);
    }
    await clickAt(page, rows.nth(5).locator('td').last());
    await page.locator('#details').waitFor();
    await page.context().close();
  });

  test('files that do not compress are explained', async () => {
    const page = await open('/demo/');
    const integers = { a: { dtype: 'I8', shape: [60_000], data_offsets: [0, 60_000] } };
    const json = new TextEncoder().encode(JSON.stringify(integers));
    const quantized = Buffer.alloc(8 + json.length + 60_000);
    quantized.writeUInt32LE(json.length, 0);
    quantized.set(json, 8);
    quantized.set(noise.subarray(0, 60_000), 8 + json.length);
    for (const [name, bytes, reason] of [
      ['random.zip', noise, /does not get smaller.*already compressed or encrypted/],
      ['quantized.safetensors', quantized, /(does not|hardly) gets? smaller.*quantized models/],
      ['short.bin', noise.subarray(0, 50), /does not get smaller.*so short/],
      ['empty.bin', Buffer.alloc(0), /This file is empty/],
      ['weights.safetensors', source, /Trained weights use few different exponents/],
    ]) {
      await choose(page, inMemory(name, bytes));
      await work(page).getByText(reason).waitFor();
      await isDone(page);
    }
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('a file on a server is opened by ranges', async () => {
    const page = await open('/demo/');
    await page.locator('#url').fill(`${server.url}/big.znn`);
    const before = server.requests.length;
    await page.locator('#url').press('Enter');
    await work(page).getByText(/Opened with 2\srequests for 3\d\.\d\skB of 8\.\d\sMB/).waitFor();
    await page.getByRole('button', { name: 'layer.6.weight' }).click();
    const traffic = page.locator('#details-traffic');
    await traffic.getByText(/Fetched with \d+\srequests? for .*: \d\.\d\s% of the file of 8\.\d\sMB/).waitFor();
    const requests = server.requests.slice(before).filter(({ path }) => path === '/big.znn');
    assert.ok(requests.every(({ range }) => range));
    const sent = requests.slice(2).reduce((sum, { bytes }) => sum + bytes, 0);
    const shown = Number(/for ([\d.]+)/.exec(await traffic.textContent())[1]) * 1000;
    assert.ok(Math.abs(shown - sent) < sent / 100, `${shown} bytes shown, ${sent} sent`);
    await page.keyboard.press('Escape');
    assert.match(await page.locator('#tensors tr').nth(6).textContent(), /kB$/);
    // The first tensor is partly among the bytes that were fetched first; others are not fetched.
    assert.match(await page.locator('#tensors tr').nth(7).textContent(), /–$/);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('files in the extended profile are read by a build that is loaded for them', async () => {
    const page = await open('/demo/');
    await choose(page, inMemory('max.safetensors.znn', max));
    await page.getByText(/Decompressed and verified/).waitFor();
    await isDone(page);
    assert.equal(await page.locator('#tensors tr').count(), 1);
    await page.locator('#url').fill('/max.znn');
    await page.getByRole('button', { name: 'Open' }).click();
    await work(page).getByText(/Opened with/).waitFor();
    await page.getByRole('button', { name: 'weight', exact: true }).click();
    await page.locator('#details svg').waitFor();
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('a link opens a file of another server', async () => {
    const other = await new TestServer({ '/model.znn': bigFile }).listen();
    const page = await open(`/demo/?open=${encodeURIComponent(`${other.url}/model.znn?cors`)}`);
    await work(page).getByText(/Opened with 2\srequests/).waitFor();
    await page.locator('#url').fill(`${other.url}/model.znn`);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('alert').getByText(/does not allow other websites to read its files \(CORS\)/).waitFor();
    await page.context().close();
    await other.close();
  });

  test('faults of servers are explained', async () => {
    const page = await open('/demo/');
    const openUrl = async (url) => {
      await page.locator('#url').fill(url);
      await page.getByRole('button', { name: 'Open' }).click();
    };
    const alert = page.getByRole('alert');
    await openUrl('/nothing.znn');
    await alert.getByText(/no file at this address/).waitFor();
    await openUrl('http://127.0.0.1:9/model.znn');
    await alert.getByText(/The address may be wrong, the server may be down/).waitFor();
    await openUrl('/page.html');
    await alert.getByText(/leads to a web page/).waitFor();
    await openUrl('/small.safetensors');
    await alert.getByText(/not compressed. Choose it above/).waitFor();
    await openUrl('/frames.znn');
    await alert.getByText(/no list of tensors/).waitFor();
    await openUrl('/medium.znn?whole');
    await work(page).getByText(/does not send parts of files, so that all of it was downloaded: 2\.\d\sMB/).waitFor();
    await page.getByRole('button', { name: 'layer.6.weight' }).click();
    await page.getByText('The whole file had already been downloaded.').waitFor();
    await page.keyboard.press('Escape');
    for (const text of ['ftp://example.com/a.znn', 'https://', 'a:b:c']) {
      await page.locator('#url').fill(text);
      await page.getByRole('button', { name: 'Open' }).click();
      assert.match(await page.locator('#url').evaluate((field) => field.validationMessage), /no address/, text);
    }
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test('a result that is too long for the browser is not kept', async () => {
    const context = await browser.newContext();
    await context.addInitScript(() => {
      navigator.storage.estimate = async () => ({ quota: 8_000_000 });
    });
    const page = await context.newPage();
    await page.goto(`${server.url}/demo/`);
    for (const [name, bytes] of [['huge.safetensors', medium], ['huge.znn', mediumFile]]) {
      await choose(page, inMemory(name, bytes));
      await work(page).getByText(/too long to be kept.*zipnn (de)?compress FILE/).waitFor();
      await isDone(page);
      assert.match(await line(page, 'zipnn').textContent(), /6\d\.\d\s%/);
      assert.ok(!(await page.locator('#download').isVisible()));
    }
    // A chosen .znn file is there for its tensors to be read.
    assert.equal(await page.locator('#tensors tr').count(), 12);
    await context.close();
  });

  test('errors are shown with advice', async () => {
    const page = await open('/demo/');
    const alert = page.getByRole('alert');
    for (const [name, bytes, message] of [
      ['broken.znn', damaged, /This file is damaged/],
      ['text.znn', 'not at all', /not a \.znn file/],
      ['empty.znn', '', /cut short/],
      ['short.znn', bigFile.subarray(0, 100_000), /cut short/],
      ['old.znn', old, /cannot read this kind[^]*0\.3\.4/],
      ['model.znn.safetensors', inside, /safetensors file with compressed tensors inside[^]*single tensors are compressed/],
    ]) {
      await choose(page, inMemory(name, bytes));
      await alert.filter({ hasText: message }).waitFor();
      if (name === 'broken.znn') await picture(page, 'demo-error');
    }
    await page.route('**/samples/*.znn', (route) => route.abort());
    await page.getByRole('button', { name: /bf16\.safetensors\.znn/ }).click();
    await alert.getByText(/could not be downloaded/).waitFor();
    // Afterwards the demo still works.
    await choose(page, inMemory('good.znn', file));
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
    await choose(page, inMemory('bytes.znn', frame));
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
