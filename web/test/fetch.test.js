// Tests `createFetch`: with servers of all kinds, and with the libraries that load models by it. Without
// the real libraries, a double of their calls takes their place:
//
//     npm install --no-save --ignore-scripts onnxruntime-web @huggingface/transformers

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { chromium } from 'playwright-core';

import { ZipnnError, compress, createFetch, createPool, openArchive, toFloat32 } from '../js/index.js';
import { launchOptions } from '../tools/chromium.js';
import { TestServer } from '../tools/server.js';
import { embeddings } from './onnx.js';
import { PATIENCE } from './page.js';
import { failure, weights } from './samples.js';

const isInstalled = (name) => existsSync(new URL(`../node_modules/${name}/package.json`, import.meta.url));

/** Real weights as float32: rows of a matrix. */
const matrix = await (async () => {
  const archive = await openArchive(await compress(await weights()));
  const tensor = await archive.readTensor('encoder.layer.0.attention.self.query.weight');
  archive.free();
  return { rows: tensor.shape[0], columns: tensor.shape[1], data: toFloat32(tensor) };
})();
const bytes = new Uint8Array(matrix.data.buffer);
const file = await compress(bytes, { dtype: 'f32' });
const damaged = file.slice();
damaged[file.length >> 1] ^= 1;
const model = embeddings(matrix.rows, matrix.columns, 'model.onnx_data');
const config = { model_type: 'bert', 'transformers.js_config': { use_external_data_format: true } };
const text = (value) => Buffer.from(value);

let server;
before(async () => {
  server = await new TestServer({
    '/model.onnx': model,
    '/model.onnx_data.znn': file,
    '/models/tiny/config.json': text(JSON.stringify(config)),
    '/models/tiny/onnx/model.onnx.znn': await compress(model),
    '/models/tiny/onnx/model.onnx_data.znn': file,
    '/plain/model.safetensors': bytes,
    '/plain/vocab.txt': text('a b c'),
    '/damaged.bin.znn': damaged,
    '/page.html': text(`<!doctype html><title>test</title><script type="importmap">${JSON.stringify({
      imports: {
        zipnn: '/js/index.js',
        '@huggingface/transformers': '/node_modules/@huggingface/transformers/dist/transformers.web.js',
        'onnxruntime-common': '/node_modules/onnxruntime-common/dist/esm/index.js',
        'onnxruntime-web/webgpu': '/node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs',
        '@huggingface/jinja': '/node_modules/@huggingface/jinja/dist/index.js',
        '@huggingface/tokenizers': '/node_modules/@huggingface/tokenizers/dist/tokenizers.mjs',
      },
    })}</script>`),
  }).listen();
});
after(() => server.close());
beforeEach(() => {
  server.requests = [];
});

const paths = () => server.requests.map(({ path }) => path);
const bodyOf = async (response) => new Uint8Array(await response.arrayBuffer());
const isSame = (a, b) => Buffer.compare(a, b) === 0;

