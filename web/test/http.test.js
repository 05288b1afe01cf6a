// Tests that failures of servers, networks and streams are errors with advice.

import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import {
  ZipnnCompressStream, ZipnnDecompressStream, ZipnnError, compress, openArchive, streamTensors,
} from '../js/index.js';
import { Module } from '../js/module.js';
import { WorkerPool } from '../js/pool.js';
import { collect, failure, model, weights } from './samples.js';

const big = model(await weights(), 6, 1 << 20);
const file = await compress(big);
const gzipped = gzipSync(file);
const DATE = 'Mon, 01 Jan 2024 00:00:00 GMT';
const STATE = { ETag: '"1"', 'Last-Modified': DATE };

/** A server that calls `answer(request, response, range)`, which tests set. */
let answer;
let requests;
let url;
let server;
before(async () => {
  server = createServer((request, response) => {
    const found = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const range = found && [Number(found[1]), Number(found[2]) + 1];
    requests.push({ range, headers: request.headers });
    answer(request, response, range);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${server.address().port}/model.znn`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function serve(by) {
  requests = [];
  answer = by;
}

/** Sends a correct range except for the given changes. */
function part(response, [start, end], { status = 206, body, ...headers } = {}) {
  const bytes = file.subarray(start, end);
  const range = `bytes ${start}-${start + bytes.length - 1}/${file.length}`;
  response.writeHead(status, { ...STATE, 'Content-Range': range, ...headers });
  response.end(body ?? bytes);
}

const whole = (response, headers = {}) => response.writeHead(200, { ...STATE, ...headers }).end(file);

/** Answers the first requests correctly, and further ones with `later`. */
const goodUntil = (count, later) => (request, response, range) =>
  requests.length <= count ? part(response, range) : later(request, response, range);

/** Reads a tensor with range requests, or from the whole file. */
async function readTensor(options) {
  const archive = await openArchive(url, options);
  try {
    const { data, range } = await archive.readTensor('layer.3.weight');
    assert.equal(Buffer.compare(new Uint8Array(data.buffer), big.subarray(...range)), 0);
  } finally {
    archive.free();
  }
}

/** Asserts that a promise is rejected with a ZipnnError with this code and message. */
async function fails(promise, code, message) {
  const error = await failure(promise);
  assert.ok(error instanceof ZipnnError, error.stack);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return error;
}

describe('ranges', () => {
  test('requests bypass caches and ask for no encoding', async () => {
    serve((request, response, range) => part(response, range));
    const inits = [];
    await readTensor({
      fetch: (from, init) => {
        inits.push(init);
        return fetch(from, init);
      },
    });
    assert.ok(inits.length > 2);
    for (const { cache } of inits) assert.equal(cache, 'no-store');
    for (const { headers } of requests) assert.equal(headers['accept-encoding'], 'identity');
  });

  test('servers may send less than requested', async () => {
    serve((request, response, [start, end]) => part(response, [start, Math.min(end, start + 100_000)]));
    await readTensor();
  });

  for (const [name, headers] of Object.entries({
    'of compressed bytes': { 'Content-Encoding': 'gzip' },
    'of compressed bytes (br)': { 'Content-Encoding': 'br' },
    'of an unknown size': { 'Content-Range': 'bytes 0-16383/*' },
    'without Content-Range': { 'Content-Range': undefined },
  })) {
    test(`ranges ${name} are no use: the whole file is`, async () => {
      serve((request, response, range) => {
        if (!range) return whole(response);
        const sent = Object.entries({ ...STATE, 'Content-Range': `bytes 0-16383/${file.length}`, ...headers });
        response.writeHead(206, Object.fromEntries(sent.filter(([, value]) => value)));
        response.end(file.subarray(...range));
      });
      await readTensor();
    });
  }

  test('servers that reject range requests still send the whole file', async () => {
    serve((request, response, range) => (range ? response.destroy() : whole(response)));
    await readTensor();
    serve((request, response, range) => (range ? response.writeHead(416).end() : whole(response)));
    await readTensor();
  });

  test('the length of an encoded response is ignored', async () => {
    serve((request, response) =>
      response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': gzipped.length }).end(gzipped));
    const totals = [];
    await readTensor({ onProgress: ({ total }) => totals.push(total) });
    assert.deepEqual([...new Set(totals)], [undefined]);
  });

  test('an empty file is truncated', async () => {
    serve((request, response, range) => (range
      ? response.writeHead(416, { 'Content-Range': 'bytes */0' }).end()
      : response.writeHead(200, { 'Content-Length': 0 }).end()));
    await fails(readTensor(), 'Truncated', /32 bytes needed, 0 there/);
  });

  for (const [name, range] of Object.entries({
    'of other bytes': `bytes 5-16388/${file.length}`,
    'of too many bytes': `bytes 0-20000/${file.length}`,
    'that does not fit its bytes': `bytes 0-9999/${file.length}`,
  })) {
    test(`a first range ${name}`, async () => {
      serve((request, response, asked) => part(response, asked, { 'Content-Range': range }));
      await fails(readTensor(), 'BadRange', /fetch all of it and open the bytes/);
    });
  }

  test('a part instead of the whole file is an error', async () => {
    serve((request, response) => response.writeHead(206).end(file.subarray(0, 100)));
    await fails(readTensor(), 'BadRange', /whole file was requested/);
  });

  for (const [name, later] of Object.entries({
    'of other bytes': (response, [start, end]) => part(response, [start - 5, end - 5]),
    'of too few bytes': (response, range) => part(response, range, { body: file.subarray(range[0], range[1] - 1) }),
    'of no bytes': (response, range) => part(response, range, { body: '' }),
    'of compressed bytes': (response, range) => part(response, range, { 'Content-Encoding': 'gzip', ETag: '"1-gzip"' }),
    'that is the whole file': (response) => whole(response),
  })) {
    test(`a later range ${name}`, async () => {
      serve(goodUntil(2, (request, response, range) => later(response, range)));
      const code = name === 'of compressed bytes' ? /BadRange|NetworkError/ : /BadRange/;
      const error = await failure(readTensor());
      assert.ok(error instanceof ZipnnError, error.stack);
      assert.match(error.code, code, error.message);
    });
  }

  for (const [name, later] of Object.entries({
    'another ETag': (response, range) => part(response, range, { ETag: '"2"' }),
    'another date': (response, range) => part(response, range, { 'Last-Modified': 'Tue, 02 Jan 2024 00:00:00 GMT' }),
    'another size': (response, [start, end]) =>
      part(response, [start, end], { 'Content-Range': `bytes ${start}-${end - 1}/${file.length + 1}` }),
    'no such range': (response) => response.writeHead(416, { 'Content-Range': 'bytes */100' }).end(),
    'another whole file': (response) => whole(response, { ETag: '"2"' }),
  })) {
    test(`a file that has changed: ${name}`, async () => {
      serve(goodUntil(2, (request, response, range) => later(response, range)));
      await fails(readTensor(), 'SourceChanged', /open it again/);
    });
  }
});

describe('networks', () => {
  /** An address without a server. */
  async function nobody() {
    const other = createServer();
    await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address();
    await new Promise((resolve) => other.close(resolve));
    return `http://127.0.0.1:${port}/model.znn`;
  }

  test('no server answers', async () => {
    const error = await fails(openArchive(await nobody()), 'NetworkError', /ECONNREFUSED/);
    assert.ok(error.cause instanceof TypeError);
  });

  test('the `fetch` of the caller fails', async () => {
    const cause = new Error('offline');
    const error = await fails(openArchive(url, { fetch: () => Promise.reject(cause) }), 'NetworkError', /offline/);
    assert.equal(error.cause, cause);
  });

  test('an invalid URL', async () => {
    await fails(openArchive('model.znn'), 'NetworkError', /check the URL/);
  });

  test('a lost connection', async () => {
    const cut = (response, status, headers, bytes) => {
      response.writeHead(status, headers);
      response.write(bytes);
      setTimeout(() => response.destroy(), 20);
    };
    serve((request, response) => cut(response, 200, { 'Content-Length': file.length }, file.subarray(0, 1000)));
    const error = await fails(openArchive(url), 'NetworkError', /connection broke.*try again/);
    assert.ok(error.cause instanceof Error);
    const response = await fetch(url);
    const read = async () => {
      for await (const _ of streamTensors(response));
    };
    assert.ok((await fails(read(), 'SourceFailed', /could not be read to its end/)).cause instanceof Error);
    serve(goodUntil(2, (request, response, range) =>
      cut(response, 206, { ...STATE, 'Content-Range': `bytes ${range[0]}-${range[1] - 1}/${file.length}` }, 'abc')));
    await fails(readTensor(), 'NetworkError', /connection broke/);
  });

  test('a body that ends early without an error', async () => {
    const short = async () => new Response(file.subarray(0, 1000), { headers: { 'Content-Length': file.length } });
    await fails(openArchive(url, { fetch: short }), 'NetworkError', /1000 of \d+ bytes/);
  });

  test('HTTP error statuses', async () => {
    for (const [status, message] of [
      [401, /401 .*sign in/], [403, /403 .*sign in/], [404, /404 Not Found; check the URL/],
      [429, /429 .*later/], [500, /500 .*later/], [503, /503 .*later/], [204, /204 .*no data/],
    ]) {
      serve((request, response) => response.writeHead(status).end(status === 204 ? undefined : '<html>sorry</html>'));
      for (const run of [
        () => openArchive(url),
        async () => streamTensors(await fetch(url)).next(),
      ]) {
        const error = await fails(run(), 'HttpError', message);
        assert.equal(error.status, status);
      }
    }
    serve(goodUntil(2, (request, response) => response.writeHead(403).end()));
    await fails(readTensor(), 'HttpError', /403/);
  });

  test('an error page with status 200', async () => {
    serve((request, response) =>
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!DOCTYPE html><title>Sign in</title>'));
    await fails(openArchive(url), 'WrongFormat', /web page/);
    await fails(streamTensors(await fetch(url)).next(), 'WrongFormat', /web page/);
  });

  test('aborts are not wrapped', async () => {
    for (const reason of [undefined, new Error('of my own')]) {
      const controller = new AbortController();
      serve(() => controller.abort(reason));
      const error = await failure(openArchive(url, { signal: controller.signal }));
      assert.equal(error, controller.signal.reason);
      assert.equal(error.name, reason ? 'Error' : 'AbortError');
    }
    const controller = new AbortController();
    serve((request, response) => {
      response.writeHead(200);
      response.write(file.subarray(0, 1000));
    });
    const response = await fetch(url, { signal: controller.signal });
    const tensor = failure(streamTensors(response).next());
    setTimeout(() => controller.abort(), 20);
    const error = await tensor;
    assert.ok(error instanceof DOMException, error);
    assert.equal(error.name, 'AbortError');
    serve(() => {});
    const late = await failure(openArchive(url, { signal: AbortSignal.timeout(20) }));
    assert.ok(late instanceof DOMException, late);
    assert.equal(late.name, 'TimeoutError');
  });

  test('errors of the caller are not wrapped', async () => {
    const own = new RangeError('a mistake in the page');
    serve((request, response) => whole(response));
    const onProgress = () => {
      throw own;
    };
    assert.equal(await failure(openArchive(url, { onProgress })), own);
    const read = () => Promise.reject(own);
    assert.equal(await failure(openArchive({ size: 1000, read })), own);
  });
});

describe('streams and files', () => {
  /** A stream of some bytes and then an error. */
  const failing = (error) => new ReadableStream({
    start: (controller) => controller.enqueue(file.subarray(0, 1000)),
    pull: (controller) => controller.error(error),
  });

  test('the error of a source is the cause', async () => {
    for (const cause of [new TypeError('network error'), new Error('of my own')]) {
      for (const stream of [new ZipnnDecompressStream(), new ZipnnCompressStream()]) {
        const error = await fails(collect(failing(cause).pipeThrough(stream)), 'SourceFailed', new RegExp(cause.message));
        assert.equal(error.cause, cause);
      }
      const error = await fails(streamTensors(failing(cause)).next(), 'SourceFailed', new RegExp(cause.message));
      assert.equal(error.cause, cause);
    }
  });

  test('cancellations are not wrapped', async () => {
    for (const reason of [new DOMException('no more', 'AbortError'), new ZipnnError('Truncated', 'short'), 'enough']) {
      assert.equal(await failure(collect(failing(reason).pipeThrough(new ZipnnDecompressStream()))), reason);
    }
    const { readable, writable } = new ZipnnDecompressStream();
    writable.getWriter().abort();
    assert.equal((await failure(collect(readable))).name, 'AbortError');
  });

  test('arguments that are not streams', async () => {
    for (const source of [undefined, 'model.znn', file]) {
      const error = await failure(streamTensors(source).next());
      assert.ok(error instanceof TypeError, error);
      assert.match(error.message, /expected a Response or a ReadableStream/);
    }
    await assert.rejects(openArchive(Promise.resolve(file)), { name: 'TypeError', message: /expected bytes/ });
  });

  test('objects that violate the interface', async () => {
    const { length: size } = file;
    const short = { size, read: async (start, end) => file.subarray(start, end - 1) };
    await fails(openArchive(short), 'BadRange', /returned \d+ bytes instead of \d+/);
    const buffers = { size, read: async (start, end) => file.slice(start, end).buffer };
    const archive = await openArchive(buffers);
    assert.equal(Buffer.compare(await archive.read(10, 1000), big.subarray(10, 1000)), 0);
    archive.free();
    for (const source of [{ size: NaN, read: short.read }, { size: -1, read: short.read }, { read: short.read }]) {
      assert.ok((await failure(openArchive(source))) instanceof TypeError);
    }
    const nothing = { size, read: async () => undefined };
    assert.ok((await failure(openArchive(nothing))) instanceof TypeError);
  });

  test('a file that changes while it is open', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'zipnn-'));
    try {
      const path = join(folder, 'model.znn');
      await writeFile(path, file);
      const archive = await openArchive(await openAsBlob(path));
      await writeFile(path, file.subarray(0, 100));
      const error = await fails(archive.read(0, 100), 'SourceFailed', /choose it again/);
      assert.equal(error.cause.name, 'NotReadableError');
      archive.free();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('workers that do not start', () => {
  test('report the reason', async () => {
    const missing = await fails(
      WorkerPool.start({ url: new URL('file:///nowhere/worker.js') }, undefined, 1), 'WorkerFailed', /nowhere/);
    assert.ok(missing.cause instanceof Error);
    const refused = await fails(
      WorkerPool.start({ url: new URL('https://example.com/worker.js') }, undefined, 1), 'WorkerFailed', /a worker failed: .+/);
    assert.ok(refused.cause instanceof Error);
  });
});

describe('loading the module', () => {
  const load = async (source) => {
    const bindings = await import(`../dist/decode/zipnn.js?${Math.random()}`);
    return new Module(bindings, { simd: source, plain: source }).load();
  };

  test('an engine without vectors is named if the build needs them', async (t) => {
    t.mock.method(WebAssembly, 'validate', () => false);
    await fails(new Module({}, { simd: url }).load(), 'LoadFailed', /no vector instructions/);
  });

  test('missing and invalid modules are errors with advice', async () => {
    serve((request, response) => response.writeHead(404).end());
    assert.equal((await fails(load(url), 'LoadFailed', /404.*init|init.*404/)).cause.status, 404);
    serve((request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>'));
    const error = await fails(load(url), 'LoadFailed', /content security policy/);
    assert.ok(error.cause instanceof WebAssembly.CompileError);
    serve((request, response) => response.destroy());
    assert.ok((await fails(load(url), 'LoadFailed', /check that the server sends it/)).cause instanceof TypeError);
    await fails(load(new URL('file:///nowhere/zipnn.wasm')), 'LoadFailed', /ENOENT/);
  });
});
