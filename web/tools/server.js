// A server for the demo, benchmarks and tests. It serves files with or without ranges, slowly, encoded or
// truncated, and records requests.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFile, stat } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.css': 'text/css; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
};

const CODE = new Map();

/** Returns a file compressed with gzip, which is done once. */
function zipped(path, file) {
  const known = CODE.get(path);
  if (known?.file.equals(file)) return known.bytes;
  CODE.set(path, { file, bytes: gzipSync(file) });
  return CODE.get(path).bytes;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `files` maps paths to bytes or to functions that return parts. */
export class TestServer {
  requests = [];
  #server;

  constructor(files = {}) {
    this.files = new Map(Object.entries(files));
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(String(error));
      });
    });
  }

  async listen(port = 0) {
    await new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** Returns the number of bytes sent of a file and of requests for it. */
  sent(path) {
    const requests = this.requests.filter((request) => request.path === path);
    return {
      requests: requests.length,
      bytes: requests.reduce((sum, { bytes }) => sum + bytes, 0),
      ranges: requests.map(({ range }) => range),
    };
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const path = decodeURIComponent(pathname).replace(/\/$/, '/index.html');
    const given = this.files.get(path);
    const file = given ?? (await onDisk(path));
    const headers = {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Cache-Control': 'no-store',
    };
    if (searchParams.has('cors')) {
      Object.assign(headers, { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Content-Range' });
    }
    if (file === undefined) {
      response.writeHead(404).end('Not found');
      return;
    }
    if (!given && !request.headers.range && /gzip/.test(request.headers['accept-encoding'])) {
      // As servers of websites do with code.
      response.writeHead(200, { ...headers, 'Content-Encoding': 'gzip' }).end(zipped(path, file));
      this.requests.push({ path, range: undefined, bytes: 0, isOver: true });
      return;
    }
    const record = { path, range: undefined, bytes: 0, isOver: false };
    this.requests.push(record);
    if (typeof file === 'function') {
      response.writeHead(200, headers);
      await send(response, file(), record);
      return;
    }
    const range = searchParams.has('whole') ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range);
    const [start, end] = range ? [Number(range[1]), Math.min(Number(range[2]) + 1, file.length)] : [0, file.length];
    if (searchParams.has('cut')) {
      response.writeHead(200, { ...headers, 'Content-Length': file.length });
      response.write(file.subarray(0, Number(searchParams.get('cut'))), () => response.destroy());
      return;
    }
    if (searchParams.has('cached')) {
      Object.assign(headers, { 'Cache-Control': 'max-age=3600', ETag: '"1"' });
      if (!range && /gzip/.test(request.headers['accept-encoding'])) {
        response.writeHead(200, { ...headers, 'Content-Encoding': 'gzip' }).end(gzipSync(file));
        return;
      }
    }
    headers['Content-Length'] = end - start;
    if (range) {
      record.range = [start, end];
      headers['Content-Range'] = `bytes ${start}-${end - 1}/${file.length}`;
    }
    response.writeHead(range ? 206 : 200, headers);
    const rate = Number(searchParams.get('rate')) || Infinity;
    await send(response, slowly(file.subarray(start, end), rate), record);
  }
}

/** Yields parts of bytes at this rate in bytes per second. */
async function* slowly(bytes, rate) {
  const length = Number.isFinite(rate) ? Math.ceil(rate / 50) : 1 << 18;
  for (let at = 0; at < bytes.length; at += length) {
    yield bytes.subarray(at, at + length);
    if (Number.isFinite(rate)) await sleep(20);
  }
}

async function send(response, parts, record) {
  for await (const part of parts) {
    if (response.destroyed) break;
    record.bytes += part.length;
    if (!response.write(part)) await drained(response);
  }
  record.isOver = true;
  response.end();
}

/** Waits until the response accepts data or is closed. */
async function drained(response) {
  const race = new AbortController();
  const heard = (event) => once(response, event, { signal: race.signal }).catch(() => {});
  await Promise.race([heard('drain'), heard('close')]);
  race.abort();
}

async function onDisk(path) {
  const file = join(ROOT, normalize(path));
  if (!file.startsWith(ROOT)) return undefined;
  try {
    return (await stat(file)).isFile() ? await readFile(file) : undefined;
  } catch {
    return undefined;
  }
}