describe('createFetch', () => {
  const fetching = createFetch();

  test('a model that is stored compressed is returned decompressed', async () => {
    const pool = await createPool(1);
    const progress = [];
    for (const options of [{}, { pool, onProgress: (now) => progress.push(now) }]) {
      for (const name of ['model.onnx_data', 'model.onnx_data.znn', 'model.onnx_data?download=true']) {
        const response = await createFetch(options)(new URL(`${server.url}/${name}`));
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('Content-Type'), 'application/octet-stream');
        assert.equal(response.headers.get('Content-Length'), null);
        assert.ok(isSame(await bodyOf(response), bytes), name);
      }
    }
    pool.free();
    assert.deepEqual(progress.at(-1), { read: file.length, decoded: bytes.length });
    assert.deepEqual([...new Set(paths())], ['/model.onnx_data.znn']);
  });

  test('a model that is not stored compressed is returned as it is', async () => {
    const response = await fetching(`${server.url}/plain/model.safetensors`);
    assert.ok(isSame(await bodyOf(response), bytes));
    assert.equal(response.headers.get('Content-Length'), `${bytes.length}`);
    assert.equal((await fetching(`${server.url}/none.safetensors`)).status, 404);
  });

  test('a page instead of a missing file is not taken for a model', async () => {
    const page = '<!doctype html><title>Not found</title>';
    const own = createFetch({
      fetch: async (input) => (/\.znn$/.test(input)
        ? new Response(page, { headers: { 'Content-Type': 'text/html; charset=utf-8' } })
        : new Response('plain')),
    });
    for (const headers of [{}, { Range: 'bytes=0-4' }]) {
      assert.equal(await (await own('http://localhost/page.bin', { headers })).text(), 'plain');
    }
  });

  test('a server of another origin may hide that a file is missing', async () => {
    const own = createFetch({
      fetch: async (input) => {
        if (/\.znn$/.test(input)) throw new TypeError('Failed to fetch');
        return new Response('plain');
      },
    });
    for (const headers of [{}, { Range: 'bytes=0-4' }]) {
      assert.equal(await (await own('http://localhost/model.onnx', { headers })).text(), 'plain');
    }
  });

  test('other files and other methods are not touched', async () => {
    assert.equal(await (await fetching(`${server.url}/plain/vocab.txt`)).text(), 'a b c');
    await (await fetching(`${server.url}/model.onnx`, { method: 'POST', body: 'x' })).arrayBuffer();
    assert.deepEqual(paths(), ['/plain/vocab.txt', '/model.onnx']);
    assert.equal(await (await fetching('data:text/plain,hello.bin')).text(), 'hello.bin');
    const matches = ({ pathname }) => pathname === '/model.onnx_data';
    const own = createFetch({ matches });
    assert.ok(isSame(await bodyOf(await own(`${server.url}/model.onnx_data`)), bytes));
  });

  test('ranges and lengths are those of the decompressed file', async () => {
    const url = `${server.url}/model.onnx_data`;
    const all = bytes.length;
    for (const [range, [start, end]] of [
      ['bytes=0-0', [0, 1]], ['bytes=1000-1999', [1000, 2000]], [`bytes=${all - 5}-`, [all - 5, all]],
      ['bytes=-7', [all - 7, all]], [`bytes=${all - 1}-${all + 100}`, [all - 1, all]],
    ]) {
      const response = await fetching(new Request(url, { headers: { Range: range } }));
      assert.equal(response.status, 206);
      assert.equal(response.headers.get('Content-Range'), `bytes ${start}-${end - 1}/${all}`);
      assert.ok(isSame(await bodyOf(response), bytes.subarray(start, end)), range);
    }
    assert.ok(server.sent('/model.onnx_data.znn').bytes < 5 * file.length);
    const beyond = await fetching(url, { headers: { Range: `bytes=${all}-` } });
    assert.equal(beyond.status, 416);
    const head = await fetching(url, { method: 'HEAD' });
    assert.equal(head.headers.get('Content-Length'), `${all}`);
    const missing = await fetching(`${server.url}/none.onnx`, { headers: { Range: 'bytes=0-0' } });
    assert.equal(missing.status, 404);
  });

  test('damage and aborts are errors', async () => {
    const response = await fetching(`${server.url}/damaged.bin`);
    const error = await failure(response.arrayBuffer());
    assert.ok(error instanceof ZipnnError, error);
    assert.match(error.code, /^(ChecksumMismatch|CorruptStream)$/);
    const controller = new AbortController();
    const aborted = failure(fetching(`${server.url}/model.onnx_data?rate=1000`, { signal: controller.signal })
      .then((response) => response.arrayBuffer()));
    setTimeout(() => controller.abort(), 50);
    assert.equal((await aborted).name, 'AbortError');
    const refused = await failure(fetching('http://127.0.0.1:1/model.onnx'));
    assert.ok(refused instanceof TypeError, 'as fetch fails');
  });

  test('a server that fails is not taken for one without the file', async () => {
    const busy = createFetch({ fetch: async () => new Response('busy', { status: 503 }) });
    assert.equal((await busy('http://localhost/model.onnx')).status, 503);
    assert.equal((await busy('http://localhost/model.onnx', { headers: { Range: 'bytes=0-0' } })).status, 503);
  });

  test('the function of the caller sends the requests, with its settings', async () => {
    const calls = [];
    const own = createFetch({
      fetch: (input, init) => {
        calls.push({ url: String(input), init });
        return fetch(input, init);
      },
    });
    const headers = { Authorization: 'Bearer x' };
    await (await own(`${server.url}/model.onnx_data`, { headers, credentials: 'include' })).arrayBuffer();
    assert.equal(calls.length, 1);
    const [{ url, init }] = calls;
    assert.equal(url, `${server.url}/model.onnx_data.znn`);
    assert.equal(init.headers.get('Authorization'), 'Bearer x');
    assert.equal(init.credentials, 'include');
  });
});

