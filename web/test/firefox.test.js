// Tests the package and the demo in Firefox over WebDriver BiDi. The tests in Chromium and Node are more
// detailed.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import puppeteer from 'puppeteer-core';

import { compress } from '../js/index.js';
import { demoFiles } from '../demo/serve.js';
import { launchOptions } from '../tools/firefox.js';
import { TestServer } from '../tools/server.js';
import { PATIENCE, SETUP } from './page.js';
import { model, weights } from './samples.js';

const skip = !existsSync(launchOptions.executablePath)
  && 'Firefox is missing: install it, or say where it is with FIREFOX=';

describe('in Firefox', { skip }, () => {
  let browser;
  let server;
  let tensors;
  before(async () => {
    const source = await weights();
    const big = model(source, 12, 1 << 20);
    const bigFile = await compress(big);
    const damaged = bigFile.slice();
    damaged[bigFile.length >> 1] ^= 1;
    tensors = { big, bigFile };
    server = await new TestServer({
      ...(await demoFiles()),
      '/page.html': Buffer.from('<!doctype html><title>test</title>'),
      '/small.safetensors': source,
      '/big.safetensors': big,
      '/big.znn': bigFile,
      '/damaged.znn': damaged,
    }).listen();
    browser = await puppeteer.launch(launchOptions);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  async function open(path) {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.errors = [];
    page.on('pageerror', (error) => page.errors.push(error.message));
    await page.goto(server.url + path);
    return page;
  }

  /** Runs `run` on a page with the package. */
  async function inPage(run) {
    const page = await open('/page.html');
    try {
      await page.addScriptTag({ type: 'module', content: SETUP });
      await page.waitForFunction('globalThis.isReady');
      const result = await page.evaluate(run);
      assert.deepEqual(page.errors, []);
      return result;
    } finally {
      await page.close();
    }
  }

  test('weights are restored', async () => {
    const isBack = await inPage(async () => {
      const source = await get('/small.safetensors');
      return isSame(await zipnn.decompress(await zipnn.compress(source)), source);
    });
    assert.ok(isBack);
  });

  test('streams, tensors and workers return the same data', async () => {
    const result = await inPage(async () => {
      const whole = await get('/big.safetensors');
      const pool = await zipnn.createPool(2);
      const bytes = [];
      for (const options of [{}, { pool }]) {
        const stream = (await fetch('/big.znn')).body.pipeThrough(new zipnn.ZipnnDecompressStream(options));
        bytes.push(new Uint8Array(await new Response(stream).arrayBuffer()));
      }
      const names = [];
      for await (const { name } of zipnn.streamTensors(await fetch('/big.znn'), { pool })) names.push(name);
      pool.free();
      return { areSame: bytes.map((bytes) => isSame(bytes, whole)), tensors: names.length };
    });
    assert.deepEqual(result, { areSame: [true, true], tensors: 12 });
  });

  test('an archive is read with range requests', async () => {
    const before = server.requests.length;
    const isRead = await inPage(async () => {
      const archive = await zipnn.openArchive('/big.znn');
      const { data, range } = await archive.readTensor('layer.6.weight');
      archive.free();
      const whole = await get('/big.safetensors');
      return isSame(new Uint8Array(data.buffer), whole.subarray(...range));
    });
    assert.ok(isRead);
    const requests = server.requests.slice(before).filter(({ path }) => path === '/big.znn');
    assert.ok(requests.every(({ range }) => range), 'every request is for a range');
    const bytes = requests.reduce((sum, request) => sum + request.bytes, 0);
    assert.ok(bytes < tensors.bigFile.length / 5, `${bytes} bytes in ${requests.length} requests`);
  });

  test('failures of networks and servers are a ZipnnError', async () => {
    const errors = await inPage(async () => {
      const stream = async (path) => {
        for await (const _ of zipnn.streamTensors(await fetch(path)));
      };
      const controller = new AbortController();
      const aborted = failure(zipnn.openArchive('/big.znn', { signal: controller.signal }));
      controller.abort();
      return [
        await failure(zipnn.openArchive('http://127.0.0.1:1/model.znn')),
        await failure(zipnn.openArchive('/big.znn?cut=1000')),
        await failure(stream('/big.znn?cut=1000')),
        await failure(stream('/nothing.znn')),
        await failure(zipnn.openArchive('/page.html')),
        await aborted,
      ].map(({ name, code }) => `${name} ${code}`);
    });
    assert.deepEqual(errors, [
      'ZipnnError NetworkError', 'ZipnnError NetworkError', 'ZipnnError SourceFailed', 'ZipnnError HttpError',
      'ZipnnError WrongFormat', 'AbortError 20',
    ]);
  });

  test('ranges bypass a cache that has the file compressed', async () => {
    const isRead = await inPage(async () => {
      await get('/big.znn?cached');
      const archive = await zipnn.openArchive('/big.znn?cached');
      const { data, range } = await archive.readTensor('layer.6.weight');
      archive.free();
      return isSame(new Uint8Array(data.buffer), (await get('/big.safetensors')).subarray(...range));
    });
    assert.ok(isRead);
  });

  test('all readers report damage', async () => {
    const errors = await inPage(async () => {
      const damaged = await get('/damaged.znn');
      const pool = await zipnn.createPool(1);
      const archive = await zipnn.openArchive(damaged, { pool });
      const errors = [
        await failure(zipnn.decompress(damaged)),
        await failure(zipnn.decompress(damaged, { pool })),
        await failure(archive.read(0, archive.decodedLength)),
      ];
      archive.free();
      pool.free();
      return errors;
    });
    for (const { name, code, place } of errors) {
      assert.equal(name, 'ZipnnError');
      assert.match(code, /^(ChecksumMismatch|CorruptStream)$/);
      assert.equal(typeof place.frame, 'number');
    }
  });

  test('freed objects reject calls', async () => {
    const codes = await inPage(async () => {
      const free = (thing) => (Symbol.dispose ? thing[Symbol.dispose]() : thing.free());
      const archive = await zipnn.openArchive(await get('/big.znn'));
      const pool = await zipnn.createPool(1);
      free(archive);
      free(pool);
      return [
        await failure(archive.read(0, 1)),
        await failure(zipnn.decompress(await get('/big.znn'), { pool })),
      ].map(({ code }) => code);
    });
    assert.deepEqual(codes, ['ArchiveFreed', 'PoolFreed']);
  });

  test('the page stays responsive while its thread decodes', async () => {
    const turns = await inPage(async () => {
      const bytes = await get('/big.znn');
      return turnsDuring(async () => {
        for (let i = 0; i < 5; i++) await zipnn.decompress(bytes);
      });
    });
    assert.ok(turns >= 2, `${turns} turns`);
  });

  test('the demo shows tensors and their exponents', async () => {
    const page = await open('/demo/');
    await page.locator('#samples li:nth-child(2) button').click();
    await page.waitForFunction(() => /Decompressed and verified/.test(document.body.textContent));
    const rows = await page.$$('#tensors tr');
    assert.equal(rows.length, 14);
    const button = await page.$('#tensors button');
    await button.click();
    await page.waitForFunction(() => /compressed to/.test(document.getElementById('details-text').textContent));
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.getElementById('details').open);
    await page.waitForFunction(() => document.getElementById('cancel').hidden);
    assert.match(await page.$eval('#sizes', ({ textContent }) => textContent), /gzip.*7\d\.\d\s%.*zipnn.*66\.\d\s%/);
    await page.locator('#remote button').click();
    await page.waitForFunction(() => /Opened with 2\srequests/.test(document.getElementById('status').textContent));
    // Anywhere in the row.
    const last = await page.$('#tensors tr:last-child td:last-child');
    await last.click();
    await page.waitForFunction(() => /Fetched with/.test(document.getElementById('details-traffic').textContent));
    assert.deepEqual(page.errors, []);
    await page.close();
  });
});