/** Does with the files of a model what ONNX Runtime Web does: looks up rows of the external data. */
const double = {
  InferenceSession: {
    create: async (graph, { externalData: [{ path, data }] }) => {
      assert.ok(isSame(graph, model));
      assert.ok(Buffer.from(graph).includes(path));
      assert.ok(data instanceof Uint8Array);
      const matrix = new Float32Array(data.buffer, data.byteOffset, data.length / 4);
      return {
        run: async ({ input_ids: { data: ids, dims } }) => {
          const columns = data.length / 4 / Number(dims.rows ?? 384);
          const rows = Array.from(ids, (id) => [...matrix.subarray(Number(id) * columns, (Number(id) + 1) * columns)]);
          return { last_hidden_state: { data: Float32Array.from(rows.flat()) } };
        },
      };
    },
  },
  Tensor: class {
    constructor(type, data, dims) {
      Object.assign(this, { type, data, dims });
    }
  },
};

const expected = [3, 50].flatMap((row) =>
  [...matrix.data.subarray(row * matrix.columns, (row + 1) * matrix.columns)]);

describe('ONNX Runtime Web', () => {
  for (const kind of ['double', 'onnxruntime-web']) {
    const skip = kind !== 'double' && !isInstalled(kind) && `${kind} is not installed`;
    test(`a session with compressed external data (${kind})`, { skip }, async () => {
      const ort = kind === 'double' ? double : await import(kind);
      const fetching = createFetch();
      const load = async (name) => bodyOf(await fetching(`${server.url}/${name}`));
      const session = await ort.InferenceSession.create(await load('model.onnx'), {
        externalData: [{ path: 'model.onnx_data', data: await load('model.onnx_data') }],
      });
      const ids = new ort.Tensor('int64', BigInt64Array.from([3n, 50n]), [1, 2]);
      const { last_hidden_state: state } = await session.run({ input_ids: ids });
      assert.deepEqual([...state.data], expected);
    });
  }
});

describe('transformers.js', () => {
  test('its calls of fetch (double)', async () => {
    // What it does for each file: the length by a range, then the whole file.
    const env = { fetch: createFetch() };
    for (const [name, content] of [['model.onnx', model], ['model.onnx_data', bytes]]) {
      const url = `${server.url}/models/tiny/onnx/${name}`;
      const headers = new Headers({ Range: 'bytes=0-0' });
      const range = await env.fetch(url, { method: 'GET', headers, cache: 'no-store' });
      assert.equal(range.status, 206);
      assert.match(range.headers.get('Content-Range'), new RegExp(`^bytes 0-0/${content.length}$`));
      const response = await env.fetch(url, { headers: new Headers() });
      assert.equal(response.status, 200);
      assert.ok(isSame(await bodyOf(response), content));
    }
    const config = await env.fetch(`${server.url}/models/tiny/config.json`, { headers: new Headers() });
    assert.equal((await config.json()).model_type, 'bert');
  });

  const skip = !isInstalled('@huggingface/transformers') && '@huggingface/transformers is not installed';
  test('a model is loaded and run (@huggingface/transformers)', { skip }, async () => {
    const browser = await chromium.launch(launchOptions);
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE);
      await page.goto(`${server.url}/page.html`);
      const state = await page.evaluate(async () => {
        const { AutoModel, Tensor, env } = await import('@huggingface/transformers');
        const { createFetch } = await import('zipnn');
        env.allowLocalModels = true;
        env.allowRemoteModels = false;
        env.backends.onnx.wasm.wasmPaths = `${location.origin}/node_modules/onnxruntime-web/dist/`;
        env.fetch = createFetch();
        const model = await AutoModel.from_pretrained('tiny', { device: 'wasm', dtype: 'fp32' });
        const ids = new Tensor('int64', BigInt64Array.from([3n, 50n]), [1, 2]);
        const { last_hidden_state: state } = await model({ input_ids: ids });
        return Array.from(state.data);
      });
      assert.deepEqual(state, expected);
    } finally {
      await browser.close();
    }
  });
});
